"""Who is calling, as far as a command or a view needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a request, read from a verified token. Never a model.

    `scopes` are those the person holds now, not those written into the token when it was issued;
    so is `customer_group`, the code of the group of customers whose prices hold for them.
    """

    id: UUID
    scopes: frozenset[str] = frozenset()
    is_staff: bool = False
    session_id: UUID | None = None
    customer_group: str | None = None

    # Django REST framework and Django's own code ask these of `request.user`.
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True

    @property
    def pk(self) -> UUID:
        return self.id

    def may(self, scope: str) -> bool:
        return scope in self.scopes
