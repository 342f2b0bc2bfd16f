"""Commands on one order at once: each unit and each penny goes one way, whoever is faster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from domains.orders.errors import OrderError
from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, editing, fulfilling, refunding, settling
from domains.orders.services.editing import Edit, LineEdit
from domains.payments import services as payment_services
from domains.payments.public import payment_states
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.http.idempotency import Duplicate
from tests.support.after_placement import (
    STAFF,
    assert_order_agrees,
    line_ids,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.order_steps import came_back
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = [0, 1, *(pytest.param(number, marks=pytest.mark.long) for number in range(2, 20))]


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do these at the same time, each in a thread. What each returned, or its refusal."""
    barrier = threading.Barrier(len(works))
    answers: list[object] = [None] * len(works)

    def run(place: int) -> None:
        barrier.wait()
        try:
            answers[place] = works[place]()
        except DomainError as refusal:
            answers[place] = refusal
        except BaseException as error:
            answers[place] = error
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def won(answers: list[object]) -> int:
    """How many were carried out; the others were refused, and did not fail."""
    refusals = [a for a in answers if isinstance(a, Exception)]
    assert all(isinstance(a, OrderError | ConcurrentModification) for a in refusals), refusals
    return len(answers) - len(refusals)


def fulfil(order: Order, now: datetime, lines: Any = None) -> Callable[[], object]:
    return lambda: fulfilling.fulfil(
        order_id=order.id, lines=lines, warehouse="main", by=STAFF, key=orders.key(), now=now
    )


def cancel(order: Order, now: datetime, lines: Any = None) -> Callable[[], object]:
    return lambda: cancelling.cancel(
        order_id=order.id, reason="", lines=lines, by=STAFF, key=orders.key(), now=now
    )


def refund(order: Order, now: datetime, **wish: Any) -> Callable[[], object]:
    return lambda: refunding.refund(
        order_id=order.id,
        wish=RefundWish(**wish),
        reason="",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def paid(now: datetime, quantity: int = 2) -> Order:
    order = orders.placed({"A": quantity}, now=now)
    fulfil(order, now)()
    return order


@pytest.mark.parametrize("_round", ROUNDS)
def test_an_order_is_cancelled_or_sent(now: datetime, _round: int) -> None:
    goods.stocked({"A": 2}, now=now)
    order = orders.placed({"A": 2}, now=now)

    answers = at_once(cancel(order, now), fulfil(order, now))

    assert won(answers) == 1
    order = settling.settle(order_id=order.id, now=now)
    is_sent = order.status == "COMPLETED"
    assert order.status in ("COMPLETED", "CANCELLED")
    assert stock_of("A") == ((0, 0) if is_sent else (2, 0))
    assert money_of(order).captured_minor == (2000 if is_sent else 0)
    assert_order_agrees(order.id)


@pytest.mark.parametrize("_round", ROUNDS)
def test_the_last_unit_is_cancelled_or_sent(now: datetime, _round: int) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfil(order, now, units(order, {"A": 2}))()
    last = units(order, {"A": 1})

    assert won(at_once(cancel(order, now, last), fulfil(order, now, last))) == 1

    [line] = reread(order).lines
    assert (line.cancelled, line.fulfilled) in ((1, 2), (0, 3))
    assert stock_of("A") == (3 - line.fulfilled, 0)
    assert money_of(order).captured_minor == 1000 * line.fulfilled
    assert_order_agrees(order.id)


@pytest.mark.parametrize("_round", ROUNDS)
def test_two_refunds_of_all_give_it_back_once(now: datetime, _round: int) -> None:
    goods.stocked({"A": 2}, now=now)
    order = paid(now)
    assert won(at_once(*[refund(order, now)] * 3)) == 1
    assert money_of(order).refunded_minor == 2000
    assert_order_agrees(order.id)


def test_many_small_refunds_are_never_more_than_was_taken(now: datetime) -> None:
    goods.stocked({"A": 2}, now=now)
    order = paid(now)
    for _ in range(3):
        at_once(*[refund(order, now, amount_minor=700)] * 3)
    state = money_of(order)
    assert state.refunded_minor == reread(order).refunded_minor
    assert state.refunded_minor in (700, 1400)
    assert_order_agrees(order.id)


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_return_and_a_refund_of_one_line_pay_it_once(now: datetime, _round: int) -> None:
    goods.stocked({"A": 2}, now=now)
    order = paid(now)
    made = came_back(order, now, A=2)
    answers = at_once(
        refund(order, now, return_id=made.id),
        refund(order, now, units=units(order, {"A": 2})),
    )
    assert won(answers) == 1
    assert money_of(order).refunded_minor == 2000
    assert stock_of("A") == (2, 0)
    assert_order_agrees(order.id)


@pytest.mark.parametrize("_round", ROUNDS)
def test_money_is_taken_once(now: datetime, _round: int) -> None:
    goods.stocked({"A": 2}, now=now)
    order = orders.placed({"A": 2}, now=now)

    def capture() -> object:
        return fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)

    assert won(at_once(capture, capture, capture)) == 1
    assert money_of(order).captured_minor == 2000
    assert_order_agrees(order.id)


