"""What an edit leaves behind when the money, or the order, is not as it was when it began."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from domains.orders.errors import LineRefunded, StepRefused
from domains.orders.models import Order, OrderStep
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import cancelling, fulfilling, refunding, settling
from domains.payments import public as payments
from domains.payments import services as payment_services
from domains.payments.gateways.port import NoAnswer, Request, Void
from domains.payments.public import PaymentStatus, payment_states
from domains.payments.rules.gateways import Reply
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    line_ids,
    money_of,
    reread,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.order_steps import edit, fulfil, more
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db


# What somebody else does to the money meanwhile


@pytest.mark.parametrize("taken", [1000, 400])
def test_what_is_taken_of_the_earlier_payment_meanwhile_goes_back(
    taken: int, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    authorise = payments.authorise

    def and_staff_capture_the_earlier_one(**asked: object) -> object:
        outcome = authorise(**asked)  # type: ignore[arg-type]
        payment_services.capture(payment_id=order.id, amount=Money(taken, "GBP"), now=now)
        return outcome

    monkeypatch.setattr(payments, "authorise", and_staff_capture_the_earlier_one)
    begun = edit(order, now, lines=[more(order, "A", 2)], token="tok_visa")

    assert begun.is_done
    earlier = payment_states([order.id])[order.id]
    assert (earlier.captured_minor, earlier.refunded_minor) == (taken, taken)
    order = reread(order)
    assert (order.payment_id, order.refunded_minor) == (begun.step.id, 0)
    assert money_of(order).authorised_minor == 2000
    assert "earlier_payment_refunded" in codes_of(order)
    fulfil(order, now)
    assert money_of(order).captured_minor == 2000
    assert_order_agrees(order.id)
    assert_books_agree(now)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("says", ["refuses", "is_silent"])
def test_what_was_taken_of_the_earlier_payment_goes_back_though_its_rest_is_kept(
    now: datetime, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    authorise, send = payments.authorise, gateway.send
    is_silent = says == "is_silent"

    def and_staff_capture_the_earlier_one(**asked: Any) -> object:
        outcome = authorise(**asked)
        payment_services.capture(payment_id=order.id, amount=Money(400, "GBP"), now=now)
        return outcome

    def but_nothing_is_let_go(request: Request) -> Reply:
        if not isinstance(request, Void):
            return send(request)
        if is_silent:
            raise NoAnswer("told to be so")
        return Reply(refusal="cannot_be_released")

    monkeypatch.setattr(payments, "authorise", and_staff_capture_the_earlier_one)
    monkeypatch.setattr(gateway, "send", but_nothing_is_let_go)
    begun = edit(order, now, lines=[more(order, "A", 2)], token="tok_visa")

    earlier = payment_states([order.id])[order.id]
    assert (earlier.captured_minor, earlier.refunded_minor, earlier.rest_minor) == (400, 400, 600)
    assert (begun.is_done, reread(order).payment_id) == (not is_silent, begun.step.id)
    if is_silent:
        is_silent = False
        later = now + timedelta(minutes=5)
        payment_services.resolve_unfinished(now=later)
        settling.settle_unfinished(now=later)
    (step,) = reread(order).steps
    assert (step.state, step.refusal) == ("DONE", "void_refused")
    assert payment_states([order.id])[order.id].refunded_minor == 400
    assert codes_of(order).count("earlier_payment_refunded") == 1


# What cannot be


def refunded(order: Order, now: datetime) -> Order:
    """All of the order's A was given back."""
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    refunding.refund(
        order_id=order.id,
        wish=RefundWish(units={line_ids(order)["A"]: 2}),
        reason="",
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    return reread(order)


@pytest.mark.parametrize("quantity", [0, 1])
def test_a_line_cannot_be_worth_less_than_was_given_back_for_it(
    quantity: int, now: datetime
) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = refunded(orders.placed({"A": 2, "B": 2}, now=now), now)

    with pytest.raises(LineRefunded) as refusal:
        edit(order, now, lines=[more(order, "A", quantity)])

    assert (refusal.value.status, refusal.value.code) == (409, "line_refunded")
    assert reread(order).step_id is None
    assert edit(order, now, lines=[more(order, "B", 1)]).is_done


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("token", ["", "tok_visa"])
def test_a_step_that_can_never_be_carried_out_ends_and_holds_up_nothing(
    token: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 2, "B": 1}, now=now)
    apply_edit = Order.apply_edit

    def to_what_the_database_refuses(self: Order, step: OrderStep, *, now: datetime) -> None:
        apply_edit(self, step, now=now)
        self.lines[0].refunded_minor = self.lines[0].amount_minor + 1

    monkeypatch.setattr(Order, "apply_edit", to_what_the_database_refuses)
    lines = [more(order, "A", 1), more(order, "B", 3 if token else 1)]
    with capture_logs() as logs, pytest.raises(StepRefused):
        edit(order, now, lines=lines, token=token)

    after = reread(order)
    [step] = after.steps
    assert (step.state, step.refusal, after.step_id) == ("REFUSED", "step_failed", None)
    [said] = [line for line in logs if line["log_level"] == "error"]
    assert (said["event"], said["kind"]) == ("step_cannot_be_carried_out", "EDIT")
    assert (said["order_id"], said["step_id"]) == (str(order.id), str(step.id))
    assert (after.total_minor, after.payment_id) == (order.total_minor, order.id)
    assert (stock_of("A"), stock_of("B")) == ((5, 2), (5, 1))
    if token:
        assert payment_states([step.id])[step.id].status is PaymentStatus.VOIDED
    assert money_of(after).status is PaymentStatus.AUTHORISED
    monkeypatch.undo()
    order, _ = cancelling.cancel(
        order_id=order.id,
        reason="",
        lines={line_ids(order)["A"]: 1},
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    assert_order_agrees(order.id)
    assert_books_agree(now)
