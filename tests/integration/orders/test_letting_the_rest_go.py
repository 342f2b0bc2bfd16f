"""Once an order is over, nothing is held for it beside what was taken: what a gateway authorised
and nobody took is let go, whatever happens on the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, fulfilling, refunding, settling
from domains.payments import services as payments
from domains.payments.gateways.port import NoAnswer, Request, Void
from domains.payments.models import Operation
from domains.payments.rules.gateways import Reply
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import (
    ANOTHER,
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    differences_in_books,
    money_of,
    reread,
    send_units,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db(transaction=True)


def placed(now: datetime) -> Order:
    goods.stocked({"A": 5}, now=now)
    return orders.placed({"A": 3}, now=now)


def take(order: Order, minor: int, now: datetime) -> None:
    fulfilling.capture(order_id=order.id, amount_minor=minor, by=STAFF, key=None, now=now)


def cancel(order: Order, now: datetime, *, lines: int | None = None) -> None:
    cancelling.cancel(
        order_id=order.id,
        reason="changed_mind",
        lines=None if lines is None else units(order, {"A": lines}),
        refund=True,
        by=STAFF,
        key=None,
        now=now,
    )


def money(order: Order) -> tuple[int, int, int, int]:
    """Authorised, taken, given back, let go."""
    state = money_of(order)
    return (
        state.authorised_minor,
        state.captured_minor,
        state.refunded_minor,
        state.released_minor,
    )


def test_of_an_order_that_is_called_off_after_a_part_was_taken_nothing_is_held(
    now: datetime,
) -> None:
    order = placed(now)
    take(order, 1_000, now)

    cancel(order, now)

    assert reread(order).status == "CANCELLED"
    assert money(order) == (3_000, 1_000, 1_000, 2_000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_once_the_rest_of_the_lines_is_cancelled_the_rest_of_the_money_is_let_go(
    now: datetime,
) -> None:
    order = placed(now)
    send_units(order, {"A": 1}, now)
    assert money(order) == (3_000, 1_000, 0, 0)  # two are still to be paid for

    cancel(order, now, lines=2)

    assert reread(order).status == "COMPLETED"
    assert money(order) == (3_000, 1_000, 0, 2_000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_an_order_became_cheaper_by_is_let_go_with_its_last_parcel(now: datetime) -> None:
    order = placed(now)
    cancel(order, now, lines=1)
    send_units(order, {"A": 1}, now)
    assert money(order) == (3_000, 1_000, 0, 0)

    send_units(order, {"A": 1}, now)

    assert reread(order).status == "COMPLETED"
    assert money(order) == (3_000, 2_000, 0, 1_000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


class _VoidsFail:
    """A gateway that does all but voids, as long as it is told to."""

    def __init__(self, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_silent, self.refusal = False, ""
        self.keys: set[Any] = set()
        sent = gateway.send

        def send(request: Request) -> Reply:
            if isinstance(request, Void):
                self.keys.add(request.key)
                if self.is_silent:
                    raise NoAnswer("told to be so")
                if self.refusal:
                    return Reply(refusal=self.refusal)
            return sent(request)

        monkeypatch.setattr(gateway, "send", send)


@pytest.fixture
def voids(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> _VoidsFail:
    return _VoidsFail(gateway, monkeypatch)


@pytest.mark.parametrize("ends", ["CANCELLED", "COMPLETED"])
def test_a_silent_gateway_holds_up_no_end_and_is_asked_until_it_answers(
    now: datetime, voids: _VoidsFail, ends: str
) -> None:
    order = placed(now)
    if ends == "COMPLETED":
        send_units(order, {"A": 1}, now)
    else:
        take(order, 1_000, now)
    voids.is_silent = True

    cancel(order, now, lines=2 if ends == "COMPLETED" else None)

    order = reread(order)
    assert (order.status, order.unsettled_since is None) == (ends, False)
    assert money_of(order).holds_rest
    assert [found.partition(":")[0] for found in differences_in_books(now)] == [
        "payments",
        "settling",
    ]
    voids.is_silent = False
    payments.resolve_unfinished(now=now + timedelta(minutes=5))
    settling.settle_unfinished(now=now + timedelta(minutes=5))

    assert len(voids.keys) == 1
    assert money(order)[3] == 2_000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_the_gateway_refuses_to_let_go_stays_with_the_order_until_staff_have_seen_to_it(
    now: datetime, voids: _VoidsFail
) -> None:
    order = placed(now)
    send_units(order, {"A": 1}, now)
    voids.refusal = "cannot_be_released"
    cancel(order, now, lines=2)
    later = now + timedelta(minutes=5)

    settling.settle_unfinished(now=later)
    assert (len(voids.keys), reread(order).unsettled_since is None) == (1, False)
    # A step of an order that is over does not make it forget what is held.
    wish = RefundWish(amount_minor=100)
    refunding.refund(order_id=order.id, wish=wish, reason="", by=STAFF, key=None, now=now)
    assert reread(order).unsettled_since is not None

    voids.refusal = ""
    payments.void(payment_id=order.payment_id, reason="by hand", now=now)
    settling.settle_unfinished(now=later + timedelta(minutes=10))

    assert money(order) == (3_000, 1_000, 100, 2_000)
    assert Operation.objects.filter(kind="VOID", state="SUCCEEDED").count() == 1
    assert_order_agrees(order.id)
    assert_books_agree(now)


@pytest.mark.parametrize("answers", ["while_it_waits", "after_it_was_disapproved"])
def test_a_step_that_waits_for_a_second_person_keeps_nothing_from_being_let_go(
    now: datetime, voids: _VoidsFail, settings: Any, answers: str
) -> None:
    order = placed(now)
    send_units(order, {"A": 1}, now)
    voids.is_silent = True
    cancel(order, now, lines=2)
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 500}
    wish = RefundWish(amount_minor=1_000)
    later = now + timedelta(minutes=5)
    payments.resolve_unfinished(now=later)
    begun = refunding.refund(order_id=order.id, wish=wish, reason="", by=STAFF, key=None, now=later)
    assert (begun.step.state, money_of(order).holds_rest) == ("AWAITING_APPROVAL", True)

    def disapprove() -> None:
        refunding.disapprove_step(
            order_id=order.id, step_id=begun.step.id, actor_id=ANOTHER.id, reason="", now=later
        )

    if answers == "after_it_was_disapproved":
        disapprove()
        assert reread(order).unsettled_since is not None
    voids.is_silent = False
    # The order asks by itself, and not only the task of payments.
    settling.settle_unfinished(now=later + timedelta(hours=1))

    assert money(order) == (3_000, 1_000, 0, 2_000)
    assert reread(order).unsettled_since is None
    if answers == "while_it_waits":
        disapprove()
    assert (reread(order).status, reread(order).step_id) == ("COMPLETED", None)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_staff_let_go_of_an_order_that_stands_is_told_by_the_audit(now: datetime) -> None:
    order = placed(now)
    send_units(order, {"A": 1}, now)
    payments.void(payment_id=order.payment_id, reason="by mistake", now=now)

    [found] = differences_in_books(now)

    assert "of which 1000 GBP (minor units) was or can be taken" in found
