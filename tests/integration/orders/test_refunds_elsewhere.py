"""Money that went back without an order asking: by payments' own doors, or at the gateway."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.orders.errors import RefundExceedsPayment, StepOutdated
from domains.orders.models import Document, Order, PaymentChoice
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.rules.history import SYSTEM, By, Kind
from domains.orders.services import previewing, refunding, settling
from domains.orders.services.invoicing import issue_due
from domains.payments import services as payments
from domains.payments.errors import SecondPersonRequired
from domains.payments.rules.operations import OperationKind
from infrastructure import clock
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
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
from tests.support.factories.users import client_of, staff
from tests.support.messaging import deliver_outbox
from tests.support.order_steps import came_back, fulfil

pytestmark = pytest.mark.django_db(transaction=True)


def sent(now: datetime, **quantities: int) -> Order:
    """An order that was sent, paid and invoiced."""
    goods.stocked(dict.fromkeys(quantities, 9), now=now)
    order = orders.placed(quantities, now=now)
    fulfil(order, now)
    deliver_outbox()
    return reread(order)


def refund_elsewhere(order: Order, now: datetime, minor: int | None = None) -> None:
    amount = None if minor is None else Money(minor, "GBP")
    payments.refund(
        payment_id=order.payment_id, amount=amount, reason="goodwill", actor_id=new_id(), now=now
    )


def refund_at_the_gateway(order: Order, now: datetime, minor: int) -> None:
    """As the gateway tells of what somebody did in its dashboard."""
    payments.outcomes.change(
        payments.outcomes.load(order.payment_id),
        lambda payment: payment.record_elsewhere(
            OperationKind.REFUND, amount_minor=minor, reference="re_1", at=now, now=now
        ),
    )


def refund(order: Order, now: datetime, by: By = STAFF, **wish: Any) -> None:
    refunding.refund(
        order_id=order.id,
        wish=RefundWish(**wish),
        reason="goodwill",
        by=by,
        key=orders.key(),
        now=now,
    )


def documented(order: Order) -> list[tuple[str, int]]:
    rows = Document.objects.filter(order_id=order.id).order_by("issued_at", "id")
    return [(row.kind, row.gross_minor) for row in rows]


@pytest.mark.parametrize("give_back", [refund_elsewhere, refund_at_the_gateway])
def test_an_order_learns_of_it_once_and_credits_it(now: datetime, give_back: Any) -> None:
    order = sent(now, A=2)
    give_back(order, now, 500)
    for _ in range(2):
        deliver_outbox()
        order = reread(order)
        assert (order.refunded_minor, order.payment_status) == (500, "PARTIALLY_REFUNDED")
        assert codes_of(order).count("refunded") == 1
        assert documented(order) == [("INVOICE", 2000), ("CREDIT_NOTE", 500)]
    with pytest.raises(RefundExceedsPayment):
        refund(order, now, amount_minor=1501)
    refund(order, now)
    assert reread(order).refunded_minor == 2000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_who_gave_back_by_the_doors_of_payments_gives_back_less_alone_by_the_orders(
    now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1_000}
    order = sent(now, A=3)
    amount = Money(600, "GBP")
    payments.refund(
        payment_id=order.payment_id, amount=amount, reason="", actor_id=STAFF.id, now=now
    )
    refund_at_the_gateway(order, now, 500)
    deliver_outbox()
    known, unknown = reread(order).steps[-2:]
    assert (known.actor, unknown.actor) == (STAFF, SYSTEM)

    refund(order, now, amount_minor=400)
    assert reread(order).refunded_minor == 1_500
    refund(order, now, amount_minor=1)

    waits = reread(order).open_step
    assert waits is not None
    assert (waits.state, waits.gives_minor) == ("AWAITING_APPROVAL", 1)


@pytest.mark.parametrize("is_silent", [False, True])
def test_what_payments_gave_back_counts_before_the_order_has_heard_of_it(
    now: datetime, settings: Any, gateway: ScriptedGateway, is_silent: bool
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1_000}
    order = sent(now, A=3)
    gateway.is_silent = is_silent
    amount = Money(600, "GBP")
    _, operation = payments.refund(
        payment_id=order.payment_id, amount=amount, reason="", actor_id=STAFF.id, now=now
    )
    assert operation.state == ("UNKNOWN" if is_silent else "SUCCEEDED")

    def needs_approval(minor: int, by: By) -> bool:
        wish = RefundWish(amount_minor=minor)
        found = previewing.refund(order_id=order.id, wish=wish, by=by, now=now)
        return found.needs_approval

    assert not needs_approval(400, STAFF)
    assert not needs_approval(401, By(kind=Kind.STAFF, id=new_id()))
    assert needs_approval(401, STAFF)
    refund(order, now, amount_minor=401)
    waits = reread(order).open_step
    assert waits is not None
    assert (waits.state, waits.gives_minor) == ("AWAITING_APPROVAL", 401)


def test_who_refunds_what_they_bought_themselves_is_one_person_at_every_door(
    now: datetime, settings: Any
) -> None:
    """The API names them as the order's customer, the admin as staff."""
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1_000}
    order = sent(now, A=3)
    refund(order, now, By(kind=Kind.CUSTOMER, id=STAFF.id), amount_minor=600)
    refund(order, now, amount_minor=401)
    waits = reread(order).open_step
    assert waits is not None
    assert (waits.state, waits.gives_minor) == ("AWAITING_APPROVAL", 401)


