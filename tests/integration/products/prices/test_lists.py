"""What larger quantities cost, and what lists of prices say."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from domains.products.errors import PriceListTaken, UnknownChannel
from domains.products.models import PriceList
from domains.products.public import offers
from domains.products.queries import prices as queries
from domains.products.services import price_lists
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.prices import (
    DAY,
    HOUR,
    cost,
    facts,
    gbp,
    list_of_prices,
    put,
    shown,
)

pytestmark = pytest.mark.django_db


def test_larger_quantities_cost_less_a_piece(now: datetime) -> None:
    put(900, now=now, min_quantity=10)
    put(800, now=now, min_quantity=50)
    assert [cost(now, n) for n in (1, 9, 10, 49, 50, 1000)] == [1000, 1000, 900, 900, 800, 800]
    assert shown(now).tiers == (
        queries.ShownTier(min_quantity=10, price=gbp(900)),
        queries.ShownTier(min_quantity=50, price=gbp(800)),
    )
    assert facts()[-1][1]["tiers"] == [
        {"min_quantity": 10, "amount_minor": 900},
        {"min_quantity": 50, "amount_minor": 800},
    ]


def test_a_list_of_a_group_holds_for_that_group_only(now: datetime) -> None:
    list_of_prices("trade", now=now, customer_group="trade")
    put(700, now=now, price_list="trade")
    assert cost(now) == cost(now, customer_group="retail") == 1000
    assert cost(now, customer_group="trade") == 700
    assert shown(now).price == gbp(1000)
    assert shown(now, customer_group="trade").price == gbp(700)
    assert facts()[-1][1]["price_list"] == "trade"


def test_a_code_that_is_taken_is_refused_and_a_callers_transaction_goes_on(now: datetime) -> None:
    with atomic("products"):
        list_of_prices("trade", now=now)
        with pytest.raises(PriceListTaken):
            list_of_prices("trade", now=now)
        list_of_prices("retail", now=now)
    assert set(PriceList.objects.values_list("code", flat=True)) == {"trade", "retail"}


def test_a_list_of_a_channel_holds_on_that_channel_only(now: datetime) -> None:
    price_lists.name_channel(code="fair", name="At the fair")
    list_of_prices("fair", now=now, channel="fair")
    put(1200, now=now, price_list="fair")
    assert (cost(now), cost(now, channel="fair")) == (1000, 1200)
    assert (shown(now).price, shown(now, channel="fair").price) == (gbp(1000), gbp(1200))


def test_an_unknown_channel_is_refused(now: datetime) -> None:
    with pytest.raises(UnknownChannel):
        cost(now, channel="fair")


def test_the_list_of_the_highest_priority_is_asked_first_and_the_base_last(
    now: datetime,
) -> None:
    list_of_prices("low", now=now, priority=1)
    list_of_prices("high", now=now, priority=2)
    put(700, now=now, price_list="low")
    assert cost(now) == 700
    put(1100, now=now, price_list="high")
    assert cost(now) == 1100
    assert shown(now).price == gbp(1100)


def test_what_a_list_has_no_price_for_costs_what_the_next_one_says(now: datetime) -> None:
    list_of_prices("large", now=now)
    put(600, now=now, price_list="large", min_quantity=20)
    put(900, now=now, min_quantity=10)
    assert [cost(now, n) for n in (1, 10, 20)] == [1000, 900, 600]
    assert shown(now).price == gbp(1000)
    assert [(t.min_quantity, t.price) for t in shown(now).tiers] == [(10, gbp(900)), (20, gbp(600))]
    name, fact, _ = facts()[0]
    assert (name, fact["previous_amount_minor"]) == ("price_withdrawn", None)
    assert fact["tiers"] == [{"min_quantity": 20, "amount_minor": 600}]


def test_a_list_holds_while_it_is_active_and_valid(now: datetime) -> None:
    list_of_prices("march", now=now, valid_from=now + DAY, valid_until=now + 3 * DAY)
    put(700, now=now, price_list="march")
    moments = [now, now + DAY, now + 3 * DAY - HOUR, now + 3 * DAY]
    assert [cost(moment) for moment in moments] == [1000, 700, 700, 1000]
    turns = [shown(moment).changes_at for moment in moments]
    assert turns == [now + DAY, now + 3 * DAY, now + 3 * DAY, None]
    price_lists.edit_price_list(code="march", version=None, now=now, active=False)
    assert cost(now + DAY) == 1000


def test_what_only_a_list_has_a_price_for_is_for_those_it_holds_for(now: datetime) -> None:
    products.product(now=now, sku="B", name="Bell", price_minor=None)
    list_of_prices("trade", now=now, customer_group="trade")
    put(700, sku="B", now=now, price_list="trade")
    assert offers({"B": 1}, currency="GBP", now=now) == {}
    found = offers({"B": 1}, currency="GBP", customer_group="trade", now=now)
    assert found["B"].unit_price == gbp(700)


def test_a_change_of_a_list_is_a_fact(now: datetime) -> None:
    list_of_prices("trade", now=now, customer_group="trade", priority=3)
    for _ in range(2):
        price_lists.edit_price_list(code="trade", version=None, now=now + DAY, active=False)
    rows = OutboxMessage.objects.using(alias_of("products")).filter(
        name="products.price_list_changed"
    )
    told = [msgspec.json.decode(row.payload) for row in rows.order_by("id")]
    assert [(fact["price_list"], fact["priority"], fact["active"]) for fact in told] == [
        ("trade", 3, True),
        ("trade", 3, False),
    ]
