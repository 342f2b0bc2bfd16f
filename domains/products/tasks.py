"""Celery entry points of products."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from celery import shared_task

from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import ProductRow
from domains.products.services import exports, inventory, listing, media, price_lists, prices
from domains.products.services.imports import running
from domains.products.services.imports.bulk import upsert_products as upsert_products_of
from infrastructure import clock
from infrastructure.operations.bulk import Bulk, Call, RowResult
from infrastructure.operations.registry import runs
from infrastructure.operations.work import Work

# Then the next run goes on; a worker is kept by no task for long.
_LONGEST_SECONDS = 60


@shared_task(name="products.make_sizes")
def make_sizes(file_id: str) -> None:
    """Make the sizes of a picture that has just been uploaded."""
    media.make_sizes(file_id=UUID(file_id), now=clock.now())


@shared_task(name="products.make_due_sizes")
def make_due_sizes() -> None:
    """Every few seconds: make the sizes that no task was heard of, or whose worker died."""
    until = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < until and media.make_sizes(now=clock.now()):
        pass


@shared_task(name="products.sweep_pictures")
def sweep_pictures() -> None:
    """Every hour: delete the files that no product has shown for the grace period."""
    media.sweep(now=clock.now())


@shared_task(name="products.free_expired_holds")
def free_expired_holds() -> None:
    """Every few seconds: free what carts hold beyond their time."""
    inventory.free_expired_holds(now=clock.now())


@shared_task(name="products.turn_due_prices")
def turn_due_prices() -> None:
    """Every few seconds: tell of prices that have turned by themselves, and of reductions."""
    until = time.monotonic() + _LONGEST_SECONDS
    price_lists.turn_due_lists(now=clock.now())
    while time.monotonic() < until:
        if prices.turn_due_prices(now=clock.now()) < prices.BATCH:
            return


@shared_task(name="products.refresh_popularity")
def refresh_popularity() -> None:
    """Every ten minutes: sort lists by what was ordered lately."""
    listing.refresh_popularity(now=clock.now())


@shared_task(name="products.count_words")
def count_words() -> None:
    """Every hour: correct slips of the pen to words that many products have."""
    listing.count_words()


@shared_task(name="products.refresh_due_listings")
def refresh_due_listings() -> None:
    """Every few seconds, and when it is said that there is something: refresh what a change of a
    type, a category or a price list left due, or a worker that died."""
    until = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < until and listing.refresh_next():
        pass


@shared_task(name="products.count_categories")
def count_categories() -> None:
    """Every few seconds, and when a category was hung elsewhere: keep the counts of products."""
    listing.count_categories()


# What files of stock and their faults tell is more than the catalogue does.
@runs(
    "products.import",
    scope="catalogue.write",
    exceptions={("kind", "stock"): "inventory.write"},
)
def import_file(work: Work) -> None:
    """What a file says of the catalogue; see docs/import.md."""
    running.run(work)


@runs(
    "products.export",
    scope="catalogue.read",
    exceptions={("kind", "stock"): "inventory.read"},
)
def export_file(work: Work) -> None:
    """The catalogue as a file that an import reads back."""
    exports.run(work)


def _upsert_products(rows: Sequence[ProductRow], call: Call) -> list[RowResult]:
    items = upsert_products_of(rows=rows, actor_id=call.actor_id, now=call.now)
    return [_result(item) for item in items]


def _result(item: Item) -> RowResult:
    if item.outcome == "failed":
        fault = item.faults[0]
        return RowResult(
            status="failed", code=fault.code, detail=fault.detail, pointer=fault.pointer
        )
    assert item.outcome is not None
    return RowResult(status="updated" if item.outcome == "changed" else item.outcome, id=item.id)


upsert_products = Bulk(
    "products.upsert", scope="catalogue.write", row=ProductRow, apply=_upsert_products
)
