"""What every command on an order needs: its columns, its questions, and its bookkeeping."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import models
from django.db.models import Value

from domains.orders.errors import OrderInWrongState
from domains.orders.events import OrderStatusUpdated
from domains.orders.models.history import OrderChange
from domains.orders.models.terms import customer_key
from domains.orders.rules.history import By
from domains.orders.rules.placement import (
    PLACEMENT_DEADLINE,
    FulfilmentStatus,
    ReturnStatus,
    Source,
    Status,
)
from infrastructure.aggregates import AggregateRoot, Owned
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.pii.fields import BlindIndexField, PersonalEmailField, PersonalJSONField


def _choices(kinds: type[StrEnum]) -> list[tuple[str, str]]:
    return [(kind.value, kind.value) for kind in kinds]


class OrderBase(AggregateRoot):
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

    class Meta:
        abstract = True

    # Questions

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def customer_key(self) -> str | None:
        """Who uses limited promotions: the customer, or a guest's address as a blind index."""
        return customer_key(customer_id=self.customer_id, email=self.email)

    # Bookkeeping

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

    def leave_note(self, text: str, *, actor: By, now: datetime) -> None:
        """What staff have to say to each other, if anything: the customer does not see it."""
        if text:
            self.note("note", actor=actor, at=now, text=text)

    def _mark_unsettled(self, now: datetime) -> None:
        if self.unsettled_since is None:
            self.unsettled_since = now
            self.settle_at = now + PLACEMENT_DEADLINE

    def _mark_settled(self) -> None:
        self.unsettled_since = self.settle_at = None

    def _require(self, *statuses: Status) -> None:
        """Raises OrderInWrongState."""
        if self.status not in statuses:
            raise OrderInWrongState(f"Order {self.number} is {self.status}.")

    def _decide(self, status: Status, *, reason: str, now: datetime) -> None:
        self.reason = reason
        self.decided_at = now
        self.payment_token = self.payment_return_url = ""
        self.pay_until = None
        self._change_status(status, reason=reason, now=now)

    def _change_status(self, status: Status, *, reason: str, now: datetime) -> None:
        previous, self.status = self.status, status
        self._tell(previous_status=previous, reason=reason, now=now)

    def _tell(
        self,
        *,
        reason: str,
        now: datetime,
        previous_status: str | None = None,
        total_change_minor: int = 0,
    ) -> None:
        """Publish how the order is now. previous_status: where that is what changed."""
        self.record(
            OrderStatusUpdated(
                order_id=self.id,
                number=self.number,
                customer_id=self.customer_id,
                previous_status=previous_status or self.status,
                status=self.status,
                reason=reason,
                currency=self.currency,
                total_minor=self.total_minor,
                fulfilment_status=self.fulfilment_status,
                payment_status=self.payment_status,
                return_status=self.return_status,
                total_change_minor=total_change_minor,
                occurred_at=now,
            )
        )
