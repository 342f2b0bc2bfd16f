"""What a route demands of its caller."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import MissingScope, NotAuthenticated


class Demand(Enum):
    PUBLIC = "public"
    AUTHENTICATED = "authenticated"


PUBLIC: Final = Demand.PUBLIC
AUTHENTICATED: Final = Demand.AUTHENTICATED


@dataclass(frozen=True, slots=True)
class OrGuest:
    """The scope of callers who are signed in, on a route that is open to strangers as well.

    credential: the security scheme by which a stranger shows a right to it, for the
    documentation; the view checks it. Empty where none is needed.
    """

    scope: str
    credential: str = ""


Requirement = Demand | OrGuest | str


def authorise(actor: Actor | None, requirement: Requirement) -> None:
    """Let the caller pass, or raise NotAuthenticated (401) or MissingScope (403).

    requirement: PUBLIC, AUTHENTICATED, the scope that the caller must hold, or with OrGuest the one
    that a caller with a token must hold.
    """
    if requirement is PUBLIC:
        return
    if isinstance(requirement, OrGuest):
        if actor is None:
            return
        requirement = requirement.scope
    if actor is None:
        raise NotAuthenticated
    if isinstance(requirement, str) and requirement not in actor.scopes:
        raise MissingScope(requirement)
