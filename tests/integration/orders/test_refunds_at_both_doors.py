"""One person who gives money back at the order's door and at payments' own at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from domains.orders.errors import StepOutdated
from domains.orders.models import Order, OrderStep
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, editing, refunding, settling
from domains.orders.services.editing import Edit, LineEdit
from domains.payments import services as payments
from domains.payments.errors import PaymentOperationInProgress, SecondPersonRequired
from infrastructure.aggregates import ConcurrentModification
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.orders.test_steps_concurrently import ROUNDS, at_once, fulfil, paid
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    line_ids,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1_000}


def by_the_order(order: Order, now: datetime) -> Callable[[], object]:
    return lambda: refunding.refund(
        order_id=order.id,
        wish=RefundWish(amount_minor=600),
        reason="",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def by_payments(order: Order, now: datetime, actor: Any = STAFF.id) -> Callable[[], object]:
    return lambda: payments.refund(
        payment_id=order.payment_id,
        amount=Money(600, "GBP"),
        reason="",
        actor_id=actor,
        now=now,
    )


def captured(now: datetime) -> Order:
    """Paid, and nothing of it is sent."""
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    payments.capture(payment_id=order.payment_id, now=now)
    deliver_outbox()
    return reread(order)


def overtaken(begin: Callable[[], object], order: Order, now: datetime) -> None:
    """The order's step is written, and payments' own door is faster than its refund."""
    carry_on = settling.carry_on
    settling.carry_on = lambda case, *, now: case
    try:
        begin()
    finally:
        settling.carry_on = carry_on
    by_payments(order, now)()
    settling.settle(order_id=order.id, now=now)


def waiting(order: Order) -> OrderStep:
    step = reread(order).open_step
    assert step is not None
    assert step.state == "AWAITING_APPROVAL"
    return step


def approved(order: Order, now: datetime) -> None:
    deliver_outbox()  # the order hears of the other door's refund
    step = waiting(order)
    refunding.approve_step(order_id=order.id, step_id=step.id, actor_id=new_id(), now=now)
    deliver_outbox()


def test_a_refund_that_was_overtaken_waits_for_somebody_else_after_all(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = paid(now, 3)

    overtaken(by_the_order(order, now), order, now)

    assert waiting(order).gives_minor == 600
    assert money_of(order).refunded_minor == 600
    order = reread(order)
    assert (order.unsettled_since, codes_of(order).count("approval_asked")) == (None, 1)
    approved(order, now)
    assert money_of(order).refunded_minor == reread(order).refunded_minor == 1_200
    assert reread(order).step_id is None
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_one_that_nobody_agrees_to_leaves_the_order_as_it_was(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = paid(now, 3)
    overtaken(by_the_order(order, now), order, now)
    deliver_outbox()

    step = waiting(order)
    refunding.disapprove_step(
        order_id=order.id, step_id=step.id, actor_id=new_id(), reason="twice", now=now
    )

    order = settling.settle(order_id=order.id, now=now)
    assert (order.status, order.step_id, order.unsettled_since) == ("COMPLETED", None, None)
    assert money_of(order).refunded_minor == order.refunded_minor == 600
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_somebody_else_at_the_other_door_is_no_reason_to_wait(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = paid(now, 3)
    by_payments(order, now, new_id())()
    by_the_order(order, now)()
    assert money_of(order).refunded_minor == 1_200
    assert reread(order).step_id is None


def test_units_that_are_cancelled_stand_until_somebody_agrees(now: datetime) -> None:
    """To what goes back by then: of what the other door gave back nothing goes back twice."""
    order = captured(now)

    def cancel_one() -> None:
        cancelling.cancel(
            order_id=order.id,
            reason="",
            lines=units(order, {"A": 1}),
            refund=True,
            by=STAFF,
            key=None,
            now=now,
        )

    overtaken(cancel_one, order, now)

    step = waiting(order)
    assert step.gives_minor == 1_000
    assert (stock_of("A"), reread(order).total_minor) == ((5, 3), 3_000)
    with pytest.raises(StepOutdated):
        approved(order, now)
    refunding.disapprove_step(
        order_id=order.id, step_id=step.id, actor_id=new_id(), reason="outdated", now=now
    )
    cancel_one()  # of 4.00, which one person may give back alone
    assert (stock_of("A"), reread(order).total_minor) == ((5, 2), 2_000)
    assert money_of(order).refunded_minor == 1_000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_an_edit_made_too_much_stays_for_a_refund_that_somebody_agrees_to(
    now: datetime,
) -> None:
    order = captured(now)
    fewer = Edit(lines=[LineEdit(line_id=line_ids(order)["A"], quantity=2)])

    overtaken(
        lambda: editing.edit(
            order_id=order.id, changes=fewer, reason="", by=STAFF, key=orders.key(), now=now
        ),
        order,
        now,
    )

    order = reread(order)
    assert (order.total_minor, order.step_id) == (2_000, None)
    assert order.steps[-1].refusal == "second_person_required"
    assert (stock_of("A"), money_of(order).refunded_minor) == ((5, 2), 600)
    deliver_outbox()
    by_the_order(order, now)()
    approved(order, now)
    assert money_of(order).refunded_minor == 1_200
    assert_order_agrees(order.id)


@pytest.mark.parametrize("_round", ROUNDS)
def test_at_both_doors_at_once_one_person_gives_back_no_more_than_alone(
    now: datetime, _round: int
) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfil(order, now)()

    answers = at_once(by_the_order(order, now), by_payments(order, now))

    settling.settle_unfinished(now=now)
    settling.settle(order_id=order.id, now=now)
    allowed = (SecondPersonRequired, PaymentOperationInProgress, ConcurrentModification)
    assert all(isinstance(a, allowed) for a in answers if isinstance(a, Exception)), answers
    assert money_of(order).refunded_minor == 600
    deliver_outbox()
    order = reread(order)
    waits = order.open_step
    if waits is not None:  # the other door was faster
        assert (waits.state, waits.gives_minor) == ("AWAITING_APPROVAL", 600)
        refunding.disapprove_step(
            order_id=order.id, step_id=waits.id, actor_id=new_id(), reason="", now=now
        )
    assert order.refunded_minor == 600
    assert_order_agrees(order.id)
