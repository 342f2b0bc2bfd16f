from __future__ import annotations

import pytest

from domains.carts.rules.changes import (
    ChangeCode,
    Difference,
    Seen,
    Supply,
    differences,
    supply_of,
)


def seen(price: int | None = 255, supply: Supply = Supply.ENOUGH, currency: str = "GBP") -> Seen:
    return Seen(currency=currency, unit_price_minor=price, supply=supply)


@pytest.mark.parametrize("it", [seen(), seen(None, Supply.UNAVAILABLE), seen(0, Supply.SHORT)])
def test_what_was_told_is_read_as_it_was_written(it: Seen) -> None:
    assert Seen.parse(it.text) == it


@pytest.mark.parametrize(
    ("is_sold", "available", "expected"),
    [
        (False, 9, Supply.UNAVAILABLE),
        (True, 3, Supply.ENOUGH),
        (True, 2, Supply.SHORT),
        (True, 0, Supply.SHORT),
    ],
)
def test_whether_three_can_be_had(is_sold: bool, available: int, expected: Supply) -> None:
    assert supply_of(is_sold=is_sold, available=available, quantity=3) is expected


def test_nothing_is_new_about_what_nobody_was_told_of_or_what_is_the_same() -> None:
    assert differences("A", None, seen()) == []
    assert differences("A", seen(), seen()) == []


def test_a_price_is_told_with_what_it_was() -> None:
    assert differences("A", seen(255), seen(300)) == [
        Difference(
            code=ChangeCode.PRICE_CHANGED,
            sku="A",
            was_minor=255,
            was_currency="GBP",
            now_minor=300,
            now_currency="GBP",
        )
    ]


def test_amounts_of_two_currencies_are_not_compared() -> None:
    [found] = differences("A", seen(255), seen(255, currency="EUR"))
    assert (found.code, found.was_currency, found.now_currency) == (
        ChangeCode.CURRENCY_CHANGED,
        "GBP",
        "EUR",
    )


@pytest.mark.parametrize(
    ("was", "now", "code"),
    [
        (Supply.ENOUGH, Supply.SHORT, ChangeCode.SHORT),
        (Supply.SHORT, Supply.UNAVAILABLE, ChangeCode.UNAVAILABLE),
        (Supply.UNAVAILABLE, Supply.ENOUGH, ChangeCode.AVAILABLE_AGAIN),
    ],
)
def test_supply_is_told_as_it_is_now(was: Supply, now: Supply, code: ChangeCode) -> None:
    assert [found.code for found in differences("A", seen(supply=was), seen(supply=now))] == [code]


def test_what_has_no_price_any_more_is_unavailable_and_nothing_else() -> None:
    gone = seen(None, Supply.UNAVAILABLE)
    assert [found.code for found in differences("A", seen(), gone)] == [ChangeCode.UNAVAILABLE]
