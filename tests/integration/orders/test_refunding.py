"""Money is given back: whole, for lines, for the shipping or for no line at all; never too much."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from domains.orders.errors import (
    NothingCaptured,
    RefundExceedsPayment,
    RefundRefused,
    ReturnNotOpen,
    ReturnNotReceived,
    SecondPersonRequired,
    StepInProgress,
    StepNotAwaitingApproval,
    TooManyUnits,
)
from domains.orders.models import Order, PaymentChoice
from domains.orders.models.commands.returning import Inspected
from domains.orders.services import refunding
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import (
    ANOTHER,
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
from tests.support.order_steps import (
    announced,
    came_back,
    capture,
    decided,
    fulfil,
    received,
    refund,
)
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db


def sent(now: datetime, **quantities: int) -> Order:
    """An order that was sent and paid."""
    goods.stocked(dict.fromkeys(quantities, 20), now=now)
    order = orders.placed(quantities, now=now)
    fulfil(order, now)
    return reread(order)


def test_everything_is_given_back(now: datetime) -> None:
    order = sent(now, A=2, B=1)
    assert refund(order, now).is_done
    order = reread(order)
    assert (order.refunded_minor, order.payment_status) == (3000, "REFUNDED")
    assert [line.refunded_minor for line in order.lines] == [2000, 1000]
    for wish in ({}, {"amount_minor": 1}):
        with pytest.raises(RefundExceedsPayment) as refused:
            refund(order, now, **wish)
        assert refused.value.detail == "Nothing is left to be given back."
    assert codes_of(order).count("refunded") == 1
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_no_unit_is_given_back_twice(now: datetime) -> None:
    order = sent(now, A=3)
    for _ in range(3):
        refund(order, now, units=units(order, {"A": 1}))
    with pytest.raises(TooManyUnits):
        refund(order, now, units=units(order, {"A": 1}))
    assert reread(order).refunded_minor == 3000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_amount_is_given_back_as_a_courtesy_and_lowers_what_is_left(now: datetime) -> None:
    order = sent(now, A=2)
    refund(order, now, amount_minor=500)
    with pytest.raises(RefundExceedsPayment) as refused:
        refund(order, now, amount_minor=1501)
    assert refused.value.detail == "15.00 GBP at most, not 15.01 GBP."
    refund(order, now)
    assert money_of(order).refunded_minor == 2000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_nothing_is_given_back_that_was_not_taken(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 2}, now=now)
    with pytest.raises(NothingCaptured):
        refund(order, now)


def test_a_key_gives_back_once(now: datetime) -> None:
    order = sent(now, A=2)
    key = orders.key()
    first, again = (refund(order, now, amount_minor=500, key=key) for _ in range(2))
    assert (first.step.id, again.replayed) == (again.step.id, True)
    assert money_of(order).refunded_minor == 500


def test_a_gateway_that_refuses_leaves_the_money_here(
    now: datetime, gateway: ScriptedGateway
) -> None:
    order = sent(now, A=2)
    gateway.refusal = "account_closed"
    with pytest.raises(RefundRefused):
        refund(order, now)
    assert reread(order).refunded_minor == 0
    gateway.refusal = ""
    assert refund(order, now).is_done
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_much_money_takes_a_second_person(now: datetime, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1999}
    order = sent(now, A=2)

    begun = refund(order, now)
    assert (begun.step.state, money_of(order).refunded_minor) == ("AWAITING_APPROVAL", 0)
    assert reread(order).unsettled_since is None
    with pytest.raises(StepInProgress):
        refund(order, now, amount_minor=1)
    assert STAFF.id is not None
    assert ANOTHER.id is not None
    step: dict[str, Any] = {"order_id": order.id, "step_id": begun.step.id, "now": now}
    with pytest.raises(SecondPersonRequired):
        refunding.approve_step(actor_id=STAFF.id, **step)
    assert refunding.approve_step(actor_id=ANOTHER.id, **step).is_done
    with pytest.raises(StepNotAwaitingApproval):
        refunding.approve_step(actor_id=ANOTHER.id, **step)

    assert reread(order).refunded_minor == 2000
    assert [c for c in codes_of(order) if c in ("approval_asked", "step_approved", "refunded")] == [
        "approval_asked",
        "step_approved",
        "refunded",
    ]
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_second_person_may_say_no(now: datetime, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 0}
    order = sent(now, A=2)
    begun = refund(order, now, amount_minor=1)
    assert ANOTHER.id is not None
    refused = refunding.disapprove_step(
        order_id=order.id, step_id=begun.step.id, actor_id=ANOTHER.id, reason="no", now=now
    )
    assert (refused.step.state, refused.step.refusal) == ("REFUSED", "not_approved")
    assert money_of(order).refunded_minor == 0
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_come_back_are_looked_at_and_paid_for(now: datetime) -> None:
    order = sent(now, A=4)
    made = announced(order, now, A=3)
    assert reread(order).return_status == "REQUESTED"
    decided(order, made.id, now)

    received(order, made.id, now, A=Inspected(restocked=1, damaged=1))

    order = reread(order)
    assert (order.return_status, [line.returned for line in order.lines]) == (
        "PARTIALLY_RETURNED",
        [2],
    )
    [line] = order.return_lines
    assert (line.restocked, line.damaged, line.missing) == (1, 1, 1)
    assert stock_of("A") == (17, 0)

    refund(order, now, return_id=made.id)
    order = reread(order)
    assert order.refunded_minor == 2000
    assert [(r.state, r.refunded_minor) for r in order.returns] == [("REFUNDED", 2000)]
    with pytest.raises(ReturnNotReceived):
        refund(order, now, return_id=made.id)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_no_more_comes_back_than_was_sent(now: datetime) -> None:
    order = sent(now, A=4)
    first = announced(order, now, A=3)
    with pytest.raises(TooManyUnits):
        announced(order, now, A=2)
    decided(order, first.id, now, approve=False)
    second = announced(order, now, A=4)
    decided(order, second.id, now)
    received(order, second.id, now)
    assert reread(order).return_status == "RETURNED"
    with pytest.raises(TooManyUnits):
        announced(order, now, A=1)
    with pytest.raises(ReturnNotOpen):
        received(order, second.id, now)
    assert stock_of("A") == (20, 0)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_line_that_was_refunded_is_not_refunded_again_when_it_comes_back(now: datetime) -> None:
    order = sent(now, A=3)
    refund(order, now, units=units(order, {"A": 2}))
    made = came_back(order, now, A=3)
    refund(order, now, return_id=made.id)
    assert reread(order).refunded_minor == 3000
    assert_order_agrees(order.id)
    assert_books_agree(now)


FOUND = [
    ({}, 2000),
    ({"A": Inspected(restocked=1, damaged=1)}, 2000),
    ({"A": Inspected(damaged=1)}, 1000),
]


@pytest.mark.parametrize(("found", "worth"), FOUND)
def test_a_return_is_over_whether_its_goods_or_its_money_came_first(
    now: datetime, found: dict[str, Inspected], worth: int
) -> None:
    paid_first, back_first = sent(now, A=4), orders.placed({"A": 4}, now=now)
    fulfil(back_first, now)
    refund(paid_first, now, units=units(paid_first, {"A": 2}))
    came_back(paid_first, now, A=2, found=found)
    came_back(back_first, now, A=2, found=found)
    refund(back_first, now, units=units(back_first, {"A": 2}))
    for order in (paid_first, back_first):
        [back] = reread(order).returns
        assert (back.state, back.refunded_minor) == ("REFUNDED", worth)
        with pytest.raises(ReturnNotReceived):
            refund(order, now, return_id=back.id)
        assert money_of(order).refunded_minor == 2000
        assert_order_agrees(order.id)
    assert_books_agree(now)


@pytest.mark.parametrize("is_paid_first", [True, False])
def test_a_return_of_an_order_whose_money_all_went_back_is_over(
    now: datetime, is_paid_first: bool
) -> None:
    order = sent(now, A=4)
    if is_paid_first:
        refund(order, now)
    made = came_back(order, now, A=2, found={"A": Inspected(restocked=1)})
    if not is_paid_first:
        refund(order, now)
    back = reread(order).returned(made.id)
    assert (back.state, back.refunded_minor) == ("REFUNDED", 1000)
    assert money_of(order).refunded_minor == 4000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_return_waits_for_what_is_left_to_be_given_back_for_it(now: datetime) -> None:
    order = sent(now, A=4)
    refund(order, now, units=units(order, {"A": 1}))
    made = came_back(order, now, A=2)
    assert reread(order).returned(made.id).state == "RECEIVED"
    refund(order, now, return_id=made.id)
    back = reread(order).returned(made.id)
    assert (back.state, back.refunded_minor) == ("REFUNDED", 1000)
    assert money_of(order).refunded_minor == 2000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_is_given_back_counts_for_one_return_only(now: datetime) -> None:
    order = sent(now, A=4)
    first, second = came_back(order, now, A=2), came_back(order, now, A=2)
    refund(order, now, units=units(order, {"A": 2}))
    assert [back.state for back in reread(order).returns] == ["RECEIVED", "RECEIVED"]
    refund(order, now, return_id=second.id)
    told = {back.id: (back.state, back.refunded_minor) for back in reread(order).returns}
    assert told == {first.id: ("REFUNDED", 2000), second.id: ("REFUNDED", 2000)}
    assert money_of(order).refunded_minor == 4000
    assert_order_agrees(order.id)


def test_a_parcel_that_nothing_was_in_is_over_at_once(now: datetime) -> None:
    order = sent(now, A=4)
    made = came_back(order, now, A=2, found={"A": Inspected()})
    back = reread(order).returned(made.id)
    assert (back.state, back.refunded_minor) == ("REFUNDED", 0)
    assert money_of(order).refunded_minor == 0
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_that_are_not_paid_for_yet_wait_for_their_money(now: datetime) -> None:
    goods.stocked({"A": 20}, now=now)
    order = orders.placed({"A": 4}, payment=PaymentChoice(method="invoice", token=""), now=now)
    fulfil(order, now)
    made = came_back(order, now, A=2)
    assert reread(order).returned(made.id).state == "RECEIVED"


def test_goods_whose_own_money_was_not_taken_yet_wait_for_it_too(now: datetime) -> None:
    goods.stocked({"A": 20, "B": 20}, now=now)
    order = orders.placed({"A": 1, "B": 2}, now=now)
    fulfil(order, now, lines=units(order, {"A": 1}))
    fulfil(order, now, lines=units(order, {"B": 2}), capture=False, may_be_unpaid=True)
    refund(order, now, amount_minor=1000)  # all that was taken until now
    made = came_back(order, now, B=1)
    assert reread(order).returned(made.id).state == "RECEIVED"
    capture(order, now)
    refund(order, now, return_id=made.id)
    back = reread(order).returned(made.id)
    assert (back.state, back.refunded_minor) == ("REFUNDED", 1000)
    assert money_of(order).refunded_minor == 2000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_return_may_end_without_money(now: datetime) -> None:
    order = sent(now, A=4)
    made = came_back(order, now, A=2, found={"A": Inspected(damaged=2)})
    ended = decided(order, made.id, now, approve=False)
    assert (ended.state, ended.refunded_minor) == ("REFUSED", 0)
    with pytest.raises(ReturnNotReceived):
        refund(order, now, return_id=made.id)
    with pytest.raises(ReturnNotOpen):
        decided(order, made.id, now, approve=False)
    order = reread(order)
    assert (order.return_status, order.refunded_minor) == ("PARTIALLY_RETURNED", 0)
    assert codes_of(order)[-3:] == ["return_approved", "return_received", "return_refused"]
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_return_does_not_end_while_its_money_waits_for_somebody(
    now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1000}
    order = sent(now, A=4)
    made = came_back(order, now, A=2)
    refund(order, now, return_id=made.id)
    with pytest.raises(StepInProgress):
        decided(order, made.id, now, approve=False)
    assert reread(order).returned(made.id).state == "RECEIVED"