def test_who_gave_back_by_the_orders_gives_back_less_alone_by_the_doors_of_payments(
    now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1_000}
    order = sent(now, A=3)
    refund(order, now, amount_minor=600)

    def give_back(minor: int, by: Any) -> None:
        amount = Money(minor, "GBP")
        payments.refund(payment_id=order.payment_id, amount=amount, reason="", actor_id=by, now=now)

    with pytest.raises(SecondPersonRequired):
        give_back(401, STAFF.id)
    give_back(401, new_id())
    give_back(400, STAFF.id)
    with pytest.raises(SecondPersonRequired):
        give_back(1, STAFF.id)
    assert money_of(order).refunded_minor == 1_401


def test_an_event_that_comes_again_changes_nothing(now: datetime) -> None:
    order = sent(now, A=2)
    refund_elsewhere(order, now, 500)
    operation = payments.outcomes.load(order.payment_id).operations[-1]
    for _ in range(2):
        refunding.see_refund(
            order_id=order.id, operation_id=operation.id, amount_minor=500, now=now
        )
    deliver_outbox()
    assert reread(order).refunded_minor == 500
    assert [step.id for step in reread(order).steps if step.kind == "REFUND"] == [operation.id]


def test_what_the_order_asked_for_itself_is_not_counted_again(now: datetime) -> None:
    order = sent(now, A=2)
    refund(order, now, units=units(order, {"A": 1}))
    deliver_outbox()
    order = reread(order)
    assert (order.refunded_minor, codes_of(order).count("refunded")) == (1000, 1)
    assert documented(order) == [("INVOICE", 2000), ("CREDIT_NOTE", 1000)]
    assert_books_agree(now)


def told_of(order: Order, return_id: UUID) -> tuple[str, int]:
    back = reread(order).returned(return_id)
    return back.state, back.refunded_minor


