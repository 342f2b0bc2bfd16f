"""What a dry run would change: things as an export tells of them, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.products.queries import exports
from domains.products.rules.imports import differences as rules
from domains.products.rules.imports.differences import MOST_FIELDS, Fact
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import CategoryRow, PriceRow, StockRow

# Of one file so many changes are kept; of the rest there are only counts.
MOST_CHANGES = 50


@dataclass(slots=True)
class _Seen:
    """part: which of a SKU's prices or counts the row is about; None for a whole thing."""

    item: Item
    id: UUID
    part: str | None
    after: dict[Fact, str]


class Trial:
    """The first changes of one file. Batch by batch what is there is read twice, for those alone
    that are still to be kept: behind the writing, and again once that is undone."""

    def __init__(self, kind: str, changes: list[dict[str, Any]]) -> None:
        """changes: those that an earlier run has kept."""
        self.changes = changes
        self._kind = kind
        self._seen: list[_Seen] = []

    def look(self, items: Sequence[Item], *, now: datetime) -> None:
        """Within what will be undone. Rows of a batch that are about the same price, or the same
        count, are one change, told at the first of them."""
        room = MOST_CHANGES - len(self.changes)
        found: dict[tuple[UUID, str | None], Item] = {}
        for item in items:
            if len(found) == room:
                break
            if item.outcome in ("created", "changed") and item.id is not None:
                found.setdefault((item.id, _part(item)), item)
        facts = self._facts([key[0] for key, it in found.items() if it.outcome == "changed"], now)
        self._seen = [
            _Seen(item, thing_id, part, facts.get(thing_id, {}))
            for (thing_id, part), item in found.items()
        ]
        for one in self._seen:
            row = one.item.value
            if one.after and isinstance(row, CategoryRow) and row.parent:
                # A parent that was made in an earlier batch is not there any more.
                one.after.setdefault(("", "parent"), row.parent)

    def compared(self, *, now: datetime) -> list[dict[str, Any]]:
        """All changes so far, with those that `look` saw. To be called once its effects are
        undone."""
        seen, self._seen = self._seen, []
        facts = self._facts([one.id for one in seen if one.item.outcome == "changed"], now)
        self.changes += [self._told(one, facts.get(one.id, {})) for one in seen]
        return self.changes

    def _told(self, seen: _Seen, before: Mapping[Fact, str]) -> dict[str, Any]:
        if self._kind == "stock":
            # Where there never was anything there is no count.
            before = {(str(seen.part), "on_hand"): "0", **before}
        found = [
            difference
            for difference in rules.differences(self._kind, before, seen.after)
            if seen.part in (None, difference.part)
        ]
        return {
            "row": seen.item.rows[0],
            "name": _name(seen.item.value),
            "outcome": seen.item.outcome,
            "fields": [difference._asdict() for difference in found[:MOST_FIELDS]],
            "fields_left_out": max(len(found) - MOST_FIELDS, 0),
        }

    def _facts(self, ids: Sequence[UUID], now: datetime) -> dict[UUID, dict[Fact, str]]:
        if not ids:
            return {}
        facts = {
            "prices": rules.price_facts_of,
            "stock": rules.stock_facts_of,
        }.get(self._kind, lambda rows: rules.facts_of(self._kind, rows))
        found = exports.rows_of(self._kind, sorted(set(ids)), now=now)
        return {thing_id: facts(rows) for thing_id, rows in found.items()}


def _part(item: Item) -> str | None:
    row = item.value
    if isinstance(row, PriceRow):
        return rules.price_part(row.currency, row.price_list, row.kind, row.min_quantity)
    return row.warehouse if isinstance(row, StockRow) else None


def _name(row: Any) -> str:
    """As the file calls it: by the first of these that it says."""
    for name in ("external_id", "slug", "sku", "code"):
        if found := getattr(row, name, None):
            return str(found)
    return str(row.variants[0].sku if getattr(row, "variants", ()) else row.name)
