"""An order is edited before it is sent: goods and money follow exactly, or nothing changes."""

from __future__ import annotations

from datetime import datetime

import pytest

from domains.orders.errors import (
    OrderNotEditable,
    OutOfStock,
    PaymentCaptured,
    PaymentDeclined,
    PaymentTokenRequired,
    PriceChanged,
    UnknownSku,
)
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import editing, fulfilling
from domains.orders.services.editing import Edit, LineEdit
from domains.payments.public import PaymentStatus, payment_states
from infrastructure.money import Money
from tests.integration.orders.test_fulfilling import fulfil
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    line_ids,
    money_of,
    reread,
    stock,
)
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db


def edit(order: Order, now: datetime, **changes: object) -> editing.Begun:
    return editing.edit(
        order_id=order.id,
        edit=Edit(**changes),  # type: ignore[arg-type]
        reason="customer_request",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def more(order: Order, sku: str, quantity: int) -> LineEdit:
    return LineEdit(line_id=line_ids(order)[sku], quantity=quantity)


def test_fewer_goods_cost_less_and_less_is_taken(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 3, "B": 1}, now=now)

    assert edit(order, now, lines=[more(order, "A", 1), more(order, "B", 0)]).is_done

    order = reread(order)
    assert [(line.sku, line.quantity) for line in order.lines] == [("A", 1)]
    assert order.total_minor == 1000
    assert (stock("A"), stock("B")) == ((5, 1), (5, 0))
    assert money_of(order).status is PaymentStatus.AUTHORISED
    fulfil(order, now)
    assert money_of(order).captured_minor == 1000
    assert reread(order).status == "COMPLETED"
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_more_goods_are_authorised_anew_and_the_earlier_payment_is_let_go(now: datetime) -> None:
    goods.stocked({"A": 5, "C": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    first = order.payment_id

    begun = edit(
        order,
        now,
        lines=[more(order, "A", 2), LineEdit(sku="C", quantity=3)],
        expected_total=Money(5000, "GBP"),
        token="tok_visa",
    )

    order = reread(order)
    assert (order.payment_id, order.total_minor) == (begun.step.id, 5000)
    assert begun.step.payment_token == ""
    assert [(line.sku, line.position, line.quantity) for line in order.lines] == [
        ("A", 0, 2),
        ("C", 1, 3),
    ]
    assert payment_states([first])[first].status is PaymentStatus.VOIDED
    assert money_of(order).authorised_minor == 5000
    assert (stock("A"), stock("C")) == ((5, 2), (5, 3))
    assert "edited" in codes_of(order)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_declined_card_changes_nothing(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    with pytest.raises(PaymentDeclined):
        edit(order, now, lines=[more(order, "A", 2)], token="tok_declined")
    assert reread(order).total_minor == 1000
    assert stock("A") == (5, 1)
    assert money_of(order).status is PaymentStatus.AUTHORISED
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_that_went_meanwhile_let_the_new_authorisation_go(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 1}, now=now)
    authorise = editing.payments.authorise

    def and_somebody_buys_the_rest(**asked: object) -> object:
        outcome = authorise(**asked)  # type: ignore[arg-type]
        goods.held({"A": 2}, now=now)
        return outcome

    monkeypatch.setattr(editing.payments, "authorise", and_somebody_buys_the_rest)
    with pytest.raises(OutOfStock):
        edit(order, now, lines=[more(order, "A", 3)], token="tok_visa")

    order = reread(order)
    [step] = order.steps
    assert payment_states([step.id])[step.id].status is PaymentStatus.VOIDED
    assert money_of(order).status is PaymentStatus.AUTHORISED
    assert (order.total_minor, stock("A")) == (1000, (3, 3))


def test_more_than_there_is_is_refused_before_anything_happens(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 1}, now=now)
    with pytest.raises(OutOfStock):
        edit(order, now, lines=[more(order, "A", 4)], token="tok_visa")
    with pytest.raises(UnknownSku):
        edit(order, now, lines=[LineEdit(sku="Z", quantity=1)], token="tok_visa")
    with pytest.raises(PaymentTokenRequired):
        edit(order, now, lines=[more(order, "A", 2)])
    with pytest.raises(PriceChanged):
        edit(order, now, lines=[more(order, "A", 2)], expected_total=Money(1, "GBP"))
    with pytest.raises(OrderNotEditable):
        edit(order, now, lines=[more(order, "A", 0)])
    assert reread(order).steps == []


def test_nobody_is_asked_for_what_is_owed_on_account(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, payment=PaymentChoice(method="invoice", token=""), now=now)
    assert edit(order, now, lines=[more(order, "A", 3)]).is_done
    assert money_of(reread(order)).authorised_minor == 3000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_was_taken_beyond_a_lower_total_is_given_back(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 3}, now=now)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)

    with pytest.raises(PaymentCaptured):
        edit(order, now, lines=[more(order, "A", 4)], token="tok_visa")
    edit(order, now, lines=[more(order, "A", 1)])

    order = reread(order)
    assert (order.total_minor, order.refunded_minor) == (1000, 2000)
    assert money_of(order).refunded_minor == 2000
    fulfil(order, now)
    assert money_of(order).captured_minor == 3000
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_address_is_changed_without_touching_goods_or_money(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    edit(order, now, shipping_address=orders.ADDRESS | {"city": "York"})
    order = reread(order)
    assert order.shipping_address["city"] == "York"
    assert "York" not in str(list(order.change_rows.values_list("data", flat=True)))
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_order_that_was_partly_sent_is_not_edited(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 2}, now=now)
    fulfil(order, now, lines={line_ids(order)["A"]: 1})
    with pytest.raises(OrderNotEditable):
        edit(order, now, lines=[more(order, "A", 1)])
