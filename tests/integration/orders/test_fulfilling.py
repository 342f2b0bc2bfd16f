"""Goods leave in parts, and exactly their money is taken with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from domains.orders.errors import (
    CaptureExceedsTotal,
    CaptureRefused,
    FulfilmentNotFound,
    NothingToCapture,
    NotInWarehouse,
    NotPaidFor,
    OrderNotFulfillable,
    StepInProgress,
    TooManyUnits,
    UnknownLine,
)
from domains.orders.models import PaymentChoice
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.services import fulfilling, placement, settling, steps
from domains.payments.public import PaymentStatus
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    differences_in_books,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.order_steps import fulfil
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db


def test_all_of_an_order_is_sent_and_paid_and_so_it_is_completed(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 2, "B": 1}, now=now)

    begun = fulfil(order, now, tracking=Tracking(carrier="DHL", number="JD01"))

    assert begun.is_done
    order = reread(order)
    assert (order.status, order.fulfilment_status) == ("COMPLETED", "FULFILLED")
    assert (order.payment_status, order.total_minor) == ("CAPTURED", 3000)
    [parcel] = order.fulfilments
    assert (parcel.id, parcel.carrier, parcel.tracking_number) == (begun.step.id, "DHL", "JD01")
    assert parcel.captured_minor == 3000
    assert (stock_of("A"), stock_of("B")) == ((3, 0), (4, 0))
    assert money_of(order).captured_minor == 3000
    assert "fulfilled" in codes_of(order)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_parts_are_paid_to_the_minor_unit_and_add_up_to_the_total(now: datetime) -> None:
    goods.stocked({"A": 3, "B": 3}, now=now)
    order = orders.placed({"A": 3, "B": 1}, now=now)

    taken = []
    for part in ({"A": 1}, {"A": 1, "B": 1}, {"A": 1}):
        fulfil(order, now, lines=units(order, part))
        taken.append(money_of(order).captured_minor)

    assert taken == [1000, 3000, 4000]
    assert [f.captured_minor for f in reread(order).fulfilments] == [1000, 2000, 1000]
    assert reread(order).status == "COMPLETED"
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_part_that_was_sent_leaves_the_rest_held(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)

    fulfil(order, now, lines=units(order, {"A": 2}))

    order = reread(order)
    assert (order.status, order.fulfilment_status) == ("CONFIRMED", "PARTIALLY_FULFILLED")
    assert stock_of("A") == (3, 1)
    assert money_of(order).status is PaymentStatus.PARTIALLY_CAPTURED
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_no_more_is_sent_than_is_open(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfil(order, now, lines=units(order, {"A": 2}))

    with pytest.raises(TooManyUnits) as refused:
        fulfil(order, now, lines=units(order, {"A": 2}))
    assert [(e.pointer, e.current) for e in refused.value.errors] == [("/lines/0/quantity", 1)]
    with pytest.raises(UnknownLine):
        fulfil(order, now, lines={new_id(): 1})
    fulfil(order, now)
    with pytest.raises(OrderNotFulfillable):
        fulfil(order, now)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_key_sends_once(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    key = orders.key()

    first = fulfil(order, now, lines=units(order, {"A": 1}), key=key)
    again = fulfil(order, now, lines=units(order, {"A": 1}), key=key)

    assert (first.replayed, again.replayed) == (False, True)
    assert first.step.id == again.step.id
    assert stock_of("A") == (4, 2)


def test_whoever_saw_another_version_is_refused(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    with pytest.raises(ConcurrentModification):
        fulfil(order, now, version=reread(order).version - 1)
    assert fulfil(order, now, version=reread(order).version).is_done


def test_what_the_warehouse_lacks_is_not_paid_for(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)

    with pytest.raises(NotInWarehouse) as refused:
        fulfil(order, now, warehouse="north")

    assert "3 of A wanted, 0 there" in refused.value.errors[0].detail
    assert money_of(order).captured_minor == 0
    assert stock_of("A") == (5, 3)
    assert "step_refused" in codes_of(order)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_money_that_cannot_be_taken_keeps_the_goods_in(
    now: datetime, gateway: ScriptedGateway
) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    gateway.refusal = "expired_authorisation"

    with pytest.raises(CaptureRefused):
        fulfil(order, now)

    assert stock_of("A") == (5, 3)
    assert reread(order).fulfilments == []
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_was_taken_before_is_not_taken_again(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)

    taken = fulfilling.capture(
        order_id=order.id, amount_minor=1500, by=STAFF, key=orders.key(), now=now
    )
    assert taken.is_done
    fulfil(order, now, lines=units(order, {"A": 1}))
    assert money_of(order).captured_minor == 1500
    fulfil(order, now)
    assert money_of(order).captured_minor == 3000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_order_may_be_paid_after_it_was_sent_and_is_completed_then(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)

    fulfil(order, now, lines=units(order, {"A": 1}))
    fulfil(order, now, capture=False, may_be_unpaid=True)
    assert reread(order).status == "CONFIRMED"
    assert money_of(order).captured_minor == 1000
    [found] = differences_in_books(now)
    assert "sent for 3000 GBP (minor units), and 1000 GBP (minor units) was taken" in found
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)

    assert reread(order).status == "COMPLETED"
    with pytest.raises(NothingToCapture):
        fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_that_are_not_paid_for_are_sent_only_by_whom_it_is_allowed(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)

    with pytest.raises(NotPaidFor, match=r"30\.00 GBP"):
        fulfil(order, now, capture=False)

    assert (stock_of("A"), reread(order).steps) == ((5, 3), [])
    fulfilling.capture(order_id=order.id, amount_minor=1000, by=STAFF, key=orders.key(), now=now)
    fulfil(order, now, capture=False, lines=units(order, {"A": 1}))  # it is paid for
    with pytest.raises(NotPaidFor, match=r"10\.00 GBP"):
        fulfil(order, now, capture=False, lines=units(order, {"A": 1}))
    assert_books_agree(now)


def test_what_is_owed_on_account_is_sent_before_it_is_paid(now: datetime, settings: Any) -> None:
    settings.PAYMENT_METHODS = ["card", "invoice"]
    goods.stocked({"A": 5}, now=now)
    on_account = PaymentChoice(method="invoice", token="")
    order = orders.placed({"A": 3}, payment=on_account, now=now)

    fulfil(order, now, capture=False)

    assert reread(order).status == "COMPLETED"
    assert_books_agree(now)


def test_no_more_is_taken_than_is_to_be_paid(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    with pytest.raises(CaptureExceedsTotal):
        fulfilling.capture(
            order_id=order.id, amount_minor=3001, by=STAFF, key=orders.key(), now=now
        )


@pytest.mark.django_db(transaction=True)
def test_a_gateway_that_is_silent_is_asked_again_and_the_parcel_waits(
    now: datetime, gateway: ScriptedGateway
) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    gateway.is_silent = True

    begun = fulfil(order, now)
    assert (begun.is_done, begun.step.state) == (False, "REQUESTED")
    assert stock_of("A") == (5, 3)
    with pytest.raises(StepInProgress):
        fulfil(order, now)

    gateway.is_silent = False
    settling.settle_unfinished(now=now + timedelta(minutes=1))
    assert reread(order).status == "COMPLETED"
    assert stock_of("A") == (2, 0)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_order_that_is_not_confirmed_sends_nothing(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    placement.cancel_order(order_id=order.id, reason="", now=now)
    with pytest.raises(OrderNotFulfillable):
        fulfil(order, now)


def test_a_parcel_can_be_followed(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    parcel = fulfil(order, now).step.id

    fulfilling.track(
        order_id=order.id,
        fulfilment_id=parcel,
        tracking=Tracking(carrier="UPS", number="1Z", url="https://example.org/1Z"),
        by=STAFF,
        now=now,
    )
    [found] = reread(order).fulfilments
    assert (found.carrier, found.tracking_number) == ("UPS", "1Z")
    with pytest.raises(FulfilmentNotFound):
        fulfilling.track(
            order_id=order.id, fulfilment_id=new_id(), tracking=Tracking(), by=STAFF, now=now
        )


def test_goods_that_go_after_their_money_was_taken_leave_a_note_of_it(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 2}, now=now)
    take = steps.payments.capture

    def and_somebody_empties_the_warehouse(**asked: object) -> object:
        outcome = take(**asked)  # type: ignore[arg-type]
        with connections[alias_of("products")].cursor() as cursor:
            cursor.execute("UPDATE products_stocklevel SET on_hand = 1")
        return outcome

    monkeypatch.setattr(steps.payments, "capture", and_somebody_empties_the_warehouse)
    with pytest.raises(NotInWarehouse):
        fulfil(order, now)

    assert codes_of(order) == ["captured", "step_refused"]
    assert money_of(order).captured_minor == 2000
    noted = order.change_rows.get(code="captured")
    assert noted.data == {"amount_minor": 2000}
