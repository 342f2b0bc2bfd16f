"""Orders whose payment is tried again, or has to be confirmed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.orders.models import PaymentChoice
from domains.orders.rules.history import SYSTEM
from domains.orders.services import paying, placement
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.products import public as products
from tests.support.factories import orders

KEPT = PaymentChoice(method="card", token="tok_declined", keep_on_decline=True)
CARD = PaymentChoice(method="card", token="tok_visa")
ASKED = "https://bank.example/confirm"
CONFIRMED = PaymentChoice(method="card", token="tok_visa", return_url="https://shop.example/back")


def held() -> int:
    (row,) = [audit for audit in products.stock_audit() if audit.sku == "A"]
    assert row.held == row.reserved == row.ledger_held
    return row.held


def state_of(payment_id: UUID) -> PaymentStatus:
    return payments.payment_states([payment_id])[payment_id].status


def secured() -> int:
    """What all payments together hold for us, in minor units."""
    return sum(
        row.authorised_minor
        for row in payments.payment_audit()
        if row.status in (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED)
    )


def pay_again(
    order_id: UUID, *, now: datetime, payment: PaymentChoice = CARD, key: str | None = None
) -> placement.Placed:
    return paying.pay_again(
        order_id=order_id, payment=payment, actor=SYSTEM, key=orders.key(key), now=now
    )
