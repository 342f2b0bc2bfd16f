"""An order is edited before it is sent: goods and money follow exactly, or nothing changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from domains.orders.api.serializers.steps import Step
from domains.orders.errors import (
    OrderNotEditable,
    OutOfStock,
    PaymentCaptured,
    PaymentDeclined,
    PaymentTokenRequired,
    PriceChanged,
    StepInProgress,
    TotalTooLarge,
    UnknownSku,
)
from domains.orders.models import Order, PaymentChoice
from domains.orders.models.commands.editing import ORDER_FIELDS
from domains.orders.queries import orders as queries
from domains.orders.rules import steps as rules
from domains.orders.services import cancelling, editing, fulfilling, settling
from domains.orders.services.editing import LineEdit
from domains.payments import public as payments
from domains.payments import services as payment_services
from domains.payments.gateways.port import Authorise
from domains.payments.public import PaymentStatus, payment_states
from domains.payments.rules.gateways import Reply
from domains.pricing.public import Conditions, create_coupon
from domains.pricing.queries import staff
from domains.pricing.services import coupons, promotions, shipping, taxes
from domains.products.services import price_lists
from domains.products.services import prices as product_prices
from infrastructure.money import MAX_AMOUNT_MINOR, Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    codes_of,
    line_ids,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.order_steps import edit, fulfil, more
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db


def test_an_edit_makes_no_order_that_is_worth_more_than_can_be_charged(now: datetime) -> None:
    goods.product(sku="GOLD", price_minor=MAX_AMOUNT_MINOR // 2, stock=10, now=now)
    prices.promotion(percent=Decimal(90), now=now)
    order = orders.placed({"GOLD": 2}, now=now)

    with pytest.raises(TotalTooLarge) as refused:
        edit(order, now, lines=[more(order, "GOLD", 3)])
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/lines", "total_too_large")]

    assert reread(order).subtotal_minor == MAX_AMOUNT_MINOR
    assert stock_of("GOLD") == (10, 2)


def test_fewer_goods_cost_less_and_less_is_taken(now: datetime) -> None:
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 3, "B": 1}, now=now)

    assert edit(order, now, lines=[more(order, "A", 1), more(order, "B", 0)]).is_done

    order = reread(order)
    assert [(line.sku, line.quantity) for line in order.lines] == [("A", 1)]
    assert order.total_minor == 1000
    assert (stock_of("A"), stock_of("B")) == ((5, 1), (5, 0))
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
    assert (stock_of("A"), stock_of("C")) == ((5, 2), (5, 3))
    assert "edited" in codes_of(order)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_declined_card_changes_nothing(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    with pytest.raises(PaymentDeclined) as refused:
        edit(order, now, lines=[more(order, "A", 2)], token="tok_insufficient_funds")
    assert refused.value.members == {"decline_reason": "insufficient_funds"}
    (fault,) = refused.value.errors
    assert (fault.pointer, fault.detail) == (
        "/payment",
        "There is not enough money behind the card.",
    )
    assert reread(order).total_minor == 1000
    assert stock_of("A") == (5, 1)
    assert money_of(order).status is PaymentStatus.AUTHORISED
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_that_went_meanwhile_let_the_new_authorisation_go(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 1}, now=now)
    authorise = payments.authorise

    def and_somebody_buys_the_rest(**asked: object) -> object:
        outcome = authorise(**asked)  # type: ignore[arg-type]
        goods.held({"A": 2}, now=now)
        return outcome

    monkeypatch.setattr(payments, "authorise", and_somebody_buys_the_rest)
    with pytest.raises(OutOfStock):
        edit(order, now, lines=[more(order, "A", 3)], token="tok_visa")

    order = reread(order)
    [step] = order.steps
    assert payment_states([step.id])[step.id].status is PaymentStatus.VOIDED
    assert money_of(order).status is PaymentStatus.AUTHORISED
    assert (order.total_minor, stock_of("A")) == (1000, (3, 3))


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


BACK = "https://shop.example/back"
ASKED = "https://bank.example/confirm"


@pytest.fixture
def asked(now: datetime, gateway: ScriptedGateway) -> tuple[Order, editing.Begun]:
    """An order of one A, whose edit to two waits for its customer to confirm the payment."""
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    gateway.action_url = ASKED
    begun = edit(order, now, lines=[more(order, "A", 2)], token="tok_visa", return_url=BACK)
    assert (begun.is_done, begun.step.state) == (False, "REQUESTED")
    return order, begun


def test_an_edit_waits_for_its_customer_and_says_where(
    now: datetime, gateway: ScriptedGateway, asked: tuple[Order, editing.Begun]
) -> None:
    order, begun = asked
    confirmation = queries.confirmation_of(begun.step)
    assert confirmation is not None
    deadline = now + timedelta(seconds=settings.PAYMENT_ACTION_SECONDS)
    assert (confirmation.url, confirmation.deadline) == (ASKED, deadline)
    told = Step.of(begun.order, begun.step, confirmation)
    assert (told.action_url, told.action_deadline) == (ASKED, deadline)
    assert told.taken.amount == "0.00"
    _, request = [r for r in gateway.sent if isinstance(r, Authorise)]
    assert request.return_url == BACK
    assert (order.total_minor, stock_of("A")) == (1000, (5, 1))
    with pytest.raises(StepInProgress):
        edit(order, now, lines=[more(order, "A", 3)], token="tok_visa")

    gateway.decide(request.key, Reply(gateway_reference="ref"))
    payment_services.refresh(payment_id=begun.step.id, now=now)
    settling.settle(order_id=order.id, now=now)

    order = reread(order)
    assert (order.payment_id, order.total_minor) == (begun.step.id, 2000)
    step = order.step(begun.step.id)
    assert (step.state, "return_url" in step.params) == ("DONE", False)
    assert Step.of(order, step).taken.amount == "20.00"
    assert queries.confirmation_of(step) is None
    assert payment_states([order.id])[order.id].status is PaymentStatus.VOIDED
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_an_edit_that_nobody_confirms_leaves_the_order_as_it_was(
    now: datetime, asked: tuple[Order, editing.Begun]
) -> None:
    order, begun = asked
    later = now + timedelta(seconds=settings.PAYMENT_ACTION_SECONDS + 1)

    payment_services.resolve_unfinished(now=later)
    settling.settle(order_id=order.id, now=later)

    order = reread(order)
    step = order.step(begun.step.id)
    assert (step.state, step.refusal) == ("REFUSED", "payment_not_completed")
    assert (order.status, order.payment_id, order.total_minor) == ("CONFIRMED", order.id, 1000)
    assert (money_of(order).status, stock_of("A")) == (PaymentStatus.AUTHORISED, (5, 1))
    assert payment_states([step.id])[step.id].status is PaymentStatus.VOIDED
    assert_order_agrees(order.id)
    assert_books_agree(later)


def test_what_is_added_costs_what_it_costs_the_customers_group(now: datetime) -> None:
    before = now - timedelta(days=1)
    goods.stocked({"A": 5, "B": 5}, now=before)
    price_lists.create_price_list(
        code="trade", name="Trade", currency="GBP", customer_group="trade", now=before
    )
    trade = Money(700, "GBP")
    product_prices.set_price(sku="B", money=trade, actor_id=None, now=before, price_list="trade")
    order = orders.placed({"A": 1}, customer_group="trade", now=now)
    other = orders.placed({"A": 1}, now=now)
    assert (order.customer_group, other.customer_group) == ("trade", "")
    for each, total in ((order, 1700), (other, 2000)):
        edit(each, now, lines=[LineEdit(sku="B", quantity=1)], token="tok_visa")
        assert reread(each).total_minor == total


SINCE: dict[str, dict[str, Any] | None] = {
    "archived": None,
    "paused": {"active": False},
    "ended": {"valid_until": datetime(2020, 1, 1, tzinfo=UTC)},
    "for less": {"percent": Decimal(5)},
    "for larger orders": {"conditions": Conditions(minimum_quantity=50)},
    "limited": {"usage_limit": 1},
}


@pytest.mark.parametrize("code", ["TEN", None])
@pytest.mark.parametrize("became", SINCE.values(), ids=SINCE)
def test_an_order_that_is_edited_keeps_its_promotion(
    now: datetime, became: dict[str, Any] | None, code: str | None
) -> None:
    goods.stocked({"A": 9}, now=now)
    promotion_id = prices.promotion(now=now, automatic=code is None)
    if code is not None:
        create_coupon(code=code, promotion_id=promotion_id, now=now)
    order = orders.placed({"A": 3}, coupons=[code] if code else [], now=now)
    assert order.total_minor == 2700
    if became is None and code is not None:
        coupons.archive_coupon(code=code, version=None, now=now)
    if became is None:
        promotions.archive_promotion(promotion_id=promotion_id, version=None, now=now)
    else:
        promotions.edit_promotion(promotion_id=promotion_id, version=None, now=now, **became)

    assert edit(order, now, lines=[more(order, "A", 2)]).is_done
    order = reread(order)
    assert (order.discount_minor, order.total_minor) == (200, 1800)
    assert edit(order, now, lines=[more(order, "A", 3)]).is_done
    order = reread(order)
    assert (order.discount_minor, order.total_minor) == (300, 2700)
    [discount] = order.discounts
    assert (discount["coupon"], discount["amount_minor"]) == (code, 300)
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_began_since_does_not_take_the_place_of_what_an_order_has(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    prices.coupon("TEN", now=now)
    order = orders.placed({"A": 3}, coupons=["TEN"], now=now)
    prices.promotion(now=now, name="Half", percent=Decimal(50), priority=9, combinable=False)
    prices.promotion(now=now, name="All", percent=Decimal(20), priority=9)

    assert edit(order, now, lines=[more(order, "A", 2)]).is_done

    order = reread(order)
    assert [(one["name"], one["amount_minor"]) for one in order.discounts] == [
        ("Ten off", 200),
        ("All", 360),
    ]


def test_where_nothing_changes_that_has_a_price_no_amount_does(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    prices.tax_rate("20", now=now)
    prices.shipping_method(now=now, price_minor=500)
    promotion_id = prices.promotion(
        now=now, conditions=Conditions(minimum_quantity=3), percent=Decimal("3.33")
    )
    order = orders.placed({"A": 3}, now=now)
    cancelling.cancel(
        order_id=order.id,
        reason="changed_mind",
        lines=units(order, {"A": 1}),
        by=STAFF,
        key=orders.key(),
        now=now,
    )
    before = reread(order)
    # Of two there is nothing off by now, and shipping and tax are others.
    [rate], [method] = staff.tax_rates(), staff.shipping_methods()
    taxes.edit_tax_rate(rate_id=rate.id, version=None, now=now, percent=Decimal(7))
    shipping.archive_shipping_method(code=method.code, version=None, now=now)
    promotions.archive_promotion(promotion_id=promotion_id, version=None, now=now)
    prices.promotion(now=now, percent=Decimal(50))

    begun = edit(order, now, shipping_address={**order.shipping_address, "line1": "2 High Road"})

    assert begun.is_done
    after = reread(order)
    assert after.shipping_address["line1"] == "2 High Road"
    assert {n: getattr(after, n) for n in ORDER_FIELDS} == {
        n: getattr(before, n) for n in ORDER_FIELDS
    }
    [line] = after.lines
    assert (line.quantity, line.cancelled) == (2, 0)
    assert rules.amounts_standing(line) == rules.amounts_standing(before.lines[0])
    assert money_of(after).authorised_minor == money_of(before).authorised_minor
    assert_order_agrees(order.id)
    assert_books_agree(now)
