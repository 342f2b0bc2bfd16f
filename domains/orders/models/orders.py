"""The Order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q, Value

from domains.orders.errors import OrderError, OrderNotCancellable, StepInProgress
from domains.orders.events import OrderCancelled, OrderCreated, OrderStatusUpdated
from domains.orders.models.commands import Cancelling, Editing, Fulfilling, Paying, Refunding
from domains.orders.models.history import OrderChange
from domains.orders.models.lines import OrderLine
from domains.orders.models.order_set import SENT_UNPAID, OrderQuerySet
from domains.orders.models.refusals import refusal_of
from domains.orders.models.terms import Origin, PaymentChoice, Terms, customer_key
from domains.orders.rules.history import By
from domains.orders.rules.placement import (
    PLACEMENT_DEADLINE,
    FulfilmentStatus,
    ReturnStatus,
    Source,
    Status,
)
from infrastructure.aggregates import Owned
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.pii.fields import BlindIndexField, PersonalEmailField, PersonalJSONField


def _choices(kinds: type[StrEnum]) -> list[tuple[str, str]]:
    return [(kind.value, kind.value) for kind in kinds]


class Order(Editing, Cancelling, Fulfilling, Refunding, Paying):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=12, unique=True)
    # Empty for a guest, whom the e-mail address stands for.
    customer_id = models.UUIDField(null=True, blank=True)
    email = PersonalEmailField(blank=True)
    email_index = BlindIndexField(of="email", kind="email")
    # Of the token that a guest reads the order with.
    token_hash = models.BinaryField(max_length=32, null=True, editable=False)
    channel = models.CharField(max_length=40, blank=True)
    # Whose prices hold for the order, also for what an edit adds to it.
    customer_group = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=10, choices=_choices(Source), default=Source.WEB.value)
    placed_by = models.UUIDField(null=True, blank=True)
    cart_id = models.UUIDField(null=True, blank=True)
    customer_note = models.TextField(blank=True)
    status = models.CharField(max_length=12, choices=_choices(Status))
    # Why it was rejected or cancelled, as a code, and what was short: [{sku, requested, available}]
    reason = models.CharField(max_length=60, blank=True)
    shortages = models.JSONField(default=list, blank=True)
    fulfilment_status = models.CharField(
        max_length=20,
        choices=_choices(FulfilmentStatus),
        default=FulfilmentStatus.UNFULFILLED.value,
    )
    return_status = models.CharField(
        max_length=20, choices=_choices(ReturnStatus), default=ReturnStatus.NONE.value
    )
    currency = models.CharField(max_length=3)
    prices_include_tax = models.BooleanField(default=True)
    subtotal_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    shipping_method = models.CharField(max_length=40, blank=True)
    shipping_name = models.CharField(max_length=255, blank=True)
    shipping_minor = models.BigIntegerField(default=0)
    shipping_tax_minor = models.BigIntegerField(default=0)
    shipping_tax_rate = models.CharField(max_length=12, default="0")
    tax_minor = models.BigIntegerField(default=0)
    # What is to be paid now: edits and cancelled lines change it.
    total_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)
    coupons = models.JSONField(default=list, blank=True)
    uses = models.JSONField(default=list, blank=True)
    discounts = models.JSONField(default=list, blank=True)
    # All that it was ever given, by the terms of then: [{coupon, terms}], with the ids of the lines
    # that it is for, where that may have changed since. Edits keep it.
    promotions = models.JSONField(default=list, db_default=Value([], models.JSONField()))
    # The order's own id at first; another try of payment is another payment.
    payment_id = models.UUIDField()
    # One that another try has taken the place of, until it is certain that it holds nothing.
    superseded_payment_id = models.UUIDField(null=True, blank=True)
    payment_method = models.CharField(max_length=40)
    # As it was last seen, for lists. What counts is what payments say.
    payment_status = models.CharField(max_length=20, default="PENDING")
    # Kept only until the order is decided: recovery may have to send the same request again.
    payment_token = models.CharField(max_length=200, blank=True)
    # Where the gateway sends the customer back to who had to confirm the payment there.
    payment_return_url = models.CharField(max_length=500, blank=True)
    # Whether a declined payment leaves the order waiting for another try.
    keep_on_decline = models.BooleanField(default=False)
    # Until when the customer may pay for an order that waits for that.
    pay_until = models.DateTimeField(null=True, blank=True)
    shipping_address = PersonalJSONField()
    billing_address = PersonalJSONField(null=True, blank=True)
    asynchronous = models.BooleanField(default=False)
    placed_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=60, blank=True)
    # The step that is being carried out; one at a time.
    step_id = models.UUIDField(null=True, blank=True)
    # How many entries its history has.
    changes_noted = models.PositiveIntegerField(default=0, editable=False)
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
                name="orders_pending_mark_unsettled",
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
        self._decide(Status.CONFIRMED, reason="", now=now)
        self.confirmed_at = now
        if self.cancel_requested_at is None:
            self._mark_settled()

    def reject(
        self, *, reason: str, now: datetime, shortages: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.shortages = list(shortages)
        self._decide(Status.REJECTED, reason=reason, now=now)

    def request_cancel(self, *, reason: str, now: datetime) -> None:
        """Ask for the end; settling carries it out, since goods and money come back first."""
        if self.status not in (Status.PENDING, Status.CONFIRMED):
            raise OrderNotCancellable(f"Order {self.number} is {self.status}.")
        if any(line.fulfilled for line in self.lines):
            raise OrderNotCancellable(f"Parts of order {self.number} have been sent.")
        if self.step_id is not None:
            raise StepInProgress(f"Another change of order {self.number} is being carried out.")
        if self.cancel_requested_at is None:
            self.cancel_requested_at = now
            self.cancel_reason = reason
            self._mark_unsettled(now)

    def refuse_cancel(self) -> None:
        """The money was taken meanwhile, so the order stands."""
        self._require(Status.CONFIRMED)
        self.cancel_requested_at = None
        self.cancel_reason = ""
        self._mark_settled()

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

    def note(self, code: str, *, actor: By, at: datetime, text: str = "", **data: Any) -> None:
        """Add an entry to the order's history; the next `save()` writes it. `data` is JSON, and
        nothing personal; what somebody wrote is `text`."""
        self.changes_noted += 1
        self.write_along(
            OrderChange(
                order_id=self.id,
                position=self.changes_noted,
                at=at,
                actor_kind=actor.kind,
                actor_id=actor.id,
                code=code,
                data=data,
                text=text,
            )
        )

    # Questions

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def customer_key(self) -> str | None:
        """Who uses limited promotions: the customer, or a guest's address as a blind index."""
        return customer_key(customer_id=self.customer_id, email=self.email)

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
            number=self.number, reason=self.reason, shortages=self.shortages, lines=self.lines
        )

    def _mark_unsettled(self, now: datetime) -> None:
        if self.unsettled_since is None:
            self.unsettled_since = now
            self.settle_at = now + PLACEMENT_DEADLINE

    def _mark_settled(self) -> None:
        self.unsettled_since = self.settle_at = None

    def _decide(self, status: Status, *, reason: str, now: datetime) -> None:
        if status is Status.CANCELLED:
            self._require(Status.PENDING, Status.CONFIRMED)
        else:
            self._require(Status.PENDING)
        self.reason = reason
        self.decided_at = now
        self.payment_token = self.payment_return_url = ""
        self.pay_until = None
        self._change_status(status, reason=reason, now=now)

    def _change_status(self, status: Status, *, reason: str, now: datetime) -> None:
        previous, self.status = self.status, status
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
                fulfilment_status=self.fulfilment_status,
                payment_status=self.payment_status,
                return_status=self.return_status,
                occurred_at=now,
            )
        )

    def _require(self, *statuses: Status) -> None:
        if self.status not in statuses:
            raise OrderNotCancellable(f"Order {self.number} is {self.status}.")
