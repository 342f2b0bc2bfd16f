"""What an order was given of promotions it keeps through edits, for the lines it was given for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domains.orders.errors import QuoteRefused
from domains.orders.models import Order
from domains.orders.services import settling
from domains.orders.services.editing import LineEdit
from domains.payments import services as payment_services
from domains.payments.gateways.port import Authorise
from domains.payments.rules.gateways import Reply
from domains.pricing.public import Conditions, active_redemptions
from domains.pricing.services import coupons, promotions
from domains.products.services import prices as product_prices
from domains.products.services import products
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import assert_books_agree, assert_order_agrees, reread
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.order_steps import edit, more

pytestmark = pytest.mark.django_db

THREE = Conditions(minimum_quantity=3)


def as_written_before(what: str) -> None:
    """As a process wrote it that knew nothing of what orders keep."""
    with connection_of("orders").cursor() as cursor:
        cursor.execute(what)


def forget_promotions() -> None:
    as_written_before("UPDATE orders.orders_order SET promotions = DEFAULT")


def costs(order: Order) -> tuple[int, list[int]]:
    order = reread(order)
    return order.total_minor, [one["amount_minor"] for one in order.discounts]


@pytest.mark.parametrize("code", ["TEN", None])
def test_what_an_order_does_not_fulfil_for_a_while_comes_back(
    now: datetime, code: str | None
) -> None:
    goods.stocked({"A": 9}, now=now)
    terms: dict[str, Any] = {"conditions": THREE, "usage_limit_per_customer": 1}
    if code is None:
        promotion_id = prices.promotion(now=now, **terms)
    else:
        promotion_id = prices.coupon(code, now=now, promotion=terms).promotion_id
    order = orders.placed({"A": 3}, customer_id=new_id(), coupons=[code] if code else [], now=now)
    assert costs(order) == (2700, [300])

    edit(order, now, lines=[more(order, "A", 2)])
    assert costs(order) == (2000, [])
    promotions.archive_promotion(promotion_id=promotion_id, version=None, now=now)
    edit(order, now, lines=[more(order, "A", 1)])
    assert costs(order) == (1000, [])
    edit(order, now, lines=[more(order, "A", 3)], token="tok_visa")

    assert costs(order) == (2700, [300])
    assert len(reread(order).promotions) == 1
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_what_an_edit_gave_is_kept_too(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 3}, now=now)
    promotion_id = prices.promotion(now=now, conditions=THREE)
    edit(order, now, lines=[more(order, "A", 4)], token="tok_visa")
    assert costs(order) == (3600, [400])
    edit(order, now, lines=[more(order, "A", 2)])
    promotions.archive_promotion(promotion_id=promotion_id, version=None, now=now)
    edit(order, now, lines=[more(order, "A", 3)])
    assert costs(order) == (2700, [300])


@pytest.mark.parametrize("limit", ["usage_limit", "usage_limit_per_customer"])
def test_no_edit_gives_a_promotion_that_has_to_be_counted(now: datetime, limit: str) -> None:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 3}, customer_id=new_id(), now=now)
    prices.promotion(now=now, **{limit: 100})
    prices.promotion(now=now, name="Others")

    edit(order, now, lines=[more(order, "A", 2)])

    assert costs(order) == (1800, [200])
    assert [one["name"] for one in reread(order).discounts] == ["Others"]
    assert list(active_redemptions()) == []


@pytest.mark.parametrize("code", ["TEN", None])
def test_an_order_of_before_is_quoted_by_the_terms_of_now_and_keeps_those(
    now: datetime, code: str | None
) -> None:
    """The last use is the order's own."""
    goods.stocked({"A": 9}, now=now)
    if code is None:
        promotion_id = prices.promotion(now=now, usage_limit=1, usage_limit_per_customer=1)
    else:
        promotion_id = prices.coupon(code, now=now, usage_limit=1).promotion_id
    order = orders.placed({"A": 3}, customer_id=new_id(), coupons=[code] if code else [], now=now)
    forget_promotions()

    edit(order, now, lines=[more(order, "A", 2)])
    assert costs(order) == (1800, [200])
    if code is not None:
        coupons.archive_coupon(code=code, version=None, now=now)
    promotions.archive_promotion(promotion_id=promotion_id, version=None, now=now)
    edit(order, now, lines=[more(order, "A", 1)])
    assert costs(order) == (900, [100])
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_coupon_that_an_order_of_before_has_and_that_is_gone_refuses_the_edit(
    now: datetime,
) -> None:
    goods.stocked({"A": 9}, now=now)
    prices.coupon("TEN", now=now)
    order = orders.placed({"A": 3}, coupons=["TEN"], now=now)
    forget_promotions()
    coupons.archive_coupon(code="TEN", version=None, now=now)
    with pytest.raises(QuoteRefused) as refused:
        edit(order, now, lines=[more(order, "A", 2)])
    assert [(f.pointer, f.code) for f in refused.value.errors] == [("/coupons/0", "unknown_coupon")]


