"""The Order and its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models

from domains.orders.errors import (
    OrderError,
    OrderNotCancellable,
    OrderNotFound,
    OrderRejected,
    OutOfStock,
    PaymentDeclined,
)
from domains.orders.events import OrderCancelled, OrderCreated, OrderStatusUpdated
from domains.orders.rules import PLACEMENT_DEADLINE, Status
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.errors import FieldError
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.pii.fields import PersonalJSONField


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentChoice:
    """How the customer wants to pay. The token is the gateway's, opaque to us."""

    method: str
    token: str


class OrderQuerySet(AggregateQuerySet):
    def whole(self, order_id: UUID) -> Order:
        """The order with its lines. Raises OrderNotFound."""
        order: Any = self.prefetch_related("line_rows").filter(pk=order_id).first()
        if order is None:
            raise OrderNotFound(f"There is no order {order_id}.")
        assert isinstance(order, Order)
        return order

    def take_due(self, *, now: datetime, limit: int) -> list[UUID]:
        """The unsettled orders that are due, the longest due first, and make them due again later:
        after a quarter of the time they have been waiting, between 5 seconds and 5 minutes.

        `settle_at` is a schedule and no state: neither the version nor the events know of it.
        """
        rows = self.command(_TAKE_DUE, [now, now, now, limit])
        return [order_id for (order_id,) in rows]


_TAKE_DUE = """
UPDATE orders_order o
SET settle_at = %s::timestamptz + greatest(
    least((%s::timestamptz - o.unsettled_since) / 4, interval '5 minutes'), interval '5 seconds'
)
FROM (
    SELECT id FROM orders_order
    WHERE settle_at <= %s::timestamptz
    ORDER BY settle_at LIMIT %s
    FOR NO KEY UPDATE SKIP LOCKED
) due
WHERE o.id = due.id
RETURNING o.id
"""


