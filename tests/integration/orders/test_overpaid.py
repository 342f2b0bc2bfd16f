"""Money that comes, or is taken, after its order got cheaper or is over: staff are told to give it
back, whatever of both is heard of last."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.orders.errors import StepOutdated
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import cancelling, overpaid, refunding
from domains.orders.services.beginning import Begun
from domains.orders.services.editing import LineEdit
from domains.payments import services as payments
from domains.payments.models import Payment
from infrastructure.money import Money
from tests.support.after_placement import (
    ANOTHER,
    STAFF,
    assert_books_agree,
    differences_in_books,
    line_ids,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.order_steps import capture, edit, fulfil, refund

pytestmark = pytest.mark.django_db(transaction=True)

INVOICE = PaymentChoice(method="invoice", token="")
BANK = PaymentChoice(method="bank_transfer", token="")


@pytest.fixture(autouse=True)
def _stock(now: datetime) -> None:
    goods.stocked({"A": 9, "B": 9}, now=now)


def comes(order: Order, amount_minor: int, reference: str, now: datetime) -> None:
    payments.record_receipt(
        payment_id=order.payment_id,
        amount=Money(amount_minor, "GBP"),
        reference=reference,
        received_at=now,
        now=now,
    )


def cancel(order: Order, now: datetime, **how: Any) -> Begun:
    _, begun = cancelling.cancel(
        order_id=order.id, reason="mistake", by=STAFF, key=orders.key(), now=now, **how
    )
    assert begun is not None
    return begun


def owed(order: Order) -> tuple[int, str | None]:
    """What payments say that has to go back, and why staff have to look."""
    payment = Payment.objects.whole(order.payment_id)
    return payment.owed_back_minor, payment.attention


def cheaper(order: Order, how: str, now: datetime) -> None:
    if how == "cancelled":
        cancel(order, now, lines=units(order, {"A": 2}))
    else:
        edit(order, now, lines=[LineEdit(line_id=line_ids(order)["A"], quantity=1)])


@pytest.mark.parametrize("how", ["cancelled", "edited"])
@pytest.mark.parametrize("is_heard_last", [True, False])
def test_what_is_paid_by_the_old_invoice_has_to_go_back(
    now: datetime, how: str, is_heard_last: bool
) -> None:
    order = orders.placed({"A": 3}, payment=INVOICE, now=now)
    cheaper(order, how, now)
    if is_heard_last:
        deliver_outbox()
    comes(order, 3000, "R1", now)
    deliver_outbox()

    assert owed(order) == (2000, "owed_back")
    assert any("charges 1000 GBP (minor units), and 3000 GBP" in one for one in
               differences_in_books(now))  # fmt: skip

    refund(reread(order), now, amount_minor=2000)
    deliver_outbox()
    assert owed(order) == (0, None)
    assert_books_agree(now)


def test_what_came_while_the_order_got_cheaper_has_to_go_back(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was decided what goes back, and before that is written; its event is heard then, and
    the order's only afterwards."""
    order = orders.placed({"A": 3}, payment=INVOICE, now=now)
    finish = Order.finish_cancel_lines

    def slowly(self: Order, *args: Any, **named: Any) -> None:
        monkeypatch.setattr(Order, "finish_cancel_lines", finish)
        comes(order, 3000, "R1", now)
        overpaid.tell_overpaid(order_ids=(), paid=[order.number], now=now)
        finish(self, *args, **named)

    monkeypatch.setattr(Order, "finish_cancel_lines", slowly)
    cancel(order, now, lines=units(order, {"A": 2}))
    assert owed(order) == (0, None)
    deliver_outbox()
    assert owed(order) == (2000, "owed_back")


@pytest.mark.parametrize("choice", [INVOICE, BANK])
def test_what_is_paid_again_for_an_order_that_is_over_has_to_go_back(
    now: datetime, choice: PaymentChoice
) -> None:
    order = orders.placed({"A": 1}, payment=choice, now=now)
    comes(order, 1000, "R1", now)
    deliver_outbox()
    cancel(reread(order), now, refund=True)
    deliver_outbox()
    assert owed(order) == (0, None)

    comes(order, 1000, "R2", now)
    deliver_outbox()
    assert owed(order) == (1000, "owed_back")


def test_what_is_paid_again_after_all_went_back_has_to_go_back(now: datetime) -> None:
    order = orders.placed({"A": 1}, payment=INVOICE, now=now)
    comes(order, 1000, "R1", now)
    deliver_outbox()
    fulfil(order, now)
    refund(order, now, amount_minor=1000)
    deliver_outbox()
    assert owed(order) == (0, None)

    comes(order, 1000, "R2", now)
    deliver_outbox()
    assert owed(order) == (1000, "owed_back")


