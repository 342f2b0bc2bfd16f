from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.orders.rules.numbers import ALPHABET, MAX_SEQUENCE, is_order_number, order_number
from domains.orders.rules.placement import (
    Facts,
    Guarantee,
    Hold,
    Status,
    Step,
    Uses,
    next_step,
)

KEY = b"a key of this test"
sequences = st.integers(min_value=0, max_value=MAX_SEQUENCE)


def facts(
    status: Status,
    hold: Hold = Hold.NONE,
    guarantee: Guarantee = Guarantee.NONE,
    *,
    cancel: bool = False,
    finished: bool = False,
) -> Facts:
    return Facts(
        status=status, cancel_requested=cancel, finished=finished, hold=hold, guarantee=guarantee
    )


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(Status.PENDING), Step.HOLD),
        (facts(Status.PENDING, Hold.REFUSED), Step.REJECT),
        (facts(Status.PENDING, Hold.RELEASED), Step.REJECT),
        (facts(Status.PENDING, Hold.HELD), Step.AUTHORISE),
        (facts(Status.PENDING, Hold.HELD, Guarantee.UNKNOWN), Step.AUTHORISE),
        (facts(Status.PENDING, Hold.HELD, Guarantee.REFUSED), Step.REJECT),
        (facts(Status.PENDING, Hold.HELD, Guarantee.GIVEN_BACK), Step.REJECT),
        (facts(Status.PENDING, Hold.HELD, Guarantee.GIVEN), Step.CONFIRM),
        (facts(Status.PENDING, Hold.HELD, Guarantee.CAPTURED), Step.CONFIRM),
        (facts(Status.PENDING, Hold.HELD, Guarantee.GIVEN, cancel=True), Step.CANCEL),
        (facts(Status.PENDING, Hold.HELD, Guarantee.CAPTURED, cancel=True), Step.CONFIRM),
        (facts(Status.PENDING, Hold.NONE, Guarantee.NONE, cancel=True), Step.CANCEL),
        (facts(Status.CONFIRMED, Hold.HELD, Guarantee.GIVEN, finished=True), Step.REST),
        (facts(Status.CONFIRMED, Hold.HELD, Guarantee.GIVEN, cancel=True), Step.VOID),
        (facts(Status.CONFIRMED, Hold.HELD, Guarantee.CAPTURED, cancel=True), Step.REFUSE_CANCEL),
        (facts(Status.CONFIRMED, Hold.HELD, Guarantee.GIVEN_BACK, cancel=True), Step.CANCEL),
        (facts(Status.REJECTED, Hold.REFUSED), Step.RELEASE),
        (facts(Status.REJECTED, Hold.HELD, Guarantee.REFUSED), Step.RELEASE),
        (facts(Status.REJECTED, Hold.RELEASED, Guarantee.NONE), Step.VOID),
        (facts(Status.REJECTED, Hold.RELEASED, Guarantee.REFUSED), Step.FINISH),
        (facts(Status.CANCELLED, Hold.RELEASED, Guarantee.UNKNOWN), Step.VOID),
        (facts(Status.CANCELLED, Hold.RELEASED, Guarantee.CAPTURED), Step.WAIT),
        (facts(Status.CANCELLED, Hold.RELEASED, Guarantee.GIVEN_BACK), Step.FINISH),
        (facts(Status.CANCELLED, Hold.RELEASED, Guarantee.GIVEN_BACK, finished=True), Step.REST),
    ],
)
def test_the_next_step_follows_from_the_facts(known: Facts, step: Step) -> None:
    assert next_step(known) is step


