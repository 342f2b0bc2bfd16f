"""A batch as a whole, in few statements; and one by one where the database refuses the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.db import DataError, IntegrityError

from domains.products.rules.imports.reading import Item
from domains.products.services.imports import prices, products, stock, types
from domains.products.services.imports.categories import CategoryWriter
from domains.products.services.imports.terms import Refused, Terms, refuse
from domains.products.services.writing import refusals
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import atomic
from infrastructure.database.violations import constraint_of
from infrastructure.errors import DomainError

Write = Callable[[Sequence[Item], Terms], None]


def writer(kind: str, *, dry_run: bool) -> Write:
    """What writes the batches of one file of a kind. It sets the outcome of each item, or its
    faults; what it raises is of the batch."""
    if kind == "categories":
        return CategoryWriter(dry_run=dry_run)
    return _WRITERS[kind]


_WRITERS: Mapping[str, Write] = {
    "products": products.write,
    "product-types": types.write,
    "prices": prices.write,
    "stock": stock.write,
}

_MINE = {
    "products_variant_sku_unique": ("sku_taken", "The SKU belongs to another variant."),
    "products_category_position_unique": ("position_taken", "A sibling has this position."),
}


def write_batch(write: Write, items: Sequence[Item], terms: Terms) -> None:
    """Write what these items say. Within the caller's transaction, if there is one.

    An item that cannot be taken gets its faults and leaves nothing; the others are written. Nothing
    is written and nothing published for what is as it says already.
    """
    readable = []
    for item in items:
        if item.value is None:
            item.outcome = "failed"
        else:
            readable.append(item)
    if not readable:
        return
    known_faults = [len(item.faults) for item in readable]
    values = [item.value for item in readable]
    try:
        with atomic("products"):
            write(readable, terms)
        return
    except (IntegrityError, DataError, ConcurrentModification, DomainError):
        if len(readable) == 1:
            _restore(readable[0], known_faults[0], values[0])
            _write_one(write, readable[0], terms)
            return
    for item, count, value in zip(readable, known_faults, values, strict=True):
        _restore(item, count, value)
        _write_one(write, item, terms)


def _restore(item: Item, fault_count: int, value: object) -> None:
    del item.faults[fault_count:]
    item.value, item.outcome = value, None


def _write_one(write: Write, item: Item, terms: Terms) -> None:
    try:
        with atomic("products"), refusals():
            write([item], terms)
    except DomainError as refusal:
        refuse(item, refusal)
    except IntegrityError as error:
        found = _MINE.get(constraint_of(error) or "")
        code, detail = found or ("conflict", "It does not go together with what is there.")
        refuse(item, Refused(code, detail))
    except DataError:
        refuse(item, Refused("invalid_value", "A value is out of range or too long."))
