"""Orders on account, whose money comes after they are over: what their list says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.orders.models import Order, PaymentChoice
from domains.orders.services import noting, paying
from domains.payments import public as payments
from domains.payments.public import PaymentState
from domains.payments.services import record_receipt
from infrastructure.database.contexts import aliases
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.after_placement import STAFF, reread
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db


@pytest.fixture
def owed(now: datetime) -> Order:
    goods.stocked({"A": 9}, now=now)
    return on_account(now)


def on_account(now: datetime) -> Order:
    return orders.placed({"A": 1}, payment=PaymentChoice(method="invoice", token=""), now=now)


def money_comes(order: Order, now: datetime) -> None:
    record_receipt(
        payment_id=order.payment_id,
        amount=order.total,
        reference=order.number,
        received_at=now,
        actor_id=None,
        now=now,
    )


def after_the_first_read(monkeypatch: pytest.MonkeyPatch, others_do: Callable[[], None]) -> None:
    reads, left = payments.payment_states, [others_do]

    def reads_and_sleeps(payment_ids: Iterable[UUID]) -> dict[UUID, PaymentState]:
        found = reads(payment_ids)
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(payments, "payment_states", reads_and_sleeps)


def test_whoever_read_before_the_money_came_does_not_undo_what_was_seen_since(
    owed: Order, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_see_it_come() -> None:
        money_comes(owed, now)
        paying.see_payments({owed.payment_id: owed.number})
        assert reread(owed).payment_status == "CAPTURED"

    after_the_first_read(monkeypatch, others_see_it_come)
    paying.see_payments({owed.payment_id: owed.number})

    assert reread(owed).payment_status == "CAPTURED"


def test_money_is_seen_though_the_order_was_changed_meanwhile(
    owed: Order, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_write_a_note() -> None:
        noting.note_order(order_id=owed.id, text="Rang twice.", by=STAFF, now=now)

    money_comes(owed, now)
    after_the_first_read(monkeypatch, others_write_a_note)
    paying.see_payments({owed.payment_id: owed.number})

    seen = reread(owed)
    assert (seen.payment_status, seen.version) == ("CAPTURED", owed.version + 2)


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_payments_of_an_order_it_shows_its_own(
    owed: Order, now: datetime, is_first: bool
) -> None:
    another = new_id()
    payments.authorise(
        payment_id=another,
        reference=owed.number,
        amount=Money(owed.total_minor, "GBP"),
        method="invoice",
        token="",
        now=now,
    )
    money_comes(owed, now)
    both = [owed.payment_id, another] if is_first else [another, owed.payment_id]

    paying.see_payments(dict.fromkeys(both, owed.number))

    assert reread(owed).payment_status == "CAPTURED"


def test_many_are_seen_by_three_statements_and_again_by_two(owed: Order, now: datetime) -> None:
    many = [owed, *(on_account(now) for _ in range(4))]
    for order in many:
        money_comes(order, now)
    numbers = {order.payment_id: order.number for order in many}

    def statements() -> int:
        captured = [CaptureQueriesContext(connections[alias]) for alias in aliases()]
        for capture in captured:
            capture.__enter__()
        paying.see_payments(numbers)
        for capture in captured:
            capture.__exit__(None, None, None)
        return sum(len(capture) for capture in captured)

    assert (statements(), statements()) == (3, 2)
    seen = [reread(order) for order in many]
    assert [order.payment_status for order in seen] == ["CAPTURED"] * 5
    assert [order.version for order in seen] == [order.version + 1 for order in many]
