"""The lowest price before a reduction is the lowest that was really asked, whichever list it was
from (Directive 98/6/EC, article 6a)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.models import ListingCard, PriceList
from domains.products.models import price_lists as terms
from domains.products.queries import prices as queries
from domains.products.services import price_lists
from domains.products.services import prices as services
from infrastructure.database.contexts import alias_of
from tests.support.listing import by_aggregates, contents, listed, made_anew
from tests.support.prices import DAY, HOUR, gbp, list_of_prices, put, shown

pytestmark = pytest.mark.django_db


def lowest(now: datetime, **who: Any) -> int | None:
    """On the page of the product, in lists, and as it is explained to staff: the same."""
    reduction = shown(now, **who).reduction
    [product] = listed(now, **who)
    [variant] = product["variants"]
    caller = {"channel": None, "customer_group": None} | who
    prices = queries.prices_for(currency="GBP", now=now, **caller)
    applied = queries.price_explained("A", quantity=1, prices=prices).applied
    assert applied is not None
    if reduction is None:
        assert (variant["reduction"], applied.lowest_30d_minor) == (None, None)
        return None
    amount_minor = reduction.lowest_price_30_days.amount_minor
    assert variant["reduction"]["lowest_price_30_days"]["amount"] == f"{amount_minor / 100:.2f}"
    assert applied.lowest_30d_minor == amount_minor
    assert applied.regular_minor == reduction.regular_price.amount_minor
    return amount_minor


def test_what_a_list_for_everybody_asked_is_the_lowest_price_before_a_sale(now: datetime) -> None:
    list_of_prices("flash", now=now - 20 * DAY, valid_until=now - 10 * DAY)
    put(500, now=now - 20 * DAY, price_list="flash")
    put(800, now=now, kind="sale")
    assert shown(now).price == gbp(800)
    assert lowest(now) == 500
    assert lowest(now + 100 * DAY) == 500
    put(900, now=now + DAY, kind="sale", valid_until=now + 3 * DAY)
    # The sale that it gives way to began anew after it.
    assert [lowest(now + days * DAY) for days in (1, 3)] == [500, 500]


def test_a_list_that_ended_long_before_does_not_count(now: datetime) -> None:
    list_of_prices("flash", now=now - 60 * DAY, valid_until=now - 30 * DAY)
    put(500, now=now - 60 * DAY, price_list="flash")
    put(800, now=now, kind="sale")
    assert lowest(now) == 1000


def test_a_list_counts_until_it_was_switched_off(now: datetime) -> None:
    list_of_prices("flash", now=now - 50 * DAY)
    put(500, now=now - 50 * DAY, price_list="flash")
    for days, active in ((40, False), (29, True), (28, False)):
        price_lists.edit_price_list(code="flash", version=None, now=now - days * DAY, active=active)
    put(800, now=now, kind="sale")
    put(700, now=now + 2 * DAY, kind="sale")
    assert lowest(now) == lowest(now + 2 * DAY) == 500
    price_lists.edit_price_list(code="flash", version=None, now=now + 3 * DAY, name="Was once")
    price_lists.edit_price_list(code="flash", version=None, now=now + 500 * DAY, priority=3)
    # It is not known for ever.
    assert len(PriceList.objects.get().former_terms) == 1


def test_of_a_list_that_always_changes_the_last_terms_are_known(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "MOST_TERMS", 3)
    list_of_prices("flash", now=now - 20 * DAY)
    put(500, now=now - 20 * DAY, price_list="flash")
    for days in (15, 14, 13, 12, 11):
        price_lists.edit_price_list(
            code="flash", version=None, now=now - days * DAY, active=days % 2 == 0
        )
    assert len(PriceList.objects.get().former_terms) == 3
    put(800, now=now, kind="sale")
    assert lowest(now) == 500


def test_what_a_group_was_asked_counts_for_that_group(now: datetime) -> None:
    list_of_prices("trade", now=now - 20 * DAY, customer_group="trade", valid_until=now - DAY)
    put(600, now=now - 20 * DAY, price_list="trade")
    put(800, now=now, kind="sale")
    assert (lowest(now), lowest(now, customer_group="trade")) == (1000, 600)


def test_a_list_that_interrupts_a_sale_is_told_at_its_end_before_any_job(now: datetime) -> None:
    put(800, now=now, kind="sale")
    list_of_prices("flash", now=now, valid_from=now + 5 * DAY, valid_until=now + 10 * DAY)
    put(500, now=now, price_list="flash")
    assert lowest(now + 5 * DAY - HOUR) == 1000
    assert lowest(now + 5 * DAY) is None
    assert lowest(now + 10 * DAY) == 500


def test_a_sale_that_begins_by_itself_tells_it_before_any_job(now: datetime) -> None:
    put(800, now=now - 20 * DAY, kind="sale", valid_from=now)
    list_of_prices("flash", now=now - 20 * DAY, valid_until=now - 10 * DAY)
    put(500, now=now - 20 * DAY, price_list="flash")
    assert lowest(now) == 500
    services.turn_due_prices(now=now)
    assert lowest(now) == 500


def test_a_sale_in_a_list_tells_what_the_base_asked_before(now: datetime) -> None:
    list_of_prices("summer", now=now)
    put(1200, now=now, price_list="summer")
    assert lowest(now) is None
    put(700, now=now + DAY, price_list="summer", kind="sale")
    assert lowest(now + DAY) == 1000


def test_no_card_shows_a_reduction_that_a_list_has_a_say_in(now: datetime) -> None:
    list_of_prices("flash", now=now, valid_until=now + DAY)
    put(800, now=now, kind="sale")
    assert ListingCard.objects.count() == 1
    put(500, now=now, price_list="flash")
    assert ListingCard.objects.count() == 0
    assert listed(now + DAY) == by_aggregates(now + DAY)
    kept = contents()
    assert made_anew() == kept


def test_asking_for_it_takes_no_further_statement(now: datetime) -> None:
    counts = []
    for step in range(2):
        with CaptureQueriesContext(connections[alias_of("products")]) as queries_of_page:
            shown(now + HOUR)
        with CaptureQueriesContext(connections[alias_of("products")]) as queries_of_list:
            listed(now + HOUR)
        counts.append((len(queries_of_page), len(queries_of_list)))
        if step == 0:
            list_of_prices("flash", now=now - 20 * DAY, valid_until=now - 10 * DAY)
            put(500, now=now - 20 * DAY, price_list="flash")
            put(800, now=now, kind="sale")
    assert counts[0] == counts[1] == (1, 1)
