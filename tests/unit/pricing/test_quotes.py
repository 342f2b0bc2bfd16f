"""Quotes as arithmetic: whatever is asked for and whatever holds."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.pricing.rules.keeping import kept, to_keep
from domains.pricing.rules.quotes import Kept, Quote, QuoteLine, QuoteRequest
from domains.pricing.rules.taxes import rate_text, tax_of
from domains.pricing.rules.terms import (
    Conditions,
    CouponTerms,
    PromotionKind,
    PromotionTerms,
    ShippingKind,
    ShippingRate,
    ShippingTerms,
    Terms,
)
from domains.pricing.rules.totals import quoted
from infrastructure.money import rounded

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CURRENCIES = ("GBP", "JPY", "KWD")
PRODUCTS = [UUID(int=n) for n in range(1, 4)]
CLASSES = ("standard", "books")

percents = st.decimals(min_value=0, max_value=30, places=2)
amounts = st.one_of(st.integers(0, 50), st.integers(0, 10**9))
# Few that are common, so that lines often lose the same by rounding, and any other.
off = st.sampled_from([Decimal(5), Decimal(25), Decimal(50)]) | st.decimals("0.01", 100, places=2)
quantities = st.integers(1, 5) | st.integers(1, 50)


@st.composite
def articles(draw: st.DrawFn) -> QuoteLine:
    """A line of one; several may be of the same SKU, at another price or another tax."""
    return QuoteLine(
        key="",
        product_id=draw(st.sampled_from(PRODUCTS)),
        sku=draw(st.sampled_from("ABCD")),
        quantity=1,
        unit_price_minor=draw(amounts),
        tax_class=draw(st.sampled_from(CLASSES)),
        weight_g=draw(st.integers(0, 2000)),
        on_sale=draw(st.booleans()),
    )


@st.composite
def lines(draw: st.DrawFn) -> tuple[QuoteLine, ...]:
    """Often several of the same article, in other quantities. What costs the same is on sale for
    all of them or for none."""
    known = draw(
        st.lists(
            articles(),
            min_size=1,
            max_size=4,
            unique_by=lambda one: (one.sku, one.unit_price_minor, one.tax_class),
        )
    )
    return tuple(
        replace(draw(st.sampled_from(known)), key=str(number), quantity=draw(quantities))
        for number in range(draw(st.integers(1, 8)))
    )


@st.composite
def promotions(draw: st.DrawFn, number: int) -> PromotionTerms:
    kind = draw(st.sampled_from(PromotionKind))
    each = {currency: draw(st.integers(1, 5000)) for currency in CURRENCIES}
    return PromotionTerms(
        id=UUID(int=100 + number),
        name=f"Promotion {number}",
        kind=kind,
        automatic=draw(st.booleans()),
        percent=draw(off),
        amounts_minor=each if kind in ("fixed_order", "fixed_item") else {},
        priority=draw(st.integers(0, 2)),
        combinable=draw(st.booleans()),
        conditions=Conditions(
            skus=draw(st.frozensets(st.sampled_from("ABCD"), max_size=2)),
            not_on_sale=draw(st.booleans()),
            minimum_quantity=draw(st.integers(0, 3)),
        ),
        usage_limit=draw(st.none() | st.just(5)),
    )


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A request and the terms it meets."""
    found = [draw(promotions(number)) for number in range(draw(st.integers(0, 4)))]
    coupons = {
        f"C{number}": CouponTerms(
            code=f"C{number}",
            promotion=one,
            active=True,
            usage_limit=None,
            usage_limit_per_customer=None,
            used=0,
            used_by_customer=0,
            promotion_used_by_customer=0,
        )
        for number, one in enumerate(found)
        if not one.automatic
    }
    price = draw(amounts)
    rate = ShippingRate(price_minor=price, free_from_minor=draw(st.none() | amounts))
    method = ShippingTerms(
        code="post",
        name="Post",
        kind=ShippingKind.FLAT,
        tax_class="standard",
        rates=dict.fromkeys(CURRENCIES, rate),
    )
    return {
        "request": QuoteRequest(
            lines=draw(lines()),
            currency=draw(st.sampled_from(CURRENCIES)),
            country="GB",
            coupons=tuple(coupons),
        ),
        "terms": Terms(
            methods=(method,) if draw(st.booleans()) else (),
            percents={("GB", "", name): draw(percents) for name in CLASSES},
            promotions=tuple(one for one in found if one.automatic),
        ),
        "coupons": coupons,
        "prices_include_tax": draw(st.booleans()),
    }


