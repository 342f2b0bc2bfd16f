"""How the read models learn what happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from domains.orders.events import OrderStatusUpdated
from domains.reporting import services
from domains.reporting.rules.sales import Change
from infrastructure.events.subscriptions import clears_days, subscribe


@subscribe(OrderStatusUpdated, batch=True, rebuildable=True, ordered=False)
def add_to_sales(events: Sequence[OrderStatusUpdated]) -> None:
    """Sums do not mind the order, so a failed event holds up no later one."""
    services.add_sales(
        changes=[
            Change(
                previous_status=event.previous_status,
                status=event.status,
                currency=event.currency,
                total_minor=event.total_minor,
                total_change_minor=event.total_change_minor,
                occurred_at=event.occurred_at,
            )
            for event in events
        ]
    )


@clears_days(add_to_sales)
def forget_sales(since: date | None, until: date | None) -> None:
    services.forget_sales(since=since, until=until)
