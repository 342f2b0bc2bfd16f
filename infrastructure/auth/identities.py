"""What is known about callers now: active or not, which generation, which scopes,
which group of customers.

The context that knows people says how to look somebody up (`provide`); the answer is kept in the
process for five seconds, so that a request costs no statement for it and a revocation still acts
within that time everywhere, and at once where it was made (`forget`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

SECONDS_KEPT = 5.0
REMEMBERED_PEOPLE = 10_000


@dataclass(frozen=True, slots=True)
class Identity:
    id: UUID
    is_active: bool
    is_staff: bool
    generation: int
    scopes: frozenset[str]
    customer_group: str | None = None


class People(Protocol):
    """The questions that signing in and authenticating ask of the context that knows people."""

    def identity_of(self, user_id: UUID) -> Identity | None: ...

    def staff_with_password(
        self, *, email: str, password: str, now: datetime
    ) -> AbstractBaseUser | None:
        """Somebody that Django may sign a session for: not older than the check."""
        ...


class IdentityCache:
    """Identities by user id, each for `seconds` after it was asked for. Bounded: the oldest go."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS_KEPT,
        limit: int = REMEMBERED_PEOPLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries: dict[UUID, tuple[float, Identity | None]] = {}
        self._lock = threading.Lock()
        self._seconds, self._limit, self._clock = seconds, limit, clock

    def get(self, user_id: UUID, load: Callable[[UUID], Identity | None]) -> Identity | None:
        entry = self._entries.get(user_id)
        now = self._clock()
        if entry is not None and entry[0] > now:
            return entry[1]
        identity = load(user_id)
        with self._lock:
            self._entries.pop(user_id, None)
            while len(self._entries) >= self._limit:
                del self._entries[next(iter(self._entries))]
            # From before the question was asked: what changed meanwhile is not served longer.
            self._entries[user_id] = (now + self._seconds, identity)
        return identity

    def known(self, user_id: UUID) -> Identity | None:
        """What `get` would say without a look; None where it had to look, and for nobody."""
        entry = self._entries.get(user_id)
        return None if entry is None or entry[0] <= self._clock() else entry[1]

    def forget(self, user_id: UUID) -> None:
        with self._lock:
            self._entries.pop(user_id, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


_cache = IdentityCache()
_people: People | None = None


def provide(people: People) -> None:
    """Called once at start by the context that knows people."""
    global _people
    _people = people


def people() -> People:
    if _people is None:
        raise LookupError("No context has said how to look people up.")
    return _people


def identity_of(user_id: UUID) -> Identity | None:
    """Who this is now, at most five seconds old. None: nobody."""
    return _cache.get(user_id, people().identity_of)


def known_identity_of(user_id: UUID) -> Identity | None:
    """The same where nobody has to be asked; None also where somebody had to be."""
    return _cache.known(user_id)


def forget(user_id: UUID) -> None:
    """Look this person up anew at the next question."""
    _cache.forget(user_id)


def clear() -> None:
    """Look everybody up anew."""
    _cache.clear()
