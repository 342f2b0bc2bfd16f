"""Prices that are set, and taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import (
    EntryEnded,
    EntryNotFound,
    InvalidQuantity,
    InvalidValidity,
    NegativePrice,
    PriceNotFound,
    TooManyPrices,
    UnknownPriceList,
    VariantNotFound,
)
from domains.products.models import Price, PriceEntry
from domains.products.models import prices as models
from domains.products.public import offers
from domains.products.queries import prices as queries
from domains.products.services import prices as services
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.support.prices import (
    DAY,
    HOUR,
    STAFF,
    cost,
    facts,
    gbp,
    list_of_prices,
    put,
    shown,
)

pytestmark = pytest.mark.django_db


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
