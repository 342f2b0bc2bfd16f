"""What an order shows of its lines adds up to its totals, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domains.orders.admin.contents import contents_of
from domains.orders.api.serializers.orders import Order as Shown
from domains.orders.models import Order
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.queries.audit import order_sums
from domains.orders.queries.orders import PaymentOfOrder
from domains.orders.services import cancelling, fulfilling, refunding
from domains.products.services import price_lists
from infrastructure.http.types import Money as ShownMoney
from infrastructure.money import Money
from tests.support.after_placement import STAFF, money_of, reread, send_units, units
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff

pytestmark = pytest.mark.django_db

PRICES = {"A": 777, "B": 1, "C": 1299}
WITH_TAX, WITHOUT_TAX = "counter", "trade"


@pytest.fixture(autouse=True)
def _shop(now: datetime) -> Iterator[None]:
    for sku, price in PRICES.items():
        goods.product(name=sku, sku=sku, price_minor=price, stock=10_000, now=now)
    prices.tax_rate("20", now=now)
    prices.shipping_method("express", now=now, price_minor=495)
    prices.coupon("SEVENTH", now=now, promotion={"percent": Decimal("14.3")})
    for channel in (WITH_TAX, WITHOUT_TAX):
        price_lists.name_channel(code=channel, name=channel)
    with override_settings(PRICES_INCLUDE_TAX_EXCEPT_ON=[WITHOUT_TAX]):
        yield


def cancel(order: Order, quantities: dict[str, int], now: datetime) -> None:
    cancelling.cancel(
        order_id=order.id,
        lines=units(order, quantities),
        reason="changed_mind",
        refund=True,
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def refund(order: Order, amount_minor: int, now: datetime) -> None:
    refunding.refund(
        order_id=order.id,
        wish=RefundWish(amount_minor=amount_minor),
        reason="goodwill",
        by=STAFF,
        key=orders.key(),
        now=now,
    )


def of_lines(shown: Any, name: str) -> int:
    return sum(minor(getattr(line, name)) for line in shown.lines)


def minor(shown: ShownMoney) -> int:
    return Money.parse(shown.amount, shown.currency).amount_minor


def assert_adds_up(order: Order) -> None:
    """The sums of what the lines show are the order's, as the description of its fields says."""
    shown = Shown.of(order, PaymentOfOrder())
    assert shown.shipping is not None
    shipping = minor(shown.shipping.total)
    shipping_tax = minor(shown.shipping.tax)
    said = {name: minor(getattr(shown, name)) for name in ("subtotal", "discount", "tax", "total")}
    assert said == {
        "subtotal": of_lines(shown, "subtotal"),
        "discount": of_lines(shown, "discount"),
        "tax": of_lines(shown, "tax") + shipping_tax,
        "total": of_lines(shown, "total") + shipping,
    }
    on_top = 0 if shown.prices_include_tax else said["tax"] - shipping_tax
    assert said["total"] == said["subtotal"] - said["discount"] + on_top + shipping
    [summed] = [row for row in order_sums() if row.order_id == order.id]
    assert summed.said == summed.of_lines


@dataclass(frozen=True)
class Doing:
    what: str
    sku: str
    count: int


QUANTITIES = st.dictionaries(st.sampled_from(sorted(PRICES)), st.integers(1, 9), min_size=1)
DOINGS = st.lists(
    st.builds(
        Doing,
        what=st.sampled_from(["cancel", "cancel", "send", "refund"]),
        sku=st.sampled_from(sorted(PRICES)),
        count=st.integers(1, 4),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    quantities=QUANTITIES,
    channel=st.sampled_from([WITH_TAX, WITHOUT_TAX]),
    coupons=st.sampled_from([(), ("SEVENTH",)]),
    doings=DOINGS,
)
def test_the_lines_add_up_to_the_order_whatever_is_called_off(
    quantities: dict[str, int],
    channel: str,
    coupons: tuple[str, ...],
    doings: list[Doing],
    now: datetime,
) -> None:
    assume(not coupons or set(quantities) != {"B"})  # of so little it takes nothing off
    order = orders.placed(quantities, now=now, channel=channel, coupons=coupons)
    assert_adds_up(order)
    for doing in doings:
        before = reread(order)
        open_units = {line.sku: line.open for line in before.lines}
        count = min(doing.count, open_units.get(doing.sku, 0))
        if doing.what == "refund":
            if money_of(order).captured_minor - before.refunded_minor < doing.count:
                continue
            refund(order, doing.count, now)
            assert reread(order).total_minor == before.total_minor
        elif before.status != "CONFIRMED" or not count:
            continue
        elif doing.what == "cancel":
            cancel(order, {doing.sku: count}, now)
        else:
            send_units(order, {doing.sku: count}, now)
        assert_adds_up(reread(order))


def test_lines_of_which_units_were_called_off_show_what_stands(now: datetime) -> None:
    buyer = customer()
    order = orders.placed({"A": 5, "B": 9, "C": 2}, now=now, customer_id=buyer.id)
    cancel(order, {"A": 1, "C": 2}, now)

    answer = client_of(buyer).get(f"/api/v1/orders/{order.id}").json()

    shown = [
        [line["quantity"], line["cancelled"]]
        + [line[name]["amount"] for name in ("unit_price", "subtotal", "tax", "total")]
        for line in answer["lines"]
    ]
    assert shown == [
        [5, 1, "7.77", "31.08", "5.18", "31.08"],
        [9, 0, "0.01", "0.09", "0.02", "0.09"],
        [2, 2, "12.99", "0.00", "0.00", "0.00"],
    ]
    assert [answer[name]["amount"] for name in ("subtotal", "tax", "total")] == [
        "31.17",
        "6.03",
        "36.12",
    ]
    assert answer["shipping"]["tax"]["amount"] == "0.83"


def test_the_page_of_an_order_shows_the_lines_that_its_subtotal_is_of(now: datetime) -> None:
    order = orders.placed({"A": 5, "B": 9}, now=now, coupons=("SEVENTH",))
    cancel(order, {"A": 1}, now)

    page = contents_of(reread(order), user=staff(), now=now)

    totals = {name: text for name, text, _ in page["totals"]}
    assert [(str(row["amount"]), str(row["discount"]), row["parts"]) for row in page["lines"]] == [
        ("26.63 GBP", "4.45 GBP", "1 cancelled, 4 open"),
        ("0.08 GBP", "0.01 GBP", "9 open"),
    ]
    assert (totals["Subtotal"], totals["Discounts"]) == ("31.17 GBP", "-4.46 GBP")


@pytest.mark.parametrize("capture", [False, True])
def test_a_cancelled_order_says_what_stood_when_it_was_called_off(
    now: datetime, capture: bool
) -> None:
    order = orders.placed({"A": 5}, now=now)
    cancel(order, {"A": 1}, now)
    if capture:
        fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)

    cancel(order, {"A": 4}, now)

    called_off = reread(order)
    assert (called_off.status, called_off.total_minor) == ("CANCELLED", 3108 + 495)
    assert [(line.quantity, line.cancelled) for line in called_off.lines] == [(5, 1)]
    assert_adds_up(called_off)
