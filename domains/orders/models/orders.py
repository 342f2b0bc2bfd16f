"""The Order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from domains.orders.errors import OrderError
from domains.orders.events import OrderCreated
from domains.orders.models.commands import Cancelling, Editing, Fulfilling, Paying, Refunding
from domains.orders.models.lines import OrderLine
from domains.orders.models.order_set import SENT_UNPAID, OrderQuerySet
from domains.orders.models.refusals import refusal_of
from domains.orders.models.terms import Origin, PaymentChoice, Terms
from domains.orders.rules.placement import FulfilmentStatus, Status
from infrastructure.ids import new_id


class Order(Editing, Cancelling, Fulfilling, Refunding, Paying):
    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = "order"
        indexes = [
            models.Index(
                fields=["settle_at"],
                name="orders_due",
                condition=Q(settle_at__isnull=False),
            ),
            models.Index(
                fields=["placed_at"],
                name="orders_accepted",
                condition=Q(asynchronous=True, status="PENDING"),
            ),
            models.Index(
                fields=["placed_at", "id"], name="orders_sent_unpaid", condition=SENT_UNPAID
            ),
            models.Index(fields=["customer_id", "placed_at", "id"], name="orders_of_customer"),
            models.Index(fields=["placed_at", "id"], name="orders_by_time"),
            models.Index(
                fields=["email_index"],
                name="orders_of_email",
                condition=Q(email_index__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["cart_id"],
                name="orders_one_of_cart",
                # An order that ended without having been confirmed gave its cart back.
                condition=Q(cart_id__isnull=False)
                & ~Q(status="REJECTED")
                & ~Q(status="CANCELLED", confirmed_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(total_minor__gte=0), name="orders_total_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0), name="orders_refund_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(status="PENDING") | Q(unsettled_since__isnull=False),
                name="orders_pending_is_unsettled",
            ),
            models.CheckConstraint(
                condition=Q(unsettled_since__isnull=True, settle_at__isnull=True)
                | Q(unsettled_since__isnull=False, settle_at__isnull=False),
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
        order_id: UUID | None = None,
        number: str,
        origin: Origin,
        lines: Sequence[OrderLine],
        currency: str,
        terms: Terms,
        shipping_address: dict[str, Any],
        billing_address: dict[str, Any] | None = None,
        payment: PaymentChoice,
        asynchronous: bool,
        now: datetime,
    ) -> Self:
        """order_id: where the caller was given it, as a checkout is."""
        order_id = order_id or new_id()
        order = cls(
            id=order_id,
            number=number,
            customer_id=origin.customer_id,
            email=origin.email,
            token_hash=origin.token_hash,
            channel=origin.channel,
            customer_group=origin.customer_group,
            source=origin.source,
            placed_by=origin.placed_by,
            cart_id=origin.cart_id,
            customer_note=origin.note,
            status=Status.PENDING,
            currency=currency,
            prices_include_tax=terms.prices_include_tax,
            subtotal_minor=terms.subtotal_minor,
            discount_minor=terms.discount_minor,
            shipping_method=terms.shipping_method,
            shipping_name=terms.shipping_name,
            shipping_minor=terms.shipping_minor,
            shipping_tax_minor=terms.shipping_tax_minor,
            shipping_tax_rate=terms.shipping_tax_rate,
            tax_minor=terms.tax_minor,
            total_minor=terms.total_minor,
            coupons=list(terms.coupons),
            uses=list(terms.uses),
            discounts=list(terms.discounts),
            promotions=list(terms.promotions),
            payment_id=order_id,
            payment_method=payment.method,
            payment_token=payment.token,
            payment_return_url=payment.return_url,
            keep_on_decline=payment.keep_on_decline,
            shipping_address=shipping_address,
            billing_address=billing_address,
            asynchronous=asynchronous,
            placed_at=now,
        )
        order._mark_unsettled(now)
        order.lines = lines
        order.record(
            OrderCreated(
                order_id=order.id,
                number=number,
                customer_id=order.customer_id,
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
        """Raises OrderInWrongState."""
        self._require(Status.PENDING)
        self._decide(Status.CONFIRMED, reason="", now=now)
        self.confirmed_at = now
        if self.cancel_requested_at is None:
            self._mark_settled()

    def reject(
        self, *, reason: str, now: datetime, shortages: Sequence[dict[str, Any]] = ()
    ) -> None:
        """Raises OrderInWrongState."""
        self._require(Status.PENDING)
        self.shortages = list(shortages)
        self._decide(Status.REJECTED, reason=reason, now=now)

    def complete(self, *, holds_rest: bool = False, now: datetime) -> None:
        """Everything has been sent or cancelled, and is paid as it was agreed. holds_rest: more
        than that is held, and has to be let go yet."""
        self._require(Status.CONFIRMED)
        self._change_status(Status.COMPLETED, reason="", now=now)
        if holds_rest:
            self._mark_unsettled(now)
        else:
            self._mark_settled()

    def stay_unsettled(self, *, now: datetime) -> None:
        """Money is held beside what was taken, which an order that is over has to let go."""
        if self.status == Status.COMPLETED:
            self._mark_unsettled(now)

    def finish(self) -> None:
        """Nothing is left to do: of an ended order goods and money are back."""
        self._require(Status.CONFIRMED, Status.COMPLETED, Status.REJECTED, Status.CANCELLED)
        self._mark_settled()

    # Questions

    @property
    def is_sent(self) -> bool:
        """Whether nothing is left to be sent, and something was."""
        return self.fulfilment_status == FulfilmentStatus.FULFILLED

    @property
    def is_undecided(self) -> bool:
        return self.status == Status.PENDING

    def refusal(self) -> OrderError | None:
        """What a rejected order answers to who placed it, now and whenever the request is sent
        again."""
        if self.status != Status.REJECTED:
            return None
        return refusal_of(
            number=self.number,
            reason=self.reason,
            shortages=self.shortages,
            lines=self.lines,
            cart_id=self.cart_id,
        )
