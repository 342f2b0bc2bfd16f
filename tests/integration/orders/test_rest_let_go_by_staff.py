"""The rest of what was authorised is let go while the order stands: what was not sent is called
off, what was taken for it goes back, and what was sent stays as it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from domains.orders.errors import StepInProgress
from domains.orders.models import Order
from domains.orders.services import cancelling, fulfilling, refunding, settling, unpaid
from domains.payments import services as payments
from domains.payments.events import PaymentRestReleased
from domains.payments.models import Operation
from domains.payments.rules.operations import OperationKind
from infrastructure.database.contexts import alias_of
from infrastructure.errors import Transient
from infrastructure.events.bus import Dispatcher
from infrastructure.outbox.models import OutboxMessage
from tests.support.after_placement import (
    ANOTHER,
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    differences_in_books,
    money_of,
    reread,
    send_units,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.kill_points import Died
from tests.support.messaging import deliver_outbox, message_of
from tests.support.order_steps import refund
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)


def placed(now: datetime) -> Order:
    goods.stocked({"A": 5}, now=now)
    return orders.placed({"A": 3}, now=now)


def take(order: Order, minor: int, now: datetime) -> None:
    fulfilling.capture(order_id=order.id, amount_minor=minor, by=STAFF, key=None, now=now)


def let_go(order: Order, now: datetime) -> None:
    payments.void(payment_id=order.id, reason="gave up", actor_id=ANOTHER.id, now=now)


def money(order: Order) -> tuple[int, int, int, int]:
    """Authorised, taken, given back, let go."""
    state = money_of(order)
    return (
        state.authorised_minor,
        state.captured_minor,
        state.refunded_minor,
        state.released_minor,
    )


def tell(order: Order, now: datetime) -> None:
    """As the event's handler does."""
    operation = Operation.objects.get(kind="VOID", payment_id=order.id)
    unpaid.call_off_unsent(
        order_id=order.id,
        payment_id=order.id,
        operation_id=operation.id,
        released_minor=operation.amount_minor,
        now=now,
    )


def cancelled(order: Order) -> int:
    return sum(line.cancelled for line in reread(order).lines)


def test_an_order_of_which_nothing_was_sent_is_cancelled_and_what_was_taken_goes_back(
    now: datetime,
) -> None:
    order = placed(now)
    take(order, 100, now)
    let_go(order, now)

    deliver_outbox()

    ended = reread(order)
    assert (ended.status, ended.reason) == ("CANCELLED", "payment_voided")
    assert money(order) == (3_000, 100, 100, 2_900)
    assert stock_of("A") == (5, 0)
    assert codes_of(order) == ["captured", "rest_let_go"]
    noted = ended.change_rows.get(code="rest_let_go")
    assert (noted.actor_id, noted.data) == (ANOTHER.id, {"amount_minor": 2_900})
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_was_sent_stands_and_the_rest_of_the_lines_is_called_off(now: datetime) -> None:
    order = placed(now)
    send_units(order, {"A": 1}, now)
    take(order, 500, now)
    let_go(order, now)

    deliver_outbox()

    ended = reread(order)
    assert (ended.status, ended.total_minor, cancelled(order)) == ("COMPLETED", 1_000, 2)
    assert money(order) == (3_000, 1_500, 500, 1_500)
    assert stock_of("A") == (4, 0)
    assert codes_of(order) == ["fulfilled", "captured", "rest_let_go", "lines_cancelled"]
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_where_everything_has_left_unpaid_the_order_stands_and_the_audit_names_it(
    now: datetime,
) -> None:
    order = placed(now)
    take(order, 100, now)
    send_units(order, {"A": 3}, now, capture=False, may_be_unpaid=True)
    let_go(order, now)

    deliver_outbox()

    assert (reread(order).status, cancelled(order)) == ("CONFIRMED", 0)
    assert money(order) == (3_000, 100, 0, 2_900)
    assert any(order.number in told for told in differences_in_books(now))


