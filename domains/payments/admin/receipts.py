"""The form for money that came by bank."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django import forms

from domains.payments import services
from domains.payments.models import Payment
from infrastructure import clock
from infrastructure.form_fields import AmountField, LineField
from infrastructure.money import Money
from infrastructure.screens import ServiceForm


class ReceiptForm(ServiceForm):
    """What the bank's statement says of one transfer."""

    reference = LineField(max_length=200, help_text="The bank's own for this transfer.")
    received_on = forms.DateField(label="Day", help_text="When the money came, such as 2026-03-02.")

    def __init__(self, *args: Any, payment: Payment, **options: Any) -> None:
        super().__init__(*args, **options)
        currency = payment.currency
        amount = AmountField(currency=currency, positive=True, help_text=f"In {currency}.")
        self.fields = {"amount": amount, **self.fields}

    @property
    def fingerprint(self) -> str:
        """What was looked at is what is written down."""
        said = self.cleaned_data
        return f"{said['amount']} {said['received_on']} {said['reference']}"

    def comes_to(self, payment: Payment) -> str:
        amount: Money = self.cleaned_data["amount"]
        came = payment.captured_minor - payment.refunded_minor + amount.amount_minor
        there = Money(came, payment.currency)
        return f"{amount} are written down. Then {there} of {payment.money} are there."

    def record(self, payment: Payment, *, actor_id: UUID) -> None:
        """Raises what the service refuses."""
        day = datetime.combine(self.cleaned_data["received_on"], time(), UTC)
        services.record_receipt(
            payment_id=payment.id,
            amount=self.cleaned_data["amount"],
            reference=self.cleaned_data["reference"],
            received_at=day,
            actor_id=actor_id,
            now=clock.now(),
        )