HELD: dict[str, Any] = {"status": Status.PENDING, "hold": Hold.HELD}
SENT: dict[str, Any] = {
    "status": Status.CONFIRMED,
    "hold": Hold.HELD,
    "finished": True,
    "sent": True,
}
COMPLETED: dict[str, Any] = {"status": Status.COMPLETED, "guarantee": Guarantee.CAPTURED}
ENDED: dict[str, Any] = {"status": Status.REJECTED, "hold": Hold.RELEASED}


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (Facts(**HELD, uses=Uses.OPEN), Step.REDEEM),
        (Facts(**HELD, uses=Uses.REFUSED), Step.REJECT),
        (Facts(**HELD, uses=Uses.REDEEMED), Step.AUTHORISE),
        (Facts(**HELD, supersedes=True), Step.DROP_PAYMENT),
        (Facts(**HELD, guarantee=Guarantee.WAITING), Step.AWAIT_PAYMENT),
        (Facts(**HELD, guarantee=Guarantee.WAITING, awaits_payment=True), Step.WAIT),
        (Facts(**HELD, guarantee=Guarantee.WAITING, overdue=True), Step.VOID),
        (Facts(**HELD, guarantee=Guarantee.REFUSED, keeps_on_decline=True), Step.AWAIT_PAYMENT),
        (
            Facts(**HELD, guarantee=Guarantee.REFUSED, keeps_on_decline=True, overdue=True),
            Step.REJECT,
        ),
        (Facts(**SENT, guarantee=Guarantee.CAPTURED, paid=True), Step.COMPLETE),
        (Facts(**SENT, guarantee=Guarantee.GIVEN), Step.REST),
        (Facts(**SENT, guarantee=Guarantee.CAPTURED, paid=True, step_open=True), Step.CARRY_ON),
        (
            Facts(**SENT, guarantee=Guarantee.CAPTURED, paid=True, holds_rest=True),
            Step.COMPLETE,
        ),
        (Facts(**COMPLETED, holds_rest=True), Step.RELEASE_REST),
        (Facts(**COMPLETED, holds_rest=True, step_open=True), Step.CARRY_ON),
        (Facts(**COMPLETED, holds_rest=True, step_waits=True), Step.RELEASE_REST),
        (Facts(**COMPLETED, step_waits=True), Step.FINISH),
        (Facts(**ENDED, uses=Uses.REDEEMED, step_waits=True), Step.GIVE_BACK),
        (Facts(**SENT, guarantee=Guarantee.CAPTURED, paid=True, step_waits=True), Step.REST),
        (Facts(**COMPLETED), Step.FINISH),
        (
            Facts(**ENDED, uses=Uses.GIVEN_BACK, guarantee=Guarantee.GIVEN_BACK, holds_rest=True),
            Step.RELEASE_REST,
        ),
        (Facts(**ENDED, guarantee=Guarantee.CAPTURED, holds_rest=True), Step.RELEASE_REST),
        (Facts(**ENDED, guarantee=Guarantee.CAPTURED), Step.WAIT),
        (Facts(**ENDED, uses=Uses.REDEEMED, guarantee=Guarantee.REFUSED), Step.GIVE_BACK),
        (Facts(**ENDED, uses=Uses.GIVEN_BACK, guarantee=Guarantee.REFUSED), Step.FINISH),
        (Facts(**ENDED, supersedes=True, guarantee=Guarantee.REFUSED), Step.DROP_PAYMENT),
    ],
)
def test_coupons_waiting_customers_and_completion_have_their_steps(
    known: Facts, step: Step
) -> None:
    assert next_step(known) is step


def test_whatever_answers_come_every_order_comes_to_rest_with_goods_and_money_together() -> None:
    """Walks every sequence of answers: a confirmed order has both, an ended one has neither."""
    for hold, first, second in product(
        (Hold.HELD, Hold.REFUSED),
        (Guarantee.GIVEN, Guarantee.REFUSED, Guarantee.UNKNOWN),
        (Guarantee.GIVEN, Guarantee.REFUSED),
    ):
        for cancel_at in range(-1, 6):
            _walk(hold, [first, second], cancel_at)


def _walk(hold_answer: Hold, payment_answers: list[Guarantee], cancel_at: int) -> None:
    status, hold, guarantee = Status.PENDING, Hold.NONE, Guarantee.NONE
    cancel = finished = False
    answers = list(payment_answers)
    for turn in range(20):
        if turn == cancel_at and status in (Status.PENDING, Status.CONFIRMED):
            cancel, finished = True, False
        known = facts(status, hold, guarantee, cancel=cancel, finished=finished)
        step = next_step(known)
        match step:
            case Step.HOLD:
                hold = hold_answer
            case Step.AUTHORISE:
                guarantee = answers.pop(0) if len(answers) > 1 else answers[0]
            case Step.CONFIRM:
                assert hold is Hold.HELD
                assert guarantee is Guarantee.GIVEN
                status, finished = Status.CONFIRMED, True
            case Step.REJECT:
                status = Status.REJECTED
            case Step.CANCEL:
                status = Status.CANCELLED
            case Step.RELEASE:
                hold = Hold.RELEASED
            case Step.VOID:
                guarantee = Guarantee.GIVEN_BACK
            case Step.FINISH:
                finished = True
            case Step.REST:
                if turn >= cancel_at:
                    break
    assert step is Step.REST
    if status is Status.CONFIRMED:
        assert (hold, guarantee) == (Hold.HELD, Guarantee.GIVEN)
    else:
        assert hold is Hold.RELEASED
        assert guarantee in (Guarantee.GIVEN_BACK, Guarantee.REFUSED)


@given(sequences, sequences)
def test_two_orders_never_have_one_number(one: int, other: int) -> None:
    same = order_number(one, key=KEY) == order_number(other, key=KEY)
    assert same == (one == other)


@given(sequences)
def test_an_order_number_is_well_formed(sequence: int) -> None:
    number = order_number(sequence, key=KEY)
    assert len(number) == 9
    assert is_order_number(number)


@given(sequences, st.integers(0, 8), st.sampled_from(ALPHABET))
def test_a_wrong_character_is_found(sequence: int, position: int, character: str) -> None:
    number = order_number(sequence, key=KEY)
    mistyped = number[:position] + character + number[position + 1 :]
    assert is_order_number(mistyped) == (mistyped == number)


def test_neighbours_do_not_look_alike_and_another_key_makes_other_numbers() -> None:
    numbers = [order_number(n, key=KEY) for n in range(200)]
    assert numbers != sorted(numbers)
    assert len({number[:3] for number in numbers}) > 150
    assert order_number(1, key=KEY) != order_number(1, key=b"another")


def test_a_sequence_beyond_the_range_is_refused() -> None:
    with pytest.raises(ValueError, match="no sequence"):
        order_number(MAX_SEQUENCE + 1, key=KEY)