class Order(AggregateRoot):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=12, unique=True)
    customer_id = models.UUIDField()
    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in Status])
    # Why it was rejected or cancelled, as a code, and what was short: [{sku, requested, available}]
    reason = models.CharField(max_length=60, blank=True)
    shortages = models.JSONField(default=list, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    payment_method = models.CharField(max_length=40)
    # Kept only until the order is decided: recovery may have to send the same request again.
    payment_token = models.CharField(max_length=200, blank=True)
    shipping_address = PersonalJSONField()
    asynchronous = models.BooleanField(default=False)
    placed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=60, blank=True)
    unsettled_since = models.DateTimeField(null=True, blank=True)
    # When recovery looks at it next; empty exactly when nothing is left to do.
    settle_at = models.DateTimeField(null=True, blank=True)

    lines = Owned("line_rows")

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = "order"
        indexes = [
            models.Index(
                fields=["settle_at"],
                name="orders_due",
                condition=models.Q(settle_at__isnull=False),
            ),
            models.Index(fields=["customer_id", "placed_at", "id"], name="orders_of_customer"),
            models.Index(fields=["placed_at", "id"], name="orders_by_time"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(total_minor__gte=0), name="orders_total_not_negative"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="PENDING") | models.Q(unsettled_since__isnull=False),
                name="orders_pending_is_unsettled",
            ),
            models.CheckConstraint(
                condition=models.Q(unsettled_since__isnull=True, settle_at__isnull=True)
                | models.Q(unsettled_since__isnull=False, settle_at__isnull=False),
                name="orders_unsettled_is_due",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    # Factories

    @classmethod
    def place(
        cls,
        *,
        number: str,
        customer_id: UUID,
        lines: Sequence[OrderLine],
        currency: str,
        shipping_address: dict[str, Any],
        payment: PaymentChoice,
        asynchronous: bool,
        now: datetime,
    ) -> Self:
        order = cls(
            number=number,
            customer_id=customer_id,
            status=Status.PENDING,
            currency=currency,
            total_minor=sum(line.amount_minor for line in lines),
            payment_method=payment.method,
            payment_token=payment.token,
            shipping_address=shipping_address,
            asynchronous=asynchronous,
            placed_at=now,
        )
        order._is_unsettled(now)
        order.lines = lines
        order.record(
            OrderCreated(
                order_id=order.id,
                number=number,
                customer_id=customer_id,
                currency=currency,
                total_minor=order.total_minor,
                line_count=len(lines),
                asynchronous=asynchronous,
                occurred_at=now,
            )
        )
        return order

    # Commands

    def confirm(self, *, now: datetime) -> None:
        self._decide(Status.CONFIRMED, reason="", now=now)
        self._is_settled()

    def reject(
        self, *, reason: str, now: datetime, shortages: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.shortages = list(shortages)
        self._decide(Status.REJECTED, reason=reason, now=now)

    def request_cancel(self, *, reason: str, now: datetime) -> None:
        """Ask for the end; settling carries it out, since goods and money come back first."""
        if self.status not in (Status.PENDING, Status.CONFIRMED):
            raise OrderNotCancellable(f"Order {self.number} is {self.status}.")
        if self.cancel_requested_at is None:
            self.cancel_requested_at = now
            self.cancel_reason = reason
            self._is_unsettled(now)

    def refuse_cancel(self) -> None:
        """The money was taken meanwhile, so the order stands."""
        self._require(Status.CONFIRMED)
        self.cancel_requested_at = None
        self.cancel_reason = ""
        self._is_settled()

    def cancel(self, *, now: datetime) -> None:
        self._decide(Status.CANCELLED, reason=self.cancel_reason, now=now)
        self.record(
            OrderCancelled(
                order_id=self.id,
                number=self.number,
                customer_id=self.customer_id,
                reason=self.cancel_reason,
                occurred_at=now,
            )
        )

    def finish(self) -> None:
        """Goods and money of an ended order are back."""
        self._require(Status.REJECTED, Status.CANCELLED)
        self._is_settled()

    # Questions

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def is_undecided(self) -> bool:
        return self.status == Status.PENDING

    def refusal(self) -> OrderError | None:
        """What a rejected order answers to who placed it, now and whenever the request is sent
        again."""
        if self.status != Status.REJECTED:
            return None
        if self.reason == OutOfStock.code:
            return OutOfStock(errors=shortage_errors(self.shortages, self.lines))
        if self.reason == PaymentDeclined.code:
            return PaymentDeclined(f"The payment of order {self.number} was declined.")
        return OrderRejected(f"Order {self.number} was rejected: {self.reason}.")

    def _is_unsettled(self, now: datetime) -> None:
        if self.unsettled_since is None:
            self.unsettled_since = now
            self.settle_at = now + PLACEMENT_DEADLINE

    def _is_settled(self) -> None:
        self.unsettled_since = self.settle_at = None

    def _decide(self, status: Status, *, reason: str, now: datetime) -> None:
        if status is Status.CANCELLED:
            self._require(Status.PENDING, Status.CONFIRMED)
        else:
            self._require(Status.PENDING)
        previous, self.status = self.status, status
        self.reason = reason
        self.decided_at = now
        self.payment_token = ""
        self.record(
            OrderStatusUpdated(
                order_id=self.id,
                number=self.number,
                customer_id=self.customer_id,
                previous_status=previous,
                status=status,
                reason=reason,
                currency=self.currency,
                total_minor=self.total_minor,
                occurred_at=now,
            )
        )

    def _require(self, *statuses: Status) -> None:
        if self.status not in statuses:
            raise OrderNotCancellable(f"Order {self.number} is {self.status}.")


def shortage_errors(
    shortages: Sequence[dict[str, Any]], lines: Sequence[OrderLine]
) -> list[FieldError]:
    """One error for each line of a SKU that was short."""
    short = {shortage["sku"]: shortage for shortage in shortages}
    return [
        FieldError(
            pointer=f"/lines/{line.position}/quantity",
            code="out_of_stock",
            detail=(
                f"{short[line.sku]['requested']} of {line.sku} ordered, "
                f"{short[line.sku]['available']} available."
            ),
        )
        for line in lines
        if line.sku in short
    ]


class OrderLine(OwnedModel):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="line_rows")
    position = models.PositiveIntegerField()
    variant_id = models.UUIDField()
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    quantity = models.BigIntegerField()
    unit_price_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        verbose_name = "line"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="orders_line_position"),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0), name="orders_line_quantity_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