def quote(case: dict[str, Any]) -> Quote:
    wanted = dict(case)
    return quoted(
        wanted.pop("request"),
        wanted.pop("terms"),
        used_by_customer={},
        categories={},
        now=NOW,
        **wanted,
    )


@given(cases())
def test_totals_add_up_and_nothing_costs_less_than_nothing(case: dict[str, Any]) -> None:
    found = quote(case)
    shipped = found.shipping
    shipping_total = 0 if shipped is None else shipped.total_minor
    assert found.total_minor == sum(line.total_minor for line in found.lines) + shipping_total
    assert found.shipping_minor == shipping_total
    assert found.subtotal_minor == sum(line.subtotal_minor for line in found.lines)
    assert found.discount_minor == sum(line.discount_minor for line in found.lines)
    off_shipping = 0 if shipped is None else shipped.discount_minor
    assert sum(d.amount_minor for d in found.discounts) == found.discount_minor + off_shipping
    for line in found.lines:
        assert line.subtotal_minor == line.unit_price_minor * line.quantity
        assert 0 <= line.discount_minor <= line.subtotal_minor
        assert 0 <= line.tax_minor <= line.total_minor
        left = line.subtotal_minor - line.discount_minor
        assert line.total_minor == left + (0 if found.prices_include_tax else line.tax_minor)
    if shipped is not None:
        assert 0 <= shipped.discount_minor <= shipped.price_minor
        assert 0 <= shipped.tax_minor <= shipped.total_minor
    assert all(discount.amount_minor > 0 for discount in found.discounts)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_coupons_does_not_matter(
    case: dict[str, Any], dice: random.Random
) -> None:
    found = quote(case)
    asked: QuoteRequest = case["request"]
    shuffled = replace(
        asked,
        lines=tuple(dice.sample(asked.lines, len(asked.lines))),
        coupons=tuple(dice.sample(asked.coupons, len(asked.coupons))),
    )
    other = quote(case | {"request": shuffled})
    assert {line.key: line for line in other.lines} == {line.key: line for line in found.lines}
    assert [line.key for line in other.lines] == [line.key for line in shuffled.lines]
    assert replace(other, lines=found.lines, problems=()) == replace(found, problems=())


@settings(max_examples=100)
@given(cases(), off, st.randoms(use_true_random=False))
def test_nor_does_it_where_lines_are_called_by_their_places(
    case: dict[str, Any], percent: Decimal, dice: random.Random
) -> None:
    """Something is off all of them, which is divided among them."""

    def told(lines: tuple[QuoteLine, ...]) -> tuple[Quote, list[tuple[str, str]]]:
        in_place = tuple(replace(line, key=str(place)) for place, line in enumerate(lines))
        found = quote(case | {"request": replace(asked, lines=in_place), "terms": terms})
        each = zip(in_place, found.lines, strict=True)
        said = sorted((line.sku, repr(replace(one, key=""))) for line, one in each)
        return replace(found, lines=(), given=()), said

    asked: QuoteRequest = case["request"]
    everything = PromotionTerms(
        id=UUID(int=1), name="", kind=PromotionKind.PERCENTAGE, automatic=True, percent=percent,
        priority=3,
    )  # fmt: skip
    terms = replace(case["terms"], promotions=(everything, *case["terms"].promotions))
    assert told(tuple(dice.sample(asked.lines, len(asked.lines)))) == told(asked.lines)


def test_what_two_lines_of_a_sku_come_to_does_not_depend_on_which_is_first() -> None:
    line = QuoteLine(
        key="", product_id=PRODUCTS[0], sku="A", quantity=1, unit_price_minor=1050,
        tax_class="standard", weight_g=0,
    )  # fmt: skip
    five_off = PromotionTerms(
        id=UUID(int=1), name="", kind=PromotionKind.PERCENTAGE, automatic=True, percent=Decimal(5),
    )  # fmt: skip
    terms = Terms(percents={("GB", "", "standard"): Decimal(19)}, promotions=(five_off,))
    for quantities in ((1, 5), (5, 1)):
        of_both = tuple(
            replace(line, key=str(place), quantity=quantity)
            for place, quantity in enumerate(quantities)
        )
        found = quoted(
            QuoteRequest(lines=of_both, currency="GBP", country="GB"), terms,
            coupons={}, used_by_customer={}, categories={}, prices_include_tax=False, now=NOW,
        )  # fmt: skip
        assert (found.total_minor, found.tax_minor) == (7122, 1137), quantities


