"""Prices for a time, and what is told of a reduction."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.products.models import Price, PriceEntry
from domains.products.public import offers
from domains.products.queries import prices as queries
from domains.products.services import prices as services
from tests.support.factories import products
from tests.support.prices import (
    DAY,
    HOUR,
    cost,
    facts,
    gbp,
    put,
    shown,
)

pytestmark = pytest.mark.django_db


def test_a_scheduled_price_is_right_at_its_instant_before_any_job_ran(now: datetime) -> None:
    begin, end = now + DAY, now + 3 * DAY
    put(800, now=now, kind="sale", valid_from=begin, valid_until=end)
    last = timedelta(microseconds=1)
    moments = [begin - last, begin, end - last, end]
    assert [cost(moment) for moment in moments] == [1000, 800, 800, 1000]
    assert [shown(moment).price for moment in moments] == [gbp(n) for n in (1000, 800, 800, 1000)]
    assert [shown(moment).changes_at for moment in moments] == [begin, end, end, None]
    reduction = queries.ShownReduction(regular_price=gbp(1000), lowest_price_30_days=gbp(1000))
    assert [shown(moment).reduction for moment in moments] == [None, reduction, reduction, None]
    assert facts() == []


def test_the_job_tells_of_every_turn_at_its_own_instant(now: datetime) -> None:
    begin, end = now + DAY, now + 3 * DAY
    put(800, now=now, kind="sale", valid_from=begin, valid_until=end)
    assert services.turn_due_prices(now=begin - HOUR) == 0
    assert services.turn_due_prices(now=begin) == 1
    assert services.turn_due_prices(now=begin) == 0
    [(name, fact, at)] = facts()
    assert (name, at) == ("price_changed", begin)
    assert (fact["amount_minor"], fact["previous_amount_minor"]) == (800, 1000)
    assert (fact["regular_amount_minor"], fact["lowest_30d_amount_minor"]) == (1000, 1000)
    assert services.turn_due_prices(now=end + 9 * DAY) == 1
    _, (name, fact, at) = facts()
    assert (name, at, fact["amount_minor"]) == ("price_changed", end, 1000)
    price = Price.objects.get()
    assert (price.amount_minor, price.regular_minor, price.changes_at) == (1000, None, None)


def test_a_job_that_comes_late_tells_of_all_turns_in_their_order(now: datetime) -> None:
    put(800, now=now, kind="sale", valid_from=now + DAY, valid_until=now + 2 * DAY)
    put(1100, now=now, valid_from=now + 4 * DAY)
    assert services.turn_due_prices(now=now + 9 * DAY) == 1
    told = [(fact["amount_minor"], (at - now).days) for _, fact, at in facts()]
    assert told == [(800, 1), (1000, 2), (1100, 4)]


def test_the_job_takes_no_more_than_it_is_asked_to_and_leaves_the_rest_due(now: datetime) -> None:
    for sku in ("B", "C", "D"):
        products.product(now=now, sku=sku, name=f"Bell {sku}")
        put(100, sku=sku, now=now, valid_from=now + DAY)
    later = now + DAY
    assert [services.turn_due_prices(now=later, at_most=2) for _ in range(3)] == [2, 1, 0]
    assert len([fact for _, fact, _ in facts() if fact["amount_minor"] == 100]) == 3


def test_a_command_tells_of_the_turns_before_it_first(now: datetime) -> None:
    put(800, now=now, kind="sale", valid_from=now + DAY, valid_until=now + 5 * DAY)
    put(700, now=now + 2 * DAY)
    told = [(fact["amount_minor"], at) for _, fact, at in facts()]
    assert told == [(800, now + DAY), (700, now + 2 * DAY)]
    assert shown(now + 2 * DAY).reduction is None


def test_a_price_ahead_of_its_time_is_no_price_yet(now: datetime) -> None:
    products.product(now=now, sku="B", name="Bell", price_minor=None)
    put(500, sku="B", now=now, valid_from=now + DAY)
    assert offers({"B": 1}, currency="GBP", now=now) == {}
    assert offers({"B": 1}, currency="GBP", now=now + DAY)["B"].unit_price == gbp(500)
    assert facts() == []
    services.turn_due_prices(now=now + DAY)
    assert [fact["previous_amount_minor"] for _, fact, _ in facts()] == [None]


def test_clocks_that_differ_do_not_reorder_prices(now: datetime) -> None:
    put(900, now=now + timedelta(seconds=2))
    put(800, now=now)
    assert cost(now + DAY) == 800
    last = PriceEntry.objects.get(number=3)
    assert last.from_at == last.recorded_at == now + timedelta(seconds=2, microseconds=1)


def test_a_reduction_tells_the_lowest_price_of_the_30_days_before_it(now: datetime) -> None:
    put(700, now=now, kind="sale", valid_until=now + DAY)
    services.turn_due_prices(now=now + DAY)
    put(800, now=now + 20 * DAY, kind="sale")
    later = shown(now + 25 * DAY)
    assert later.reduction == queries.ShownReduction(
        regular_price=gbp(1000), lowest_price_30_days=gbp(700)
    )
    assert facts()[-1][1]["lowest_30d_amount_minor"] == 700


def test_a_long_sale_remembers_how_it_began(now: datetime) -> None:
    """Also when so much time has passed that commands read no older entries but those it needs."""
    put(700, now=now - 10 * DAY, kind="sale", valid_until=now - 9 * DAY)
    put(800, now=now, kind="sale")
    for month in range(1, 12):
        put(1000 + month, now=now + month * 30 * DAY)
    put(750, now=now + 400 * DAY, kind="sale")
    told = shown(now + 401 * DAY)
    assert (told.price, told.reduction) == (
        gbp(750),
        queries.ShownReduction(regular_price=gbp(1011), lowest_price_30_days=gbp(700)),
    )


def test_what_never_cost_more_is_not_reduced(now: datetime) -> None:
    products.product(now=now, sku="B", name="Bell", price_minor=None)
    put(500, sku="B", now=now, valid_from=now + DAY)
    put(400, sku="B", now=now, valid_from=now + DAY, kind="sale")
    services.turn_due_prices(now=now + DAY)
    price = Price.objects.get(sku="B")
    assert (price.amount_minor, price.regular_minor, price.lowest_30d_minor) == (400, None, None)
    assert price.reduced_since == now + DAY
