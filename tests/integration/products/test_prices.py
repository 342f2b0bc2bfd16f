"""Prices: what is set, scheduled, cancelled and withdrawn, and what readers are told of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domains.products.errors import (
    EntryEnded,
    EntryNotFound,
    InvalidPercentage,
    InvalidQuantity,
    InvalidValidity,
    NegativePrice,
    PriceNotFound,
    PricesChanged,
    TooManyPrices,
    UnknownChannel,
    UnknownPriceList,
    VariantNotFound,
)
from domains.products.models import Price, PriceEntry
from domains.products.models import prices as models
from domains.products.public import offers
from domains.products.queries import prices as queries
from domains.products.queries import products as product_queries
from domains.products.services import price_lists
from domains.products.services import prices as services
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.files import bring, counts, faults, take, written

pytestmark = pytest.mark.django_db

STAFF = new_id()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def lantern(now: datetime) -> UUID:
    """On sale for 10.00 for a year."""
    return products.product(now=now - 365 * DAY, sku="A", price_minor=1000)


@pytest.fixture(autouse=True)
def _channels_are_not_remembered() -> Iterator[None]:
    yield
    queries._known_channels.clear()


def put(amount_minor: int, *, now: datetime, sku: str = "A", **more: Any) -> Price:
    money = Money(amount_minor, "GBP")
    return services.set_price(sku=sku, money=money, actor_id=STAFF, now=now, **more)


def list_of_prices(code: str, *, now: datetime, **terms: Any) -> None:
    price_lists.create_price_list(code=code, now=now, **{"name": code, "currency": "GBP"} | terms)


def cost(now: datetime, quantity: int = 1, **who: Any) -> int | None:
    """What one costs in an order of so many."""
    found = offers({"A": quantity}, currency="GBP", now=now, **who)
    return found["A"].unit_price.amount_minor if found else None


def shown(now: datetime, **who: Any) -> queries.ShownPrice:
    """What the product's page shows."""
    caller = {"currency": "GBP", "channel": None, "customer_group": None} | who
    prices = queries.prices_for(now=now, **caller)
    product = product_queries.product_shown(
        "white-metal-lantern", prices=prices, locale="en", hidden_too=False
    )
    [variant] = product.variants
    return variant.price


def gbp(amount_minor: int) -> Money:
    return Money(amount_minor, "GBP")


def facts() -> list[tuple[str, dict[str, Any], datetime]]:
    rows = OutboxMessage.objects.using(alias_of("products")).filter(name__startswith="products.pr")
    found = []
    for row in rows.order_by("id"):
        if row.name in ("products.price_changed", "products.price_withdrawn"):
            payload = msgspec.json.decode(row.payload)
            found.append((row.name.removeprefix("products."), payload, row.occurred_at))
    return found[1:]  # without the first price


# From now on


def test_the_price_that_was_set_last_counts(now: datetime) -> None:
    put(900, now=now)
    assert (cost(now), shown(now)) == (900, queries.ShownPrice(price=gbp(900)))
    [(name, fact, at)] = facts()
    assert (name, at) == ("price_changed", now)
    assert (fact["amount_minor"], fact["previous_amount_minor"]) == (900, 1000)
    assert (fact["price_list"], fact["tiers"]) == (None, [])


def test_what_is_asked_for_good_already_is_left_alone(now: datetime) -> None:
    before = Price.objects.get().version
    assert put(1000, now=now).version == before
    assert PriceEntry.objects.count() == 1
    assert facts() == []


@pytest.mark.parametrize(
    "window",
    [{"valid_from": 2}, {"valid_until": 2}, {"valid_from": 2, "valid_until": 3}, {"kind": "sale"}],
    ids=str,
)
def test_a_command_that_is_sent_again_changes_nothing(
    window: dict[str, Any], now: datetime
) -> None:
    more = {k: now + v * DAY if isinstance(v, int) else v for k, v in window.items()}
    versions = {put(900, now=now + n * HOUR, **more).version for n in range(3)}
    assert (PriceEntry.objects.count(), len(versions)) == (2, 1)
    put(950, now=now + 4 * HOUR, **more)
    put(900, now=now + 5 * HOUR, **more)
    assert PriceEntry.objects.count() == 4


