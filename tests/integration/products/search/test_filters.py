"""What filters leave of a list, and what facets count."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from domains.products.public import NewProduct, NewVariant, create_products, set_stock
from domains.products.queries.search import facets
from domains.products.queries.search.port import (
    FacetsWanted,
    Range,
    UnknownFilters,
)
from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services import types
from tests.support.search import (
    ALL_FACETS,
    CHOSEN,
    Find,
    Goods,
    create,
    criteria_of,
    fitting,
    is_left,
    names,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("sort", ["name", "newest", "popularity"])
def test_filters_narrow_a_list_whatever_it_is_sorted_by(
    find: Find, goods: Goods, sort: str
) -> None:
    for chosen in CHOSEN:
        # Fetched and sorted, since a walk cannot fill that.
        found = names(find(sort=sort, limit=100, **criteria_of(chosen)))
        assert sorted(found) == sorted(row["name"] for row in fitting(goods, chosen)), chosen
        assert names(find(sort=sort, limit=2, **criteria_of(chosen))) == found[:2], chosen


@pytest.mark.parametrize("many", [facets.MANY, 0])
def test_facets_count_what_one_more_choice_would_leave(
    find: Find, goods: Goods, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "MANY", many)
    facets._text.cache_clear()
    for chosen in CHOSEN:
        require_counts(find, goods, chosen)


def require_counts(find: Find, goods: Goods, chosen: dict[str, Any]) -> None:
    """A facet's own choice does not narrow it; categories go on below the chosen one."""
    sort = "relevance" if "q" in chosen else "name"
    found = find(sort=sort, limit=1, facets=ALL_FACETS, **criteria_of(chosen)).facets
    assert found is not None, chosen
    every = fitting(goods, chosen)
    assert found.count == len(every), chosen

    def counted(code: str, values: list[str]) -> dict[str, int]:
        rest = {name: wanted for name, wanted in chosen.items() if name != code}
        return {v: n for v in values if (n := len(fitting(goods, rest | {code: [v]})))}

    attributes = {a.code: {v.value: v.count for v in a.values} for a in found.attributes or ()}
    expected = {
        "color": counted("color", ["red", "blue", "green"]),
        "brand": counted("brand", ["Acme", "Böhm & Sohn"]),
        "size": counted("size", [*"012345"]),
    }
    assert attributes == {code: counts for code, counts in expected.items() if counts}, chosen
    others = fitting(goods, chosen, but="available")
    assert found.available == Counter(is_left(row, chosen) for row in others), chosen
    tops = {None: ["home", "garden"], "home": ["lights"], "lights": []}[chosen.get("category")]
    assert {c.value: c.count for c in found.categories or ()} == {
        slug: n for slug in tops if (n := len(fitting(every, {"category": slug})))
    }
    amounts = [row["price"] for row in fitting(goods, chosen, but="price")]
    bounds = [0, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]
    assert (found.price is None) == (not amounts)
    if found.price is not None:
        assert (found.price.lowest_minor, found.price.highest_minor) == (min(amounts), max(amounts))
        assert [(r.least_minor, r.most_minor, r.count) for r in found.price.ranges] == [
            (least, most, n)
            for least, most in pairwise(bounds)
            if (n := sum(least <= price < most for price in amounts))
        ]


def test_only_what_was_declared_can_be_filtered_by(find: Find, goods: Goods) -> None:
    for criteria in (
        {"choices": {"hidden": ["x"]}},
        {"choices": {"weight": ["1"]}},
        {"ranges": {"color": Range(least=1)}},
        {"facets": FacetsWanted(attributes=frozenset({"nothing"}))},
    ):
        with pytest.raises(UnknownFilters):
            find(sort="name", **criteria)