def test_an_order_for_which_enough_was_taken_stands(now: datetime) -> None:
    order = placed(now)
    cancelling.cancel(
        order_id=order.id,
        reason="",
        lines=units(order, {"A": 1}),
        by=STAFF,
        key=None,
        now=now,
    )
    take(order, 2_000, now)
    let_go(order, now)

    deliver_outbox()

    assert (reread(order).status, cancelled(order)) == ("CONFIRMED", 1)
    assert money(order) == (3_000, 2_000, 0, 1_000)
    assert stock_of("A") == (5, 2)
    send_units(order, {"A": 2}, now)
    assert reread(order).status == "COMPLETED"
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_let_go_at_the_gateway_it_ends_in_the_same_way(now: datetime) -> None:
    order = placed(now)
    take(order, 100, now)
    payments.outcomes.change(
        payments.outcomes.load(order.id),
        lambda payment: payment.record_elsewhere(
            OperationKind.VOID, amount_minor=0, reference="elsewhere_1", at=now, now=now
        ),
    )

    deliver_outbox()

    ended = reread(order)
    assert (ended.status, ended.change_rows.get(code="rest_let_go").actor_kind) == (
        "CANCELLED",
        "system",
    )
    assert money(order) == (3_000, 100, 100, 2_900)
    assert_order_agrees(order.id)


def test_a_refund_that_waits_for_a_second_person_does_not_hold_it_up(
    now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 40}
    order = placed(now)
    take(order, 100, now)
    waiting = refund(order, now, amount_minor=50).step
    assert waiting.state == "AWAITING_APPROVAL"
    settings.REFUND_APPROVAL_ABOVE = {}
    let_go(order, now)

    deliver_outbox()

    ended = reread(order)
    given_up = ended.step(waiting.id)
    assert (given_up.state, given_up.refusal, given_up.decided_by) == (
        "REFUSED",
        "not_approved",
        ANOTHER.id,
    )
    assert (ended.status, ended.reason) == ("CANCELLED", "payment_voided")
    assert money(order) == (3_000, 100, 100, 2_900)
    assert stock_of("A") == (5, 0)
    assert codes_of(order) == ["captured", "approval_asked", "step_disapproved", "rest_let_go"]
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_however_often_and_by_how_many_it_is_told_it_is_done_once(now: datetime) -> None:
    order = placed(now)
    send_units(order, {"A": 1}, now)
    take(order, 500, now)
    let_go(order, now)

    def told(_: int) -> str:
        try:
            tell(order, now)
        except StepInProgress:
            return "later"
        finally:
            connections.close_all()
        return "told"

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(told, range(12)))

    assert "told" in outcomes
    tell(order, now)
    assert codes_of(order).count("rest_let_go") == codes_of(order).count("lines_cancelled") == 1
    assert money(order) == (3_000, 1_500, 500, 1_500)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_much_money_goes_back_only_once_another_person_agrees(now: datetime, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 500}
    order = placed(now)
    take(order, 501, now)
    let_go(order, now)
    deliver_outbox()

    waiting = reread(order)
    step: Any = waiting.open_step
    assert (step.state, step.actor_id, step.gives_minor) == (
        "AWAITING_APPROVAL",
        ANOTHER.id,
        501,
    )
    tell(order, now)  # does not ask again
    assert [one.kind for one in reread(order).steps] == ["CAPTURE", "CANCEL"]
    refunding.approve_step(order_id=order.id, step_id=step.id, actor_id=_somebody(), now=now)

    assert reread(order).status == "CANCELLED"
    assert money(order) == (3_000, 501, 501, 2_499)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_waits_for_a_second_person_gives_way_and_much_money_waits_for_one_again(
    now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 500}
    order = placed(now)
    take(order, 501, now)
    cancelling.cancel(order_id=order.id, reason="", refund=True, by=STAFF, key=None, now=now)
    let_go(order, now)

    deliver_outbox()

    steps = [(one.kind, one.state, one.actor_id) for one in reread(order).steps]
    assert steps == [
        ("CAPTURE", "DONE", STAFF.id),
        ("CANCEL", "REFUSED", STAFF.id),
        ("CANCEL", "AWAITING_APPROVAL", ANOTHER.id),
    ]
    assert money(order) == (3_000, 501, 0, 2_499)


def test_while_something_else_is_done_to_the_order_it_is_told_again_later(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = placed(now)
    take(order, 501, now)

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(settling, "carry_on", die)
        with pytest.raises(Died):
            refund(order, now, amount_minor=1)
    let_go(order, now)
    payments_outbox = OutboxMessage.objects.using(alias_of("payments"))
    released = payments_outbox.get(name=PaymentRestReleased.name)

    with pytest.raises(Transient):
        Dispatcher("orders").handle([message_of(released)])
    assert [one.kind for one in reread(order).steps] == ["CAPTURE", "REFUND"]

    deliver_outbox()
    assert reread(order).status == "CANCELLED"
    assert money(order) == (3_000, 501, 501, 2_499)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def _somebody() -> UUID:
    assert STAFF.id is not None
    return STAFF.id
