"""What an order costs: tax, shipping and coupons, as quoted, and nothing else."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from domains.orders.models import Order
from domains.orders.services import placement, settling
from domains.pricing import public as pricing
from domains.pricing.models import CustomerTally, Tally
from infrastructure.database.contexts import aliases
from tests.support.coupons import assert_uses_are_right
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer

pytestmark = pytest.mark.django_db

ADDRESS = {name: text for name, text in orders.ADDRESS.items() if text}


def post(client: Client, *, key: str = "k", **changes: Any) -> Any:
    body = {
        "lines": [{"sku": "A", "quantity": 2}],
        "shipping_address": ADDRESS,
        "payment": {"method": "card", "token": "tok_visa"},
    } | changes
    return client.post(
        "/api/v1/orders", body, content_type="application/json", headers={"Idempotency-Key": key}
    )


def gbp(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def faults(answer: Any) -> list[tuple[str, str]]:
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


def states_of(order: Order) -> pricing.RedemptionState | None:
    return pricing.redemption_states([order.id]).get(order.id)


def test_an_order_tells_what_its_total_is_made_of(now: datetime) -> None:
    goods.product(name="Lantern", sku="A", price_minor=1200, stock=10, now=now)
    prices.tax_rate("20", now=now)
    prices.shipping_method("express", now=now, price_minor=600)
    prices.coupon("TEN", now=now)

    answer = post(client_of(customer()), shipping_method="express", coupons=["TEN"])

    assert answer.status_code == 201, answer.content
    order = answer.json()
    assert order["subtotal"] == gbp("24.00")
    assert order["discount"] == gbp("2.40")
    assert [(d["name"], d["coupon"], d["amount"]) for d in order["discounts"]] == [
        ("Ten off", "TEN", gbp("2.40"))
    ]
    assert (order["shipping"]["method"], order["shipping"]["total"]) == ("express", gbp("6.00"))
    assert order["total"] == gbp("27.60")
    assert order["tax"] == gbp("4.60")
    (line,) = order["lines"]
    assert (line["discount"], line["total"]) == (gbp("2.40"), gbp("21.60"))
    assert (line["tax"], Decimal(line["tax_rate"])) == (gbp("3.60"), Decimal(20))
    assert order["coupons"] == ["TEN"]


def test_what_cannot_be_had_is_named_with_a_pointer_and_nothing_is_written(now: datetime) -> None:
    goods.product(name="Lantern", sku="A", price_minor=1200, stock=10, now=now)
    prices.shipping_method(now=now)

    answer = post(client_of(customer()), shipping_method="rocket", coupons=["NEVER"])

    assert (answer.status_code, answer.json()["code"]) == (422, "quote_refused")
    assert sorted(faults(answer)) == [
        ("/coupons/0", "unknown_coupon"),
        ("/shipping_method", "unknown_shipping_method"),
    ]
    assert Order.objects.count() == 0


def test_a_coupon_in_two_spellings_is_kept_once_as_it_was_entered_first(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    prices.coupon("TEN", now=now)

    order = orders.placed({"A": 1}, coupons=["ten", "TEN", " Ten"], now=now)

    assert (order.coupons, order.total_minor) == (["ten"], 900)


def test_codes_cannot_be_guessed_by_ordering(now: datetime, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"coupons": "2/h", "checkout": "9/h"}
    goods.product(name="Lantern", sku="A", price_minor=1200, stock=10, now=now)
    client = client_of(customer())

    guesses = [post(client, key=f"g{n}", coupons=[f"G{n}"]) for n in range(3)]

    assert [answer.json()["code"] for answer in guesses] == [
        "quote_refused",
        "quote_refused",
        "rate_limited",
    ]
    assert post(client, key="without").status_code == 201


def test_who_expects_another_total_orders_nothing_and_is_told_the_right_one(now: datetime) -> None:
    goods.product(name="Lantern", sku="A", price_minor=1200, stock=10, now=now)
    client = client_of(customer())

    refused = post(client, expected_total=gbp("20.00"))
    other_currency = post(client, expected_total={"amount": "24.00", "currency": "EUR"})

    assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
    assert refused.json()["errors"] == [
        {
            "pointer": "/expected_total",
            "code": "price_changed",
            "detail": "The total is 24.00 GBP, and not 20.00 GBP.",
            "current": "24.00",
        }
    ]
    assert other_currency.status_code == 409
    assert Order.objects.count() == 0
    assert post(client, key="k2", expected_total=gbp("24.00")).status_code == 201


def test_a_coupon_is_given_back_by_every_ending(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    prices.coupon("ONCE", now=now, usage_limit=1)

    rejected = orders.placed({"A": 1}, coupons=["ONCE"], payment=orders.DECLINED, now=now)
    assert states_of(rejected) is pricing.RedemptionState.RETURNED
    cancelled = orders.placed({"A": 1}, coupons=["ONCE"], now=now)
    assert states_of(cancelled) is pricing.RedemptionState.REDEEMED
    placement.cancel_order(order_id=cancelled.id, reason="changed_mind", now=now)
    assert states_of(cancelled) is pricing.RedemptionState.RETURNED
    kept = orders.placed({"A": 1}, coupons=["ONCE"], now=now)

    assert (rejected.status, kept.status) == ("REJECTED", "CONFIRMED")
    assert_uses_are_right()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", [2, 3, 4])
def test_an_order_whose_coupon_was_used_by_a_process_that_died_is_settled(
    statement: int, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the hold, after the use, and after the payment."""
    goods.stocked({"A": 5}, now=now)
    prices.coupon("ONCE", now=now, usage_limit=1)
    steps = {2: "_redeem", 3: "_authorise", 4: "_confirm"}
    died: list[str] = []

    def die(*_: Any) -> None:
        died.append(steps[statement])
        raise SystemExit

    with monkeypatch.context() as patched:
        name = steps[statement]
        real = next(step for step, act in settling._STEPS.items() if act.__name__ == name)
        patched.setitem(settling._STEPS, real, die)
        with pytest.raises(SystemExit):
            orders.place({"A": 1}, coupons=["ONCE"], now=now)
    assert died == [name]

    settling.settle_unfinished(now=now + timedelta(seconds=11))

    order = Order.objects.get()
    assert order.status == "CONFIRMED"
    assert states_of(order) is pricing.RedemptionState.REDEEMED
    assert_uses_are_right()


