"""Orders after they were confirmed: what must be true of them, asked of all contexts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domains.orders.models import Order
from domains.orders.rules.history import By, Kind
from domains.orders.services import fulfilling
from domains.payments import public as payments
from domains.payments.public import PaymentState
from domains.products import public as products
from domains.products.models import Reservation
from domains.reporting.queries.books import compare_books
from infrastructure.ids import new_id

STAFF = By(kind=Kind.STAFF, id=new_id())
ANOTHER = By(kind=Kind.STAFF, id=new_id())


def reread(order: Order) -> Order:
    return Order.objects.whole(order.id)


def line_ids(order: Order) -> dict[str, UUID]:
    return {line.sku: line.id for line in order.lines}


def units(order: Order, quantities: Mapping[str, int]) -> dict[UUID, int]:
    """So many of these SKUs, by the ids of the order's lines."""
    ids = line_ids(order)
    return {ids[sku]: quantity for sku, quantity in quantities.items()}


def send_units(order: Order, quantities: Mapping[str, int], now: datetime, **how: Any) -> None:
    """Send so many of these SKUs. how: what else `fulfil` takes."""
    fulfilling.fulfil(
        order_id=order.id,
        lines=units(order, quantities),
        warehouse="main",
        by=STAFF,
        key=None,
        now=now,
        **how,
    )


def money_of(order: Order) -> PaymentState:
    return payments.payment_states([order.payment_id])[order.payment_id]


def codes_of(order: Order) -> list[str]:
    """What its history says, in order."""
    rows = Order.objects.get(pk=order.pk).change_rows.order_by("position")
    return list(rows.values_list("code", flat=True))


def assert_order_agrees(order_id: UUID) -> None:
    """Held is what is open, nothing is given back that was not taken, and nothing is left over."""
    order = Order.objects.whole(order_id)
    held = {}
    for found in Reservation.objects.filter(pk=order_id, status="HELD"):
        held = {line.stock_item_id: line.quantity for line in found.lines}
    wanted: dict[UUID, int] = {}
    if order.status in ("CONFIRMED", "COMPLETED"):
        for line in order.lines:
            if line.open:
                wanted[line.variant_id] = wanted.get(line.variant_id, 0) + line.open
    assert held == wanted
    state = money_of(order)
    assert state.refunded_minor <= state.captured_minor <= state.authorised_minor
    assert order.status == "CONFIRMED" or not state.holds_rest
    assert state.refunded_minor == order.refunded_minor
    assert (order.step_id, order.unsettled_since, order.settle_at) == (None, None, None)
    assert not [step for step in order.steps if step.is_open]
    for row in products.stock_audit():
        assert row.held == row.ledger_held == row.reserved
        assert row.on_hand == row.ledger_on_hand == row.levels_on_hand
        assert row.oversold_holds == 0
    assert list(payments.journal_differences()) == []
    sent: dict[UUID, int] = {}
    for parcel in order.fulfilment_lines:
        sent[parcel.line_id] = sent.get(parcel.line_id, 0) + parcel.quantity
    assert {line.id: line.fulfilled for line in order.lines if line.fulfilled} == sent


def assert_books_agree(now: datetime) -> None:
    """What `manage.py audit_books` compares without a broker: no differences, nothing in flight."""
    assert differences_in_books(now) == []


def differences_in_books(now: datetime) -> list[str]:
    later = now + timedelta(hours=1)
    return [
        f"{check.name}: {finding.subject}: {finding.detail}"
        for check in compare_books(now=later, due=later)
        for finding in check.differences
    ]
