"""What becomes of a thing: which of its columns say something else than before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from domains.products.rules.imports.cells import joined
from domains.products.rules.imports.columns import PARTS, column_of
from domains.products.rules.imports.flat import CELLS

# Of one thing so many fields are told, of a text so many characters.
MOST_FIELDS = 10
MOST_TEXT = 100
# What is shown of a long text before the place where it becomes another.
_LEAD = 20

_NAMES_OF_PARTS = {"products": "sku", "product-types": "attribute"}


class Difference(NamedTuple):
    """part: the SKU of a variant, the code of an attribute, the place of a count, or which price;
    empty for the thing itself. field: the column. old, new: shortened; None for nothing."""

    part: str
    field: str
    old: str | None
    new: str | None


Fact = tuple[str, str]
"""Part and field."""


def facts_of(kind: str, rows: Iterable[Mapping[str, Any]]) -> dict[Fact, str]:
    """What the rows of one product, category or product type say, but for what is empty."""
    facts: dict[Fact, str] = {}
    for row in rows:
        for cells in CELLS[kind](row):
            part = cells.get(_NAMES_OF_PARTS.get(kind, ""), "")
            for name, value in cells.items():
                column = column_of(kind, name)
                if column is None or value is None or value in ("", []):
                    continue
                is_of_part = column.path[0] == PARTS.get(kind)
                facts[part if is_of_part else "", name] = _text(value)
    return facts


def price_facts_of(rows: Iterable[Mapping[str, Any]]) -> dict[Fact, str]:
    """What is asked now and later, in this order, per price."""
    facts: dict[Fact, str] = {}
    for row in rows:
        fact = price_part(row["currency"], row["price_list"], row["kind"], row["min_quantity"])
        told = row["amount"]
        told += f" from {row['valid_from']}" if row["valid_from"] else ""
        told += f" until {row['valid_until']}" if row["valid_until"] else ""
        known = facts.get((fact, "amount"))
        facts[fact, "amount"] = told if known is None else f"{known}; {told}"
    return facts


def price_part(currency: str, price_list: str | None, kind: str, min_quantity: int) -> str:
    """Which price it is: `EUR`, or `EUR, wholesale, sale, from 10`."""
    steps = [currency, price_list, kind if kind != "regular" else None]
    steps.append(f"from {min_quantity}" if min_quantity > 1 else None)
    return ", ".join(step for step in steps if step)


def stock_facts_of(rows: Iterable[Mapping[str, Any]]) -> dict[Fact, str]:
    return {(row["warehouse"], "on_hand"): str(row["on_hand"]) for row in rows}


def differences(
    kind: str, before: Mapping[Fact, str], after: Mapping[Fact, str]
) -> list[Difference]:
    """The thing's own first, then part by part. Of a variant or an attribute that is new, or is no
    more, only that."""
    naming = _NAMES_OF_PARTS.get(kind)
    here, there = {part for part, _ in before}, {part for part, _ in after}
    facts = dict.fromkeys([*after, *before])
    places = {part: place for place, part in enumerate(dict.fromkeys(part for part, _ in facts))}
    found = []
    for part, name in sorted(facts, key=lambda fact: places[fact[0]]):
        old, new = before.get((part, name)), after.get((part, name))
        is_whole = naming is not None and part and (part in here) != (part in there)
        if old != new and (not is_whole or name == naming):
            found.append(Difference(part, name, *shortened(old, new)))
    return found


def shortened(old: str | None, new: str | None) -> Sequence[str | None]:
    """Both texts as they are, or around the place where they part."""
    start = 0
    if old and new and max(len(old), len(new)) > MOST_TEXT:
        letters = enumerate(zip(old, new, strict=False))
        parting = next((n for n, (one, other) in letters if one != other), min(len(old), len(new)))
        start = max(parting - _LEAD, 0)
    return [None if text is None else _cut(text, start) for text in (old, new)]


def _cut(text: str, start: int) -> str:
    rest = "…" + text[start + 1 :] if start else text
    return rest if len(rest) <= MOST_TEXT else rest[: MOST_TEXT - 1] + "…"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return joined([str(item) for item in value]) if isinstance(value, list) else str(value)