@pytest.mark.django_db(transaction=True)
def test_of_a_coupon_with_a_limit_exactly_so_many_orders_make_use(now: datetime) -> None:
    goods.stocked({"A": 100}, now=now)
    use = prices.coupon("FIVE", now=now, usage_limit=5)
    outcomes: list[str] = []

    def order() -> None:
        try:
            placed = orders.place({"A": 1}, coupons=["FIVE"], now=now)
            outcomes.append(placed.order.reason or placed.order.status)
        except placement.quoting.QuoteRefused as refused:
            outcomes.append(refused.errors[0].code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=order) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(outcomes) == {"CONFIRMED": 5, "coupon_used_up": 15}
    assert sum(tally.used for tally in Tally.objects.all()) >= 5
    assert Order.objects.filter(unsettled_since__isnull=False).count() == 0
    assert use.coupon == "FIVE"
    assert_uses_are_right()


def test_a_guest_is_one_customer_however_they_write_their_address(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    prices.coupon("EACH", now=now, usage_limit_per_customer=1)

    first = orders.placed(
        {"A": 1}, customer_id=None, email="ann@example.com", coupons=["EACH"], now=now
    )
    with pytest.raises(placement.quoting.QuoteRefused) as refused:
        orders.place({"A": 1}, customer_id=None, email="Ann@Example.COM", coupons=["EACH"], now=now)

    assert first.status == "CONFIRMED"
    assert refused.value.errors[0].code == "coupon_used_up"
    assert CustomerTally.objects.count() == 1


@override_settings(PRICING_TERMS_SECONDS=60.0)
def test_an_order_with_a_coupon_costs_one_statement_to_look_and_one_to_use(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)
    prices.coupon("TEN", now=now)
    prices.coupon("LIMITED", now=now, usage_limit=10)
    orders.placed({"A": 1}, coupons=["TEN"], now=now)

    found = statements({"A": 1}, coupons=["LIMITED"], now=now)

    assert len([sql for sql in found if "SAVEPOINT" not in sql]) == 6 + 2


def statements(quantities: dict[str, int], **changes: Any) -> list[str]:
    captured = [CaptureQueriesContext(connections[alias]) for alias in aliases()]
    for capture in captured:
        capture.__enter__()
    orders.placed(quantities, **changes)
    for capture in captured:
        capture.__exit__(None, None, None)
    return [query["sql"] for capture in captured for query in capture.captured_queries]