def test_a_value_is_called_what_the_older_of_two_types_calls_it(find: Find, now: datetime) -> None:
    for number, choices in enumerate([{"s": "Silk"}, {"s": "Satin", "w": "Wool"}]):
        cloth = AttributeTerms(
            code="cloth",
            name=f"Cloth {number}",
            kind=Kind.CHOICE,
            choices=tuple(ChoiceTerms(code=code, name=name) for code, name in choices.items()),
            filterable=True,
        )
        types.create_type(code=f"t{number}", name="T", attributes=(cloth,), now=now)
    for number, code in enumerate("sw"):
        fields = {"product_type": "t1", "attributes": {"cloth": code}, "sku": code}
        create((f"Shirt {number}", fields), now=now)
    counted = find(sort="name", facets=ALL_FACETS).facets
    assert counted is not None
    [cloth_values] = counted.attributes or ()
    assert cloth_values.name == "Cloth 0"
    assert [value.name for value in cloth_values.values] == ["Silk", "Wool"]


def test_a_list_by_price_has_only_what_has_one(find: Find, now: datetime) -> None:
    create(("Lamp", {"price": 300, "sku": "A"}), ("Free lamp", {"sku": "B"}), now=now)
    assert names(find(sort="price")) == ["Lamp"]
    assert names(find(sort="name")) == ["Free lamp", "Lamp"]
    assert names(find(sort="-price", currency="EUR")) == []


def test_what_is_chosen_of_variants_is_true_of_one_and_the_same(find: Find, now: datetime) -> None:
    """Shirts of which only the blue one in M is left, and a scarf without options."""
    combinations = [("red", "M"), ("blue", "M"), ("blue", "L")]
    shirt = tuple(
        NewVariant(sku=f"{colour}-{size}", options={"Colour": colour, "Size": size})
        for colour, size in combinations
    )
    create_products(
        products=[
            NewProduct(name="Shirt", status="active", variants=shirt),
            NewProduct(name="Scarf", status="active", variants=(NewVariant(sku="scarf"),)),
        ],
        now=now,
    )
    set_stock(levels={"blue-M": 1, "scarf": 1}, reason="delivery", now=now)

    def found(**chosen: Any) -> tuple[list[str], dict[str, dict[str, int]], dict[bool, int]]:
        available = chosen.pop("available", None)
        choices = {name: (value,) for name, value in chosen.items()}
        answer = find(sort="name", choices=choices, available=available, facets=ALL_FACETS)
        counted = answer.facets
        assert counted is not None
        assert counted.available is not None
        values = {
            each.code: {value.value: value.count for value in each.values}
            for each in counted.attributes or ()
        }
        return names(answer), values, dict(counted.available)

    assert found(colour="red", size="M")[0] == ["Shirt"]
    assert found(colour="red", size="L") == ([], {"colour": {"blue": 1}, "size": {"M": 1}}, {})
    blue = {"colour": {"blue": 1}, "size": {"M": 1}}
    assert found(available=True) == (["Scarf", "Shirt"], blue, {True: 2})
    # Nothing is, but by one more choice there would be.
    out = {"colour": {"red": 1}, "size": {"L": 1}}
    assert found(available=False) == ([], out, {True: 2})
    assert found(colour="blue", available=True) == (["Shirt"], blue, {True: 1})
    # Sold out is what is sold out in red, though the blue one is left; and blue is not.
    red = {"colour": {"red": 1}, "size": {"M": 1}}
    assert found(colour="red", available=True) == ([], {"colour": {"blue": 1}}, {False: 1})
    assert found(colour="red", available=False) == (["Shirt"], red, {False: 1})
    assert found(colour="blue", size="L", available=True)[0] == []


def test_of_one_variant_the_availability_turns_lists_by_it(find: Find, now: datetime) -> None:
    """Though something else is left of the product all the time."""
    variants = tuple(NewVariant(sku=size, options={"Size": size}) for size in ("M", "L"))
    create_products(
        products=[NewProduct(name="Shirt", status="active", variants=variants)], now=now
    )

    def found(size: str) -> list[str]:
        return names(find(choices={"size": (size,)}, available=True, sort="name"))

    for levels, left in (({"L": 1}, "L"), ({"M": 1}, "ML"), ({"L": 0}, "M")):
        set_stock(levels=levels, reason="count", now=now)
        assert [size for size in "ML" if found(size)] == [*left]