def test_an_edit_that_was_begun_before_is_carried_out(
    now: datetime, gateway: ScriptedGateway
) -> None:
    goods.stocked({"A": 9, "B": 9}, now=now)
    prices.promotion(now=now)
    order = orders.placed({"A": 3}, now=now)
    forget_promotions()
    gateway.action_url = "https://bank.example/confirm"
    lines = [LineEdit(sku="B", quantity=1)]
    begun = edit(order, now, lines=lines, token="tok_visa", return_url="https://shop.example")
    assert not begun.is_done
    as_written_before(
        "UPDATE orders.orders_orderstep SET params = params #- '{order,promotions}'"
        " #- '{lines,1,new_id}'"
    )

    [_, request] = [r for r in gateway.sent if isinstance(r, Authorise)]
    gateway.decide(request.key, Reply(gateway_reference="ref"))
    payment_services.refresh(payment_id=begun.step.id, now=now)
    settling.settle(order_id=order.id, now=now)

    assert costs(order) == (3600, [400])
    gateway.action_url = ""
    edit(order, now, lines=[more(order, "A", 2)])
    assert costs(order) == (2700, [300])
    assert len(reread(order).promotions) == 1
    assert_order_agrees(order.id)


@pytest.mark.parametrize("code", ["TEN", None])
@pytest.mark.parametrize("asks", ["not_on_sale", "categories"])
def test_lines_that_stay_are_what_they_were_to_a_promotion(
    now: datetime, asks: str, code: str | None
) -> None:
    """It is for the line of then, and not for one that comes later."""
    goods.category(name="Light", now=now)
    lamp = goods.product(
        now=now - timedelta(days=40), sku="A", price_minor=1000, stock=9, categories=("light",)
    )
    conditions = Conditions(
        not_on_sale=asks == "not_on_sale",
        categories=frozenset({"light"} if asks == "categories" else ()),
    )
    if code is None:
        prices.promotion(now=now, conditions=conditions)
    else:
        prices.coupon(code, now=now, promotion={"conditions": conditions})
    order = orders.placed({"A": 3}, coupons=[code] if code else [], now=now)
    assert costs(order) == (2700, [300])
    if asks == "not_on_sale":
        sale = Money(500, "GBP")
        product_prices.set_price(sku="A", money=sale, kind="sale", actor_id=None, now=now)
    else:
        products.edit_product(product_id=lamp, version=None, now=now, categories=())

    edit(order, now, lines=[more(order, "A", 2)])
    assert costs(order) == (1800, [200])
    edit(order, now, lines=[LineEdit(sku="A", quantity=2)], token="tok_visa")
    new = 500 if asks == "not_on_sale" else 1000
    assert costs(order) == (1800 + 2 * new, [200])
    later = now + timedelta(hours=1)
    if asks == "not_on_sale":  # and the new line stays what it was
        product_prices.set_price(sku="A", money=Money(1000, "GBP"), actor_id=None, now=later)
    else:
        products.edit_product(product_id=lamp, version=None, now=later, categories=("light",))
    [first, _] = reread(order).lines
    edit(order, later, lines=[LineEdit(line_id=first.id, quantity=1)])
    assert costs(order) == (900 + 2 * new, [100])
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_coupon_that_the_edited_lines_do_not_fulfil_is_left_out(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    prices.coupon("TEN", now=now, promotion={"conditions": THREE})
    order = orders.placed({"A": 3}, coupons=["TEN"], now=now)

    edit(order, now, lines=[more(order, "A", 2)], expected_total=Money(2000, "GBP"))

    order = reread(order)
    assert (order.coupons, order.discounts, order.discount_minor) == (["TEN"], [], 0)


def test_of_two_coupons_the_one_that_holds_takes_off(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    prices.coupon("TEN", now=now, promotion={"conditions": THREE})
    prices.coupon("FIVE", now=now, promotion={"name": "Five"})
    order = orders.placed({"A": 3}, coupons=["TEN", "FIVE"], now=now)
    assert costs(order)[0] == 2430
    edit(order, now, lines=[more(order, "A", 2)])
    assert costs(order) == (1800, [200])
    assert [one["coupon"] for one in reread(order).discounts] == ["FIVE"]