def test_the_history_says_who_set_what_and_what_became_of_it(now: datetime) -> None:
    put(900, now=now)
    rows = PriceEntry.objects.order_by("number").values_list(
        "number", "amount_minor", "actor_id", "recorded_at", "ending", "ended_at"
    )
    assert list(rows) == [
        (1, 1000, None, now - 365 * DAY, "superseded", now),
        (2, 900, STAFF, now, "", None),
    ]


def test_a_price_of_another_currency_is_another_price(now: datetime) -> None:
    services.set_price(sku="A", money=Money(700, "EUR"), actor_id=None, now=now)
    assert cost(now) == 1000
    assert offers({"A": 1}, currency="EUR", now=now)["A"].unit_price == Money(700, "EUR")


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"sku": "B"}, VariantNotFound),
        ({"amount_minor": -1}, NegativePrice),
        ({"min_quantity": 0}, InvalidQuantity),
        ({"price_list": "trade"}, UnknownPriceList),
        ({"price_list": "euros"}, UnknownPriceList),
        ({"valid_from": "past"}, InvalidValidity),
        ({"valid_until": "now"}, InvalidValidity),
        ({"valid_until": "past"}, InvalidValidity),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    more: dict[str, Any], refusal: type[Exception], now: datetime
) -> None:
    list_of_prices("euros", now=now, currency="EUR")
    instants = {"past": now - HOUR, "now": now}
    wanted = {"amount_minor": 900} | {k: instants.get(v, v) for k, v in more.items()}
    with pytest.raises(refusal):
        put(wanted.pop("amount_minor"), now=now, **wanted)
    assert PriceEntry.objects.count() == 1
    assert cost(now) == 1000


