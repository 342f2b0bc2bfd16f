"""What products do when something happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from domains.products.events import (
    PriceChanged,
    PriceListChanged,
    PriceWithdrawn,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
    StockAvailabilityChanged,
    StockReserved,
)
from domains.products.services import listing, shown
from infrastructure import clock
from infrastructure.events.event import Event
from infrastructure.events.subscriptions import clears_days, subscribe


@subscribe(StockAvailabilityChanged, batch=True, ordered=False)
def refresh_availability_of_listings(events: Sequence[StockAvailabilityChanged]) -> None:
    """What the stock says now counts, not the event; so the order does not matter."""
    listing.refresh_availability(variant_ids=[event.variant_id for event in events])


@subscribe(StockReserved, batch=True, rebuildable=True, ordered=False)
def add_demand_for_products(events: Sequence[StockReserved]) -> None:
    """What orders ask for makes a product popular; what lies in carts does not."""
    units: Counter[tuple[UUID, date]] = Counter()
    for event in events:
        if event.holder == "order":
            for line in event.lines:
                units[line.variant_id, event.occurred_at.date()] += line.quantity
    listing.add_demand(units=units)


@clears_days(add_demand_for_products)
def forget_demand_for_products(since: date | None, until: date | None) -> None:
    listing.forget_demand(since=since, until=until)


@subscribe(
    ProductCreated,
    ProductUpdated,
    ProductDeleted,
    PriceChanged,
    PriceWithdrawn,
    PriceListChanged,
    StockAvailabilityChanged,
    batch=True,
    idempotent=True,
    ordered=False,
)
def forget_what_was_shown(events: Sequence[Event]) -> None:
    """Commands hint at most of it; here it is made sure."""
    shown.forget(events=events, now=clock.now())
