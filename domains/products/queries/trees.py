"""The tree of categories as bare branches: who lies where, without names and counts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from infrastructure.database.contexts import connection_of


@dataclass(frozen=True, slots=True)
class Branch:
    """position: the rank among its siblings."""

    id: UUID
    parent_id: UUID | None
    position: str
    slug: str
    external_id: str | None


def branches() -> list[Branch]:
    """All of them, in no order; one statement."""
    found = connection_of("products").fetch(
        "SELECT id, parent_id, position, slug, external_id FROM products_category", []
    )
    return [Branch(*row) for row in found]
