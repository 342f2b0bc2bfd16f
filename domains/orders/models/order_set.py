"""Orders in numbers: finding them, and taking those that are due."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q

from domains.orders.errors import OrderNotFound
from domains.orders.rules.placement import PLACEMENT_DEADLINE, Status
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.database.contexts import connection_of

if TYPE_CHECKING:
    from domains.orders.models.orders import Order

# Sent, and not all of its money is here as far as was seen. What is owed on account is COMPLETED by
# then, what was sent unpaid is not. Where a card's payment was taken in part, the rest is not owed.
SENT_UNPAID = Q(fulfilment_status="FULFILLED") & (
    Q(status="CONFIRMED")
    | Q(status="COMPLETED", payment_status="AUTHORISED")
    | Q(status="COMPLETED", payment_status="PARTIALLY_CAPTURED", payment_method="invoice")
)

# Above that it makes no difference to whoever looks at the figure.
COUNTED = 100_000


class OrderQuerySet(AggregateQuerySet):
    def whole(self, order_id: UUID) -> Order:
        """The order with its lines. Raises OrderNotFound."""
        order: Order | None = self.prefetch_related("line_rows").filter(pk=order_id).first()
        if order is None:
            raise OrderNotFound(f"There is no order {order_id}.")
        return order

    def oldest_accepted(self) -> datetime | None:
        """When the oldest asynchronous order was placed that nobody has taken up; None: all were.

        Those that recovery has looked at wait for something else, such as their gateway.
        """
        [(placed_at,)] = connection_of("orders").fetch(_OLDEST_ACCEPTED, [PLACEMENT_DEADLINE])
        return placed_at

    def count_unsettled(self, *, since: datetime, now: datetime) -> int:
        """How many have had something left to do since before then, without those that wait for
        their customer to pay. At most COUNTED; read by the index of what is due."""
        waits = Q(status=Status.PENDING, pay_until__gt=now, cancel_requested_at__isnull=True)
        unsettled = self.filter(settle_at__isnull=False, unsettled_since__lt=since)
        return unsettled.exclude(waits)[:COUNTED].count()

    def take_due(self, *, now: datetime, limit: int) -> list[UUID]:
        """The unsettled orders that are due, the longest due first, and make them due again later:
        after a quarter of the time they have been waiting, at least 5 seconds. That is at most
        5 minutes, or where the customer has to pay it may be longer, but never after the deadline.

        `settle_at` is a schedule and no state: neither the version nor the events know of it.
        """
        rows = self.command(_TAKE_DUE, {"now": now, "limit": limit})
        return [order_id for (order_id,) in rows]


_OLDEST_ACCEPTED = """
SELECT (
    SELECT placed_at FROM orders_order
    WHERE asynchronous AND status = 'PENDING' AND pay_until IS NULL
        AND settle_at <= placed_at + %s::interval
    ORDER BY placed_at LIMIT 1
)
"""

_TAKE_DUE = """
UPDATE orders_order o
SET settle_at = CASE
    WHEN due.pay_until > %(now)s::timestamptz THEN
        least(due.pay_until, greatest(due.next, %(now)s::timestamptz + due.waited / 4))
    ELSE due.next
END
FROM (
    SELECT id, pay_until, waited, %(now)s::timestamptz + greatest(
        least(waited / 4, interval '5 minutes'), interval '5 seconds'
    ) AS next
    FROM (
        SELECT id, pay_until, %(now)s::timestamptz - unsettled_since AS waited
        FROM orders_order
        WHERE settle_at <= %(now)s::timestamptz
        ORDER BY settle_at LIMIT %(limit)s
        FOR NO KEY UPDATE SKIP LOCKED
    ) waiting
) due
WHERE o.id = due.id
RETURNING o.id
"""