def test_more_is_captured_than_the_order_costs_by_now(now: datetime) -> None:
    order = orders.placed({"A": 4}, now=now)
    cancel(order, now, lines=units(order, {"A": 3}))
    payments.capture(payment_id=order.payment_id, actor_id=STAFF.id, now=now)
    deliver_outbox()

    assert owed(order) == (3000, "owed_back")


@pytest.mark.parametrize("choice", [INVOICE, BANK])
def test_what_was_too_much_may_pay_for_more(now: datetime, choice: PaymentChoice) -> None:
    order = orders.placed({"A": 1}, payment=choice, now=now)
    comes(order, 1000, "R1", now)
    comes(order, 1500, "R2", now)
    deliver_outbox()
    assert owed(order) == (1500, "owed_back")

    edit(reread(order), now, lines=[LineEdit(line_id=line_ids(order)["A"], quantity=2)])
    deliver_outbox()
    assert reread(order).total_minor == 2000
    state = Payment.objects.whole(order.payment_id)
    kept = state.captured_minor - state.refunded_minor
    assert owed(order) == ((500, "owed_back") if kept == 2500 else (0, None))

    comes(order, 700, "R3", now)
    assert owed(order)[1] == "owed_back"
    deliver_outbox()
    assert owed(order) == (kept - 1300, "owed_back")
    refund(reread(order), now, amount_minor=kept - 1300)
    deliver_outbox()
    assert owed(order) == (0, None)
    fulfil(reread(order), now)
    deliver_outbox()
    assert reread(order).status == "COMPLETED"
    assert_books_agree(now)


@pytest.mark.parametrize("choice", [None, INVOICE])
def test_what_goes_back_by_the_order_itself_is_nobodys_business(
    now: datetime, choice: PaymentChoice | None
) -> None:
    how = {} if choice is None else {"payment": choice}
    order = orders.placed({"A": 3}, now=now, **how)  # type: ignore[arg-type]
    if choice is None:
        capture(order, now)
    else:
        comes(order, 3000, "R1", now)
    deliver_outbox()
    edit(reread(order), now, lines=[LineEdit(line_id=line_ids(order)["A"], quantity=1)])
    deliver_outbox()

    assert owed(order) == (0, None)
    assert_books_agree(now)


class TestAgreedToLater:
    """What a second person agrees to is what they were shown."""

    @pytest.fixture(autouse=True)
    def _always_two(self, settings: Any) -> None:
        settings.REFUND_APPROVAL_ABOVE = {"GBP": 100}

    @staticmethod
    def approve(order: Order, step_id: UUID, now: datetime) -> Begun:
        return refunding.approve_step(
            order_id=order.id, step_id=step_id, actor_id=ANOTHER.id, now=now
        )

    def test_an_order_that_is_cancelled_keeps_nothing_that_came_since(self, now: datetime) -> None:
        order = orders.placed({"A": 2}, payment=INVOICE, now=now)
        comes(order, 1000, "R1", now)
        deliver_outbox()
        asked = cancel(reread(order), now, refund=True)
        comes(order, 1000, "R2", now)
        deliver_outbox()

        with pytest.raises(StepOutdated) as refused:
            self.approve(order, asked.step.id, now)
        assert refused.value.detail == (
            "10.00 GBP was asked for, and 20.00 GBP would go back by now: ask for it again."
        )
        assert reread(order).status == "CONFIRMED"

        refunding.disapprove_step(
            order_id=order.id, step_id=asked.step.id, actor_id=ANOTHER.id, reason="old", now=now
        )
        again = cancel(reread(order), now, refund=True)
        assert self.approve(order, again.step.id, now).is_done
        deliver_outbox()
        assert (reread(order).status, owed(order)) == ("CANCELLED", (0, None))
        assert_books_agree(now)

    @pytest.mark.parametrize("how", ["cancelled", "edited"])
    def test_what_went_back_since_does_not_go_back_again(self, now: datetime, how: str) -> None:
        order = orders.placed({"A": 1, "B": 1}, now=now)
        capture(order, now)
        order = reread(order)
        if how == "cancelled":
            asked = cancel(order, now, lines=units(order, {"B": 1}), refund=True)
        else:
            asked = edit(order, now, lines=[LineEdit(line_id=line_ids(order)["B"], quantity=0)])
        payments.refund(
            payment_id=order.payment_id,
            amount=Money(1000, "GBP"),
            reason="dashboard",
            actor_id=None,
            now=now,
        )
        deliver_outbox()

        with pytest.raises(StepOutdated):
            self.approve(order, asked.step.id, now)
        assert Payment.objects.get(pk=order.payment_id).refunded_minor == 1000
