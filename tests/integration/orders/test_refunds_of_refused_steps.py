"""Money that went back for a step that was refused: the order counts it, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError

from domains.orders.errors import OrderError
from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, fulfilling, refunding, settling
from domains.payments import public
from domains.payments import services as payments
from domains.payments.public import MoveState
from domains.products import public as products
from infrastructure.database.contexts import alias_of
from infrastructure.events.bus import Dispatcher
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox, message_of
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)


def send(order: Order, quantity: int, now: datetime) -> None:
    fulfilling.fulfil(
        order_id=order.id,
        lines=units(order, {"A": quantity}),
        warehouse="main",
        by=STAFF,
        key=None,
        now=now,
    )


@pytest.mark.parametrize("is_told_before", [True, False])
def test_what_was_given_back_before_a_step_failed_is_counted(
    now: datetime, monkeypatch: pytest.MonkeyPatch, is_told_before: bool
) -> None:
    """is_told_before: the event of the refund comes while the step is still open."""
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 2}, now=now)
    payments.capture(payment_id=order.payment_id, now=now)
    deliver_outbox()

    def is_refused_for_ever(**_: Any) -> None:
        if is_told_before:
            deliver_outbox()
        raise IntegrityError

    with monkeypatch.context() as patched:
        patched.setattr(products, "change_hold", is_refused_for_ever)
        with pytest.raises(OrderError):
            cancelling.cancel(
                order_id=order.id,
                reason="",
                lines=units(order, {"A": 1}),
                refund=True,
                by=STAFF,
                key=None,
                now=now,
            )
    deliver_outbox()

    order = reread(order)
    # Both are of one moment, and which is listed first is left to their ids.
    refused, seen = sorted(order.steps, key=lambda step: step.kind)
    assert (refused.state, refused.refusal) == ("REFUSED", "step_failed")
    assert (seen.kind, seen.state, seen.gives_minor) == ("REFUND", "DONE", 1_000)
    assert seen.actor == STAFF
    assert order.refunded_minor == money_of(order).refunded_minor == 1_000
    assert codes_of(order).count("refunded") == 1
    assert (stock_of("A"), order.total_minor) == ((5, 2), 2_000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


class Sleeper:
    """Whoever refunds 9.00 of an order, and is asleep before payments are asked for it, while
    somebody else gives 5.00 of it back and settles the order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
        goods.stocked({"A": 5}, now=now)
        self.now = now
        self.order = orders.placed({"A": 3}, now=now)
        send(self.order, 1, now)
        self._gives_back, self._asked = public.refund, dict[str, Any]()
        monkeypatch.setattr(public, "refund", self._sleep)

    def refund(self, *, before: Callable[[], object], after: Callable[[], object]) -> None:
        """before, after: what else happens meanwhile, before and after the settling."""
        self._before, self._after = before, after
        with pytest.raises(OrderError):
            refunding.refund(
                order_id=self.order.id,
                wish=RefundWish(amount_minor=900),
                reason="",
                by=STAFF,
                key=None,
                now=self.now,
            )
        for _ in range(2):
            deliver_outbox()

    def gives_back(self) -> MoveState:
        """What was slept on."""
        return self._gives_back(**self._asked).state

    def _sleep(self, **asked: Any) -> Any:
        if not self._asked:
            self._asked = asked
            self._give_back_elsewhere()
            self._before()
            found = settling.settle(order_id=self.order.id, now=self.now)
            assert found.steps[-1].state == "REFUSED"
            self._after()
        return self._gives_back(**asked)

    def _give_back_elsewhere(self) -> None:
        elsewhere = Money(500, "GBP")
        payments.refund(payment_id=self.order.payment_id, amount=elsewhere, reason="", now=self.now)


def test_what_a_sleeper_gave_back_after_the_step_was_refused_is_counted(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = Sleeper(monkeypatch, now)

    def send_more() -> None:
        deliver_outbox()
        send(sleeper.order, 1, now)

    sleeper.refund(before=lambda: None, after=send_more)

    order = reread(sleeper.order)
    assert order.refunded_minor == money_of(order).refunded_minor == 1_400
    given = [step.gives_minor for step in order.steps if step.kind == "REFUND"]
    assert sorted(given) == [500, 900, 900], "one of them was refused"
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_a_sleeper_gave_back_before_the_refusal_was_saved_is_counted(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event comes while the step is open still, and counts nothing."""
    sleeper, refuses = Sleeper(monkeypatch, now), Order.refuse_step

    def is_overtaken(found: Order, *given: Any, **asked: Any) -> None:
        payments.capture(payment_id=sleeper.order.payment_id, amount=Money(1_000, "GBP"), now=now)
        assert sleeper.gives_back() == "SUCCEEDED"
        dispatcher = Dispatcher("orders")
        dispatcher.handle(
            message_of(row)
            for row in OutboxMessage.objects.using(alias_of("payments")).order_by("id")
            if row.name == "payments.payment_refunded"
        )
        refuses(found, *given, **asked)

    monkeypatch.setattr(Order, "refuse_step", is_overtaken)
    sleeper.refund(before=deliver_outbox, after=lambda: None)

    order = reread(sleeper.order)
    assert order.refunded_minor == money_of(order).refunded_minor == 1_400
    refused, *seen = [step for step in order.steps if step.gives_minor]
    assert refused.state == "REFUSED"
    assert sorted((step.kind, step.gives_minor) for step in seen) == [
        ("REFUND", 500),
        ("REFUND", 900),
    ]
    assert_order_agrees(order.id)
    assert_books_agree(now)