@pytest.mark.parametrize("_round", ROUNDS)
def test_an_order_is_edited_before_it_is_sent_or_not_at_all(now: datetime, _round: int) -> None:
    goods.stocked({"A": 4}, now=now)
    order = orders.placed({"A": 2}, now=now)
    change = Edit(lines=[LineEdit(line_id=line_ids(order)["A"], quantity=3)], token="tok_visa")

    def edit() -> object:
        return editing.edit(
            order_id=order.id, changes=change, reason="", by=STAFF, key=orders.key(), now=now
        )

    answers = at_once(edit, fulfil(order, now))
    assert won(answers) >= 1
    order = reread(order)
    if order.status == "CONFIRMED":
        fulfil(order, now)()
    [line] = reread(order).lines
    assert line.quantity in (2, 3)
    assert money_of(reread(order)).captured_minor == 1000 * line.quantity
    assert stock_of("A") == (4 - line.quantity, 0)
    assert_order_agrees(order.id)


def test_one_key_at_once_is_one_parcel(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 5}, now=now)
    key = orders.key()

    def send() -> object:
        return fulfilling.fulfil(
            order_id=order.id,
            lines=units(order, {"A": 1}),
            warehouse="main",
            by=STAFF,
            key=key,
            now=now,
        ).step.id

    answers = at_once(*[send] * 4)
    assert len({a for a in answers if not isinstance(a, Exception)}) == 1
    assert {type(a) for a in answers if isinstance(a, Exception)} <= {Duplicate}
    assert stock_of("A") == (4, 4)
    assert_order_agrees(order.id)


def test_everybody_may_carry_on_one_step(now: datetime) -> None:
    goods.stocked({"A": 2}, now=now)
    order = orders.placed({"A": 2}, now=now)
    carry_on = settling.carry_on
    try:
        settling.carry_on = lambda case, *, now: case  # the request dies right after its step
        fulfil(order, now)()
    finally:
        settling.carry_on = carry_on

    at_once(*[lambda: settling.settle(order_id=order.id, now=now)] * 4)

    settling.settle(order_id=order.id, now=now)
    assert reread(order).status == "COMPLETED"
    assert (stock_of("A"), money_of(order).captured_minor) == ((0, 0), 2000)
    assert_order_agrees(order.id)


@pytest.mark.parametrize("number", ROUNDS)
def test_a_dearer_edit_and_a_capture_of_the_earlier_payment_take_the_money_once(
    now: datetime, number: int
) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    wanted = Edit(lines=[LineEdit(line_id=line_ids(order)["A"], quantity=2)], token="tok_visa")

    at_once(
        lambda: editing.edit(
            order_id=order.id, changes=wanted, reason="", by=STAFF, key=orders.key(), now=now
        ),
        lambda: payment_services.capture(payment_id=order.id, now=now),
    )
    settling.settle_unfinished(now=now + timedelta(seconds=30))

    after = reread(order)
    state = payment_states([order.id])[order.id]
    if after.payment_id == order.id:
        assert (after.total_minor, state.refunded_minor) == (1000, 0)
    else:
        assert after.total_minor == 2000
        assert state.captured_minor == state.refunded_minor
        assert money_of(after).authorised_minor == 2000
    assert after.step_id is None
