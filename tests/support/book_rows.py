"""Rows of the books as an audit reads them: one order, what it holds and what it is paid by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domains.reporting.rules.books import Guarantee, Hold, Money, Order, Payment, Placement, Stage

DUE = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OLD, YOUNG = DUE - timedelta(seconds=1), DUE + timedelta(seconds=1)
ID = UUID(int=7)
LANTERN, HEART = UUID(int=100), UUID(int=101)


def order(**changes: Any) -> Order:
    fields = {
        "order_id": ID,
        "number": "7Q4M2XWJK",
        "stage": Stage.CONFIRMED,
        "total_minor": 1017,
        "currency": "GBP",
        "method": "card",
        "guarantee": Guarantee.AUTHORISED,
        "lines": {LANTERN: 3},
        "placed_at": OLD,
        "unsettled_since": None,
    }
    return Order(**fields | changes)


def pending(**changes: Any) -> Order:
    return order(**{"stage": Stage.UNDECIDED, "unsettled_since": OLD} | changes)


def ended(**changes: Any) -> Order:
    return order(stage=Stage.ENDED, **changes)


def hold(**changes: Any) -> Hold:
    return Hold(**{"order_id": ID, "lines": {LANTERN: 3}, "created_at": OLD} | changes)


def payment(**changes: Any) -> Payment:
    fields = {
        "payment_id": ID,
        "status": "AUTHORISED",
        "money": Money.SECURED,
        "method": "card",
        "gateway": "simulated",
        "needs_attention": False,
        "amount_minor": 1017,
        "secured_minor": 1017,
        "currency": "GBP",
        "created_at": OLD,
    }
    return Payment(**fields | changes)


def released(**changes: Any) -> Payment:
    return payment(status="VOIDED", money=Money.RELEASED, **changes)


def waiting(**changes: Any) -> Payment:
    return payment(status="UNKNOWN", money=Money.WAITING, secured_minor=0, **changes)


def part_taken(**changes: Any) -> Payment:
    """And all of that given back."""
    taken = {"money": Money.GIVEN_BACK, "captured_minor": 300, "refunded_minor": 300}
    return payment(**{"status": "REFUNDED"} | taken | changes)


def on_account(**changes: Any) -> Order:
    return order(**{"method": "invoice", "guarantee": Guarantee.ON_ACCOUNT} | changes)


def granted(**changes: Any) -> Payment:
    """By ourselves, without a gateway."""
    return payment(**{"method": "invoice", "gateway": ""} | changes)


def placement(**what: Any) -> Placement:
    return Placement(**{"order_id": ID, "order": None, "hold": None, "payment": None} | what)
