"""What a route demands of its caller."""

from __future__ import annotations

from enum import Enum
from typing import Final

from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import MissingScope, NotAuthenticated


class Demand(Enum):
    PUBLIC = "public"
    AUTHENTICATED = "authenticated"


PUBLIC: Final = Demand.PUBLIC
AUTHENTICATED: Final = Demand.AUTHENTICATED

Requirement = Demand | str


def authorise(actor: Actor | None, requirement: Requirement) -> None:
    """Let the caller pass, or raise NotAuthenticated (401) or MissingScope (403).

    requirement: PUBLIC, AUTHENTICATED, or the scope that the caller must hold.
    """
    if requirement is PUBLIC:
        return
    if actor is None:
        raise NotAuthenticated
    if isinstance(requirement, str) and requirement not in actor.scopes:
        raise MissingScope(requirement)
