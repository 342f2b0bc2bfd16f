"""Whether a file speaks of the same thing twice.

Then the order of its rows would decide what holds, and a dry run, which writes nothing, could not
tell what the real one will. Keys are remembered as hashes: some 60 bytes each, however long the
rows are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from domains.products.rules.imports.reading import Item


class Repeated:
    def __init__(self, kind: str) -> None:
        self._keys_of = _KEYS.get(kind)
        self._seen: set[int] = set()

    def note(self, item: Item) -> None:
        """Remember an item, and refuse it, or some of its variants, where they occurred before."""
        if self._keys_of is None or item.value is None:
            return
        keys = list(self._keys_of(item.value))
        if any(self._is_known(key) for key in keys):
            for row in item.rows:
                item.fault(
                    "repeated",
                    "It occurs in the file before; what belongs together has to stand together.",
                    row=row,
                )
            item.value = None
            return
        for key in keys:
            self._seen.add(hash(key))
        if hasattr(item.value, "variants"):
            self._note_variants(item)

    def _note_variants(self, item: Item) -> None:
        kept, rows = [], []
        for place, variant in enumerate(item.value.variants):
            key = ("sku", variant.sku)
            if self._is_known(key):
                row, pointer = item.row_at(f"/variants/{place}/sku")
                detail = f"{variant.sku} occurs in the file before."
                item.fault("repeated_sku", detail, pointer, row=row)
            else:
                self._seen.add(hash(key))
                kept.append(variant)
                rows.append(item.rows[min(place, len(item.rows) - 1)])
        if len(kept) < len(item.value.variants):
            if not kept or item.header is None:
                item.value = None
            else:
                item.value, item.rows = msgspec.structs.replace(item.value, variants=kept), rows

    def _is_known(self, key: tuple[str, str]) -> bool:
        return hash(key) in self._seen


def _keys_of_product(row: Any) -> Iterator[tuple[str, str]]:
    if row.external_id:
        yield "external_id", row.external_id
    if row.slug:
        yield "slug", row.slug


def _keys_of_type(row: Any) -> Iterator[tuple[str, str]]:
    yield "code", row.code


_KEYS = {
    "products": _keys_of_product,
    "categories": _keys_of_product,
    "product-types": _keys_of_type,
}
