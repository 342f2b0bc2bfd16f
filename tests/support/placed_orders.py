"""What became of an order that was placed, asked of all contexts."""

from __future__ import annotations

from typing import Any

from domains.orders.models import Order
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.products import public as products
from infrastructure.database.contexts import aliases
from infrastructure.outbox.models import OutboxMessage


def stock_of(sku: str) -> tuple[int, int]:
    """(on hand, held), after checking that the ledger says the same."""
    (row,) = [audit for audit in products.stock_audit() if audit.sku == sku]
    assert (row.on_hand, row.held) == (row.ledger_on_hand, row.ledger_held)
    assert row.held == row.reserved
    return row.on_hand, row.held


def events_of(order_id: Any) -> list[str]:
    found = []
    for alias in aliases():
        found += OutboxMessage.objects.using(alias).filter(key=str(order_id)).order_by("id")
    return [message.name for message in found]


def payment_of(order: Order) -> PaymentStatus:
    return payments.payment_states([order.id])[order.id].status
