"""The tree of categories as bare branches: who lies where, without names and counts."""

from __future__ import annotations

from collections.abc import Iterable
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


# Upward from the categories that products are listed in; UNION ends even a circle.
_PLACES = """
WITH RECURSIVE places AS (
    SELECT pc.product_id, pc.category_id AS id
    FROM products_productcategory pc WHERE pc.product_id = ANY(%s::uuid[])
    UNION
    SELECT places.product_id, c.parent_id
    FROM places JOIN products_category c ON c.id = places.id
    WHERE c.parent_id IS NOT NULL
)
SELECT places.product_id, c.slug FROM places JOIN products_category c ON c.id = places.id
"""


def categories_of(product_ids: Iterable[UUID]) -> dict[UUID, frozenset[str]]:
    """The slugs of the categories that each product lies in, those above them included; nothing
    for one that lies in none. One statement."""
    found: dict[UUID, set[str]] = {}
    for product_id, slug in connection_of("products").fetch(_PLACES, [list(product_ids)]):
        found.setdefault(product_id, set()).add(slug)
    return {product_id: frozenset(slugs) for product_id, slugs in found.items()}
