"""What filters leave of a list, and what facets count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
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
from tests.support.search import (
    ALL_FACETS,
    CHOSEN,
    Find,
    Goods,
    create,
    criteria_of,
    fitting,
    names,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
@pytest.mark.parametrize("sort", ["name", "newest", "popularity"])
def test_filters_narrow_a_list_whatever_it_is_sorted_by(
    find: Find, goods: Goods, chosen: dict[str, Any], sort: str
) -> None:
    found = find(sort=sort, limit=100, **criteria_of(chosen))
    assert sorted(names(found)) == sorted(row["name"] for row in fitting(goods, chosen))


@pytest.mark.parametrize("many", [facets.MANY, 0])
@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_facets_count_what_one_more_choice_would_leave(
    find: Find,
    goods: Goods,
    chosen: dict[str, Any],
    many: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A facet's own choice does not narrow it; categories go on below the chosen one."""
    monkeypatch.setattr(facets, "MANY", many)
    facets._text.cache_clear()
    sort = "relevance" if "q" in chosen else "name"
    found = find(sort=sort, limit=1, facets=ALL_FACETS, **criteria_of(chosen)).facets
    assert found is not None
    every = fitting(goods, chosen)
    assert found.count == len(every)

    def counted(code: str, values: Callable[[dict[str, Any]], list[str]]) -> dict[str, int]:
        return Counter(v for row in fitting(goods, chosen, but=code) for v in {*values(row)})

    attributes = {a.code: {v.value: v.count for v in a.values} for a in found.attributes or ()}
    expected = {
        "color": counted("color", lambda row: row["colors"]),
        "brand": counted("brand", lambda row: [row["brand"]]),
        "size": counted("size", lambda row: row["sizes"]),
    }
    assert attributes == {code: counts for code, counts in expected.items() if counts}
    others = fitting(goods, chosen, but="available")
    assert found.available == Counter(row["available"] for row in others)
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


def test_a_list_by_price_has_only_what_has_one(find: Find, now: datetime) -> None:
    create(("Lamp", {"price": 300, "sku": "A"}), ("Free lamp", {"sku": "B"}), now=now)
    assert names(find(sort="price")) == ["Lamp"]
    assert names(find(sort="name")) == ["Free lamp", "Lamp"]
    assert names(find(sort="-price", currency="EUR")) == []


def test_available_is_a_product_of_which_any_variant_is_left(find: Find, now: datetime) -> None:
    variants = tuple(NewVariant(sku=size, options={"Size": size}) for size in ("M", "L"))
    create_products(
        products=[NewProduct(name="Shirt", status="active", variants=variants)], now=now
    )
    set_stock(levels={"L": 1}, reason="delivery", now=now)
    counted = FacetsWanted(attributes=frozenset({"size"}))
    found = find(choices={"size": ("M",)}, available=True, sort="name", facets=counted)
    assert names(found) == ["Shirt"]
    assert found.facets is not None
    assert found.facets.attributes is not None
    [size] = found.facets.attributes
    assert {value.value: value.count for value in size.values} == {"M": 1, "L": 1}
