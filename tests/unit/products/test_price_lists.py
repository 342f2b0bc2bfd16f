"""Which price lists hold for whom, and what comes of asking them in turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from domains.products.rules.price_lists import ListTerms, first_price, lists_for, tiers_of
from domains.products.rules.prices import Snapshot, Tier
from infrastructure.ids import new_id

START = datetime(2026, 3, 2, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def terms(code: str, priority: int = 0, **more: Any) -> ListTerms:
    return ListTerms(id=new_id(), code=code, currency="GBP", priority=priority, **more)


def asked(lists: Sequence[ListTerms], at: float = 0, **who: Any) -> list[str]:
    caller = {"currency": "GBP", "channel": None, "customer_group": None} | who
    return [one.code for one in lists_for(lists, now=day(at), **caller)]


def test_lists_are_asked_by_priority_then_by_code() -> None:
    assert asked([terms("b", 1), terms("c", 5), terms("a", 1)]) == ["c", "a", "b"]


def test_a_list_holds_for_its_currency_channel_group_and_time() -> None:
    lists = [
        terms("all"),
        terms("web", channel="web"),
        terms("trade", customer_group="trade"),
        terms("trade on web", channel="web", customer_group="trade"),
        terms("march", valid_from=day(0), valid_until=day(30)),
    ]
    assert asked(lists, -1) == ["all"]
    assert asked(lists, 0, channel="web") == ["all", "march", "web"]
    assert asked(lists, 30, customer_group="trade") == ["all", "trade"]
    assert asked(lists, 31, channel="web", customer_group="trade") == [
        "all", "trade", "trade on web", "web",
    ]  # fmt: skip
    assert asked(lists, currency="EUR", channel="web") == []


def test_what_a_list_has_no_price_for_costs_what_the_next_one_says() -> None:
    only_ten = Snapshot(None, tiers=(Tier(10, 700),))
    base = Snapshot(1000, tiers=(Tier(5, 900), Tier(20, 600)))
    found = [first_price([only_ten, base], quantity) for quantity in (1, 5, 10, 20)]
    assert found == [(1, 1000), (1, 900), (0, 700), (0, 700)]
    assert tiers_of([only_ten, base]) == (Tier(5, 900), Tier(10, 700))
    assert first_price([Snapshot(None)], 1) is None


def test_a_list_with_a_price_hides_what_the_base_says() -> None:
    assert tiers_of([Snapshot(950), Snapshot(1000, tiers=(Tier(5, 900),))]) == ()
