"""Products of one request, as the lines of a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.repeated import Repeated
from domains.products.rules.imports.rows import ProductRow
from domains.products.services.imports import engine
from domains.products.services.imports.terms import Terms


def upsert_products(
    *, rows: Sequence[ProductRow], actor_id: UUID | None, now: datetime
) -> list[Item]:
    """Within the caller's transaction. What came of each row, in their order."""
    items = [Item(end=place, rows=[place], value=row) for place, row in enumerate(rows, start=1)]
    repeated = Repeated("products")
    for item in items:
        repeated.note(item)
    write = engine.writer("products", dry_run=False)
    engine.write_batch(write, items, Terms(actor_id=actor_id, now=now))
    return items
