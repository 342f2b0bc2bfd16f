"""Refusals that carry their own code and HTTP status.

A context's `errors.py` subclasses `DomainError`. Whatever raises one needs to know nothing of HTTP;
`infrastructure.http` renders it as a problem document. No Django in here: rules use it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from msgspec import UNSET, UnsetType


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one part of the input.

    `pointer` is a JSON pointer into the body (`/lines/0/sku`), or `?name` for a query parameter.
    `current`: where a comparison failed, what the value is.
    """

    pointer: str
    code: str
    detail: str
    current: int | str | UnsetType | None = UNSET


class DomainError(Exception):
    """A command or question that is refused for a reason the caller can act upon.

    `code` is stable and part of the API; `title` is the same for every occurrence; `detail` is
    about this one; `headers` go into the answer. `extensions` are the members that the problem may
    have beside those of all (RFC 9457, 3.2), each with its meaning; `members` those of this one.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "The request was refused"
    extensions: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})


class StaleVersion(DomainError):
    """The resource has another version than the change is based on, such as `If-Match` names."""

    code, status, title = "stale_version", 412, "The resource was changed by someone else"


class InProgress(DomainError):
    """The first request of those that are the same may still be at work; `Retry-After` says when to
    ask again."""

    code, status, title = "in_progress", 409, "The same request is being carried out"


class Transient(Exception):
    """Something that will pass: the event or task that met it is tried again, a few times."""


class Unavailable(Transient):
    """A server that everything depends on is away: tried again for as long as it takes."""