@pytest.mark.parametrize("before", [0, 2])
def test_lines_that_are_alike_keep_what_is_off_each(before: int) -> None:
    """One of the first is on sale by now, and of two that cost 0.01 one had got it for nothing; or
    lines before them were taken out, so that they are called by other places."""

    def parts(lines: tuple[QuoteLine, ...]) -> list[int]:
        found = quoted(
            QuoteRequest(lines=lines, currency="GBP", country="GB"), terms,
            coupons={}, used_by_customer={}, categories={}, prices_include_tax=True, now=NOW,
        )  # fmt: skip
        return [line.discount_minor for line in found.lines if line.quantity == 1]

    line = QuoteLine(
        key="", product_id=PRODUCTS[0], sku="A", quantity=1, unit_price_minor=1,
        tax_class="standard", weight_g=0,
    )  # fmt: skip
    half = PromotionTerms(
        id=UUID(int=1), name="", kind=PromotionKind.PERCENTAGE, automatic=True,
        percent=Decimal(50), conditions=Conditions(skus=frozenset("A")),
    )  # fmt: skip
    terms = Terms(promotions=(half,))
    between = tuple(
        replace(line, key=str(place), sku="B", quantity=2) for place in range(before + 1, 10)
    )
    first = (replace(line, key=str(before)), *between, replace(line, key="10"))
    later = tuple(
        replace(one, key=str(place), stays=True, on_sale=place == 0)
        for place, one in enumerate(first)
    )
    assert parts(first) == parts(later) == [1, 0]


@given(cases(), st.data())
def test_an_order_keeps_what_it_has_whatever_became_of_promotions(
    case: dict[str, Any], data: st.DataObject
) -> None:
    """Its promotions are gone or have other terms, its coupons are unknown; others came. Its goods
    are on sale by now, or not any more."""
    first = quote(case)
    has = {one.promotion_id for one in first.discounts}
    came = [
        replace(data.draw(promotions(number)), automatic=True, valid_from=NOW)
        for number in range(data.draw(st.integers(0, 6)) if has else 0)
    ]
    lines = tuple(
        replace(line, stays=True, on_sale=data.draw(st.booleans()))
        for line in case["request"].lines
    )
    has_now = tuple(kept(to_keep(one), coupon=one.coupon, lines=one.lines) for one in first.given)
    now_there = tuple(one for one in came if one.id in has or not one.combinable)

    again = quote(
        case
        | {
            "request": replace(
                case["request"],
                lines=lines,
                coupons=(),
                kept=has_now,
                redeemed=frozenset(first.uses),
            ),
            "terms": replace(case["terms"], promotions=now_there),
            "coupons": {},
        }
    )

    assert again == replace(first, problems=(), given=has_now)


def test_what_an_order_keeps_is_written_down_without_what_let_it_in() -> None:
    terms = PromotionTerms(
        id=UUID(int=1), name="Spring", kind=PromotionKind.PERCENTAGE, automatic=False,
        percent=Decimal("7.5"), combinable=False, conditions=Conditions(skus=frozenset("BA")),
        valid_from=NOW, valid_until=NOW, usage_limit=5, used=4,
    )  # fmt: skip
    fields = to_keep(Kept(terms=terms, coupon="SPRING"))
    assert fields == {
        "id": str(UUID(int=1)),
        "name": "Spring",
        "kind": "percentage",
        "automatic": False,
        "percent": "7.5",
        "priority": 0,
        "combinable": False,
        "conditions": {"skus": ["A", "B"]},
        "usage_limit": 5,
        "used": 0,
    }
    let_in = replace(terms, valid_from=None, valid_until=None, used=0)
    assert kept(fields, coupon="SPRING", lines=["0"]) == Kept(
        terms=let_in, coupon="SPRING", lines=frozenset({"0"})
    )