def test_a_return_that_was_refunded_elsewhere_is_over(now: datetime) -> None:
    order = sent(now, A=2)
    back = came_back(order, now, A=1).id
    refund_elsewhere(order, now, 400)
    deliver_outbox()
    assert told_of(order, back) == ("RECEIVED", 0)
    refund_elsewhere(order, now)
    deliver_outbox()
    assert told_of(order, back) == ("REFUNDED", 1000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_return_tells_what_went_back_before_the_order_has_heard_of_it(now: datetime) -> None:
    order = sent(now, A=3)
    refund_elsewhere(order, now)
    back = came_back(order, now, A=2).id
    assert told_of(order, back) == ("REFUNDED", 2000)
    deliver_outbox()
    assert told_of(order, back) == ("REFUNDED", 2000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_return_tells_of_all_refunds_whichever_is_heard_of_first(now: datetime) -> None:
    order = sent(now, A=3)
    back = came_back(order, now, A=3).id
    refund_elsewhere(order, now, 1000)
    refund_at_the_gateway(order, now, 2000)
    deliver_outbox()
    assert told_of(order, back) == ("REFUNDED", 3000)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_refund_that_waits_for_somebody_finds_what_is_left(now: datetime, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1000}
    order = sent(now, A=2)
    begun = refunding.refund(
        order_id=order.id,
        wish=RefundWish(amount_minor=1600),
        reason="",
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    refund_elsewhere(order, now, 500)
    deliver_outbox()
    assert reread(order).refunded_minor == 500
    step = {"order_id": order.id, "step_id": begun.step.id, "actor_id": new_id(), "now": now}
    with pytest.raises(StepOutdated):
        refunding.approve_step(**step)
    refunding.disapprove_step(**step, reason="outdated")
    assert reread(order).step(begun.step.id).state == "REFUSED"
    assert money_of(order).refunded_minor == reread(order).refunded_minor == 500
    assert_order_agrees(order.id)
    assert_books_agree(now)


@pytest.mark.parametrize("asked_by_order", [True, False])
def test_what_came_too_much_goes_back_without_a_credit_note(
    now: datetime, settings: Any, asked_by_order: bool
) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer"]
    goods.stocked({"A": 9}, now=now)
    paid = PaymentChoice(method="bank_transfer", token="")
    order = orders.placed({"A": 2}, payment=paid, now=now)
    payments.record_receipt(
        payment_id=order.payment_id,
        amount=Money(2500, "GBP"),
        reference="tx-1",
        received_at=now,
        now=now,
    )
    settling.settle(order_id=order.id, now=now)
    fulfil(order, now)
    deliver_outbox()
    assert documented(order) == [("INVOICE", 2000)]
    if asked_by_order:
        refund(order, now, amount_minor=500)
    else:
        refund_elsewhere(order, now, 500)
    deliver_outbox()
    order = reread(order)
    assert (order.status, order.refunded_minor) == ("COMPLETED", 500)
    assert issue_due(order_id=order.id, now=now) == []
    refund_elsewhere(order, now, 300)
    deliver_outbox()
    assert documented(order) == [("INVOICE", 2000), ("CREDIT_NOTE", 300)]
    assert_books_agree(now)


def test_what_was_given_back_before_the_order_was_decided_lowers_no_price(
    settings: Any,
) -> None:
    now = clock.now()
    settings.PAYMENT_METHODS = ["bank_transfer"]
    goods.stocked({"A": 9}, now=now)
    paid = PaymentChoice(method="bank_transfer", token="")
    order = orders.placed({"A": 2}, payment=paid, now=now)
    for reference, minor in (("tx-1", 700), ("tx-2", 2000)):
        payments.record_receipt(
            payment_id=order.payment_id,
            amount=Money(minor, "GBP"),
            reference=reference,
            received_at=now,
            now=now,
        )
        if reference == "tx-1":
            refund_elsewhere(order, now)
        deliver_outbox()
    order = reread(order)
    assert (order.status, order.refunded_minor) == ("CONFIRMED", 700)
    fulfil(order, now)
    deliver_outbox()
    assert documented(order) == [("INVOICE", 2000)]
    assert_books_agree(now)


def test_one_person_refunds_much_by_the_order_only(now: datetime, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1000}
    order = sent(now, A=2)
    client = client_of(staff("finance"))
    path = f"/api/v1/payments/{order.payment_id}/refunds"

    def ask(key: str, **body: Any) -> Any:
        return client.post(
            path,
            {"reason": "broken"} | body,
            content_type="application/json",
            headers={"Idempotency-Key": key},
        )

    answers = [ask("all"), ask("more", amount={"amount": "10.01", "currency": "GBP"})]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (403, "second_person_required")
        assert f"by its order, {order.number}" in answer.json()["detail"]
    assert money_of(order).refunded_minor == 0
    assert ask("less", amount={"amount": "10.00", "currency": "GBP"}).status_code == 200
    deliver_outbox()
    assert reread(order).refunded_minor == 1000
    assert_books_agree(now)