def test_there_is_an_end_to_what_can_be_scheduled(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MAX_LIVE_ENTRIES", 3)
    for day in (1, 2):
        put(900 + day, now=now, valid_from=now + day * DAY)
    with pytest.raises(TooManyPrices):
        put(900, now=now, valid_from=now + 3 * DAY)
    assert PriceEntry.objects.count() == 3


# Tiers and lists


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


# Windows of time


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


# Reductions


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


# Taking back


def entry(number: int) -> UUID:
    found: UUID = PriceEntry.objects.get(number=number).id
    return found


def test_a_scheduled_price_that_is_cancelled_never_comes(now: datetime) -> None:
    put(800, now=now - HOUR, valid_from=now + DAY)
    price = services.cancel_price(sku="A", entry_id=entry(2), actor_id=STAFF, now=now)
    assert (price.changes_at, cost(now + 2 * DAY)) == (None, 1000)
    cancelled = PriceEntry.objects.get(number=2)
    assert (cancelled.ending, cancelled.ended_by_id, cancelled.ended_at) == (
        "cancelled",
        STAFF,
        now,
    )
    assert facts() == []


def test_a_sale_that_is_cancelled_ends_now(now: datetime) -> None:
    put(800, now=now - DAY, kind="sale")
    services.cancel_price(sku="A", entry_id=entry(2), actor_id=STAFF, now=now)
    assert cost(now) == 1000
    with pytest.raises(EntryEnded):
        services.cancel_price(sku="A", entry_id=entry(2), actor_id=STAFF, now=now)
    with pytest.raises(EntryNotFound):
        services.cancel_price(sku="A", entry_id=new_id(), actor_id=STAFF, now=now)


def test_what_made_way_for_good_does_not_come_back(now: datetime) -> None:
    """Whether the job ran between or not."""
    put(800, now=now, valid_from=now + DAY)
    services.cancel_price(sku="A", entry_id=entry(2), actor_id=STAFF, now=now + 2 * DAY)
    assert cost(now + 2 * DAY) is None
    assert [(name, fact["previous_amount_minor"]) for name, fact, _ in facts()] == [
        ("price_changed", 1000),
        ("price_withdrawn", 800),
    ]


def test_a_price_that_is_withdrawn_is_no_offer_any_more(now: datetime) -> None:
    put(800, now=now, valid_from=now + DAY)
    services.withdraw_price(sku="A", currency="GBP", price_list=None, actor_id=STAFF, now=now)
    assert (cost(now), cost(now + 2 * DAY), shown(now)) == (None, None, queries.NO_PRICE)
    assert set(PriceEntry.objects.values_list("ending", flat=True)) == {"withdrawn"}
    services.withdraw_price(sku="A", currency="GBP", price_list=None, actor_id=STAFF, now=now)
    assert len(facts()) == 1
    put(950, now=now + DAY)
    assert cost(now + DAY) == 950


def test_withdrawing_from_a_list_gives_back_the_base_price(now: datetime) -> None:
    list_of_prices("sale", now=now)
    put(700, now=now, price_list="sale")
    services.withdraw_price(sku="A", currency="GBP", price_list="sale", actor_id=None, now=now)
    assert cost(now) == 1000
    with pytest.raises(PriceNotFound):
        services.withdraw_price(sku="A", currency="EUR", price_list=None, actor_id=None, now=now)
    with pytest.raises(UnknownPriceList):
        services.withdraw_price(sku="A", currency="GBP", price_list="no", actor_id=None, now=now)


# Many at once


def test_many_are_set_in_few_statements(now: datetime, django_assert_num_queries: Any) -> None:
    products.stocked({f"S{n}": 0 for n in range(300)}, now=now - DAY)
    new = [
        services.NewPrice(sku=f"S{n}", money=gbp(500 + n), min_quantity=quantity)
        for n in range(150)
        for quantity in (1, 10)
    ]
    # Begin, variants, prices, entries, all written at once, their products, lists twice, commit.
    with django_assert_num_queries(10, using=alias_of("products")):
        services.set_prices(prices=new, actor_id=None, now=now)
    assert offers({"S7": 10}, currency="GBP", now=now)["S7"].unit_price == gbp(507)
    assert PriceEntry.objects.filter(price__sku="S7").count() == 3


def test_of_many_all_are_set_or_none(now: datetime) -> None:
    new = [services.NewPrice(sku=sku, money=gbp(500)) for sku in ("A", "nothing")]
    with pytest.raises(VariantNotFound):
        services.set_prices(prices=new, actor_id=None, now=now)
    assert cost(now) == 1000


def test_prices_rise_by_percent_as_the_preview_said(now: datetime) -> None:
    put(333, now=now, min_quantity=10)
    put(250, now=now, kind="sale")
    products.product(now=now, sku="B", name="Bell", price_minor=5)
    ids = list(Price.objects.values_list("pk", flat=True))
    said = services.preview_percent_change(price_ids=ids, percent=Decimal("10"), now=now)
    assert [(c.sku, c.min_quantity, c.old, c.new) for c in said] == [
        ("A", 1, gbp(1000), gbp(1100)),
        ("A", 10, gbp(333), gbp(366)),
        ("B", 1, gbp(5), gbp(6)),
    ]
    assert cost(now) == 250
    before = PriceEntry.objects.count()
    done = services.change_prices_by_percent(
        price_ids=ids, percent=Decimal("10"), actor_id=STAFF, now=now
    )
    assert (done, PriceEntry.objects.count()) == (said, before + 3)
    assert (cost(now), Price.objects.get(sku="B").amount_minor) == (250, 6)
    with pytest.raises(PricesChanged):
        services.change_prices_by_percent(
            price_ids=ids,
            percent=Decimal("10"),
            previewed=services.digest_of(said),
            actor_id=STAFF,
            now=now,
        )
    assert PriceEntry.objects.count() == before + 3
    with pytest.raises(InvalidPercentage):
        services.preview_percent_change(price_ids=ids, percent=Decimal("-100.1"), now=now)


def test_a_price_that_falls_to_half_a_penny_is_rounded_up(now: datetime) -> None:
    products.product(now=now, sku="B", name="Bell", price_minor=1005)
    price = Price.objects.get(sku="B")
    done = services.change_prices_by_percent(
        price_ids=[price.pk], percent=Decimal("-50"), actor_id=STAFF, now=now
    )
    assert [(change.old, change.new) for change in done] == [(gbp(1005), gbp(503))]
    price.refresh_from_db()
    assert price.amount_minor == 503


# What it costs to ask


def test_offers_are_one_statement_whatever_lists_there_are(
    now: datetime, django_assert_num_queries: Any
) -> None:
    list_of_prices("trade", now=now, customer_group="trade")
    put(700, now=now, price_list="trade")
    put(600, now=now, valid_from=now + DAY)
    with django_assert_num_queries(1, using=alias_of("products")):
        assert cost(now + 2 * DAY, customer_group="trade") == 700


def test_a_channel_is_looked_up_once(now: datetime, django_assert_num_queries: Any) -> None:
    price_lists.name_channel(code="web", name="Our site")
    assert cost(now, channel="web") == 1000
    with django_assert_num_queries(1, using=alias_of("products")):
        assert cost(now, channel="web") == 1000


def test_setting_a_price_is_few_statements(now: datetime, django_assert_num_queries: Any) -> None:
    # Begin, variant, price, entries, written at once, its product, lists twice, commit.
    with django_assert_num_queries(10, using=alias_of("products")):
        put(900, now=now)


@pytest.mark.parametrize("way", ["command", "file"])
def test_what_is_asked_already_is_the_same_for_a_command_and_a_file(
    way: str, now: datetime
) -> None:
    products.product(now=now - DAY, sku="Z", price_minor=1000)
    until = now + DAY
    services.set_price(
        sku="Z", money=Money(1200, "GBP"), valid_until=until, actor_id=None, now=now - DAY / 2
    )

    def ask(amount_minor: int, **window: datetime) -> tuple[int | None, int]:
        money = Money(amount_minor, "GBP")
        if way == "command":
            services.set_price(sku="Z", money=money, actor_id=None, now=now, **window)
        else:
            begin, end = (
                "" if at is None else at.isoformat()
                for at in (window.get("valid_from"), window.get("valid_until"))
            )
            rows = f"sku,currency,amount,valid_from,valid_until\nZ,GBP,{money.amount_text},"
            assert faults(bring("prices", f"{rows}{begin},{end}\n", now=now)) == []
        price = Price.objects.get(sku="Z")
        return price.amount_minor, price.entries_recorded

    # It is 12.00 until then, and 10.00 from then on.
    assert ask(1200, valid_until=until) == (1200, 2)
    assert ask(1000, valid_from=until) == (1200, 2)
    # But it is not 10.00 now.
    assert ask(1000) == (1000, 3)
    assert ask(1000) == (1000, 3)


def test_a_price_that_waits_below_another_one_is_exported_as_it_will_come(now: datetime) -> None:
    products.product(now=now - DAY, sku="Z", price_minor=1000)
    until = now + DAY
    services.set_price(
        sku="Z", money=Money(1200, "GBP"), valid_until=until, actor_id=None, now=now - DAY / 2
    )
    exported = take("prices", now=now)
    rows = list(csv.DictReader(io.StringIO(exported.decode())))
    assert [
        (row["amount"], row["valid_from"], row["valid_until"]) for row in rows if row["sku"] == "Z"
    ] == [
        ("12.00", "", until.isoformat()),
        ("10.00", until.isoformat(), ""),
    ]
    before = written()
    assert counts(bring("prices", exported, now=now)) == (0, 0, 3, 0)
    assert counts(bring("products", take("products", now=now), now=now)) == (0, 0, 2, 0)
    assert written() == before