@given(cases())
def test_one_that_cannot_be_combined_is_the_only_one(case: dict[str, Any]) -> None:
    found = quote(case)
    known = {one.id: one for one in case["terms"].promotions}
    known |= {one.promotion.id: one.promotion for one in case["coupons"].values()}
    applied = [known[discount.promotion_id] for discount in found.discounts]
    assert len({one.id for one in applied}) == len(applied)
    assert len(applied) <= 1 or all(one.combinable for one in applied)
    # Every coupon either brought something, or says why not.
    used = {discount.coupon for discount in found.discounts if discount.coupon}
    silent = set(case["coupons"]) - used - {p.detail.split()[0] for p in found.problems}
    unknown = found.shipping is None
    assert all(unknown and known_kind(case, code) == "free_shipping" for code in silent)
    assert {use.coupon for use in found.uses if use.coupon} == used


def known_kind(case: dict[str, Any], code: str) -> str:
    kind: str = case["coupons"][code].promotion.kind
    return kind


@given(cases())
def test_a_percentage_of_everything_is_rounded_once(case: dict[str, Any]) -> None:
    third = PromotionTerms(
        id=UUID(int=1), name="", kind=PromotionKind.PERCENTAGE, automatic=True,
        percent=Decimal("33.33"),
    )  # fmt: skip
    alone = case | {
        "terms": replace(case["terms"], promotions=(third,)),
        "coupons": {},
        "request": replace(case["request"], coupons=()),
    }
    found = quote(alone)
    assert found.discount_minor == rounded(Fraction(found.subtotal_minor * 3333, 10_000))
    for line in found.lines:
        if found.subtotal_minor:
            share = Fraction(found.discount_minor * line.subtotal_minor, found.subtotal_minor)
            assert abs(line.discount_minor - share) < 1


@given(st.integers(0, 10**12), percents)
def test_tax_in_a_price_is_the_tax_on_top_of_what_is_left(amount: int, percent: Decimal) -> None:
    included = tax_of(amount, percent, included=True)
    net = amount - included
    assert 0 <= included <= amount
    assert abs(tax_of(net, percent, included=False) - included) <= 1
    # And the other way round: what is put on top is found in the sum again.
    on_top = tax_of(amount, percent, included=False)
    assert abs(tax_of(amount + on_top, percent, included=True) - on_top) <= 1


@pytest.mark.parametrize(
    ("amount", "percent", "included", "tax"),
    [
        (1200, "20", True, 200),
        (1000, "20", False, 200),
        (1000, "7.7", False, 77),
        # Yen have no decimals and dinars have three: all of it is counted in the smallest unit.
        (108, "8", True, 8),
        (1005, "10", False, 101),
        (5, "10", False, 1),
        (4, "10", False, 0),
        (1999, "0", True, 0),
    ],
)
def test_tax_is_rounded_half_up(amount: int, percent: str, included: bool, tax: int) -> None:
    assert tax_of(amount, Decimal(percent), included=included) == tax


@pytest.mark.parametrize(
    ("percent", "text"), [("20.0000", "20"), ("5.5000", "5.5"), ("0.0000", "0"), ("100", "100")]
)
def test_a_rate_is_written_without_zeros_behind(percent: str, text: str) -> None:
    assert rate_text(Decimal(percent)) == text


def test_a_fixed_amount_is_never_more_than_the_goods() -> None:
    line = QuoteLine(
        key="0", product_id=PRODUCTS[0], sku="A", quantity=3, unit_price_minor=10,
        tax_class="standard", weight_g=0,
    )  # fmt: skip
    for kind, off in (("fixed_order", 7), ("fixed_item", 21)):
        promotion = PromotionTerms(
            id=UUID(int=9), name="", kind=PromotionKind(kind), automatic=True,
            amounts_minor={"GBP": 7},
        )  # fmt: skip
        for price, expected in ((10, off), (2, min(off, 6))):
            found = quoted(
                QuoteRequest(lines=(replace(line, unit_price_minor=price),), currency="GBP"),
                Terms(promotions=(promotion,)),
                coupons={}, used_by_customer={}, categories={}, prices_include_tax=True, now=NOW,
            )  # fmt: skip
            assert found.discount_minor == expected
