from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest

from domains.products.public import NewProduct, NewVariant, create_products, set_stock
from domains.products.queries.prices import PricesFor
from domains.products.queries.search.port import (
    Criteria,
    FacetsWanted,
    Found,
    search_engine,
)
from domains.products.services import types
from infrastructure.money import Money
from tests.support.factories import products
from tests.support.search import (
    BRAND,
    COLOUR,
    HIDDEN,
    IN_CATEGORIES,
    LENGTH,
    RELEASED,
    WEIGHT,
    Find,
    Goods,
)


@pytest.fixture
def find(now: datetime) -> Find:
    def search(
        *,
        sort: Any = "relevance",
        after: Sequence[Any] | None = None,
        limit: int = 10,
        facets: FacetsWanted | None = None,
        locale: str = "en",
        currency: str = "GBP",
        **criteria: Any,
    ) -> Found:
        return search_engine().search(
            Criteria(locale=locale, currency=currency, **criteria),
            sort=sort,
            after=after,
            limit=limit,
            prices=PricesFor(currency=currency, now=now),
            facets=facets,
        )

    return search


@pytest.fixture
def goods(now: datetime) -> Goods:
    """Forty products of three categories, one below another, as plain rows to compare with."""
    attributes = (COLOUR, BRAND, WEIGHT, LENGTH, RELEASED, HIDDEN)
    types.create_type(code="t", name="T", attributes=attributes, now=now)
    for name, parent in (("Home", None), ("Lights", "home"), ("Garden", None)):
        products.category(name=name, parent=parent, now=now)
    random = Random(4)
    rows: Goods = []
    for number in range(40):
        variants = [
            {
                "sku": f"{number}-{n}",
                "color": color,
                "size": str(number % 2 + 2 * n),
                "length": random.randint(1, 9),
                "left": random.random() < 0.5,
            }
            for n, color in enumerate(random.sample(["red", "blue", "green"], random.randint(1, 3)))
        ]
        rows.append(
            {
                "name": f"{random.choice(['Tin bell', 'Glass bell', 'Glass cup'])} {number}",
                "categories": random.choice(IN_CATEGORIES),
                "brand": random.choice(["Acme", "Böhm & Sohn"]),
                "weight": random.randint(1, 20) / 2,
                "released": f"2026-01-{random.randint(10, 28)}",
                "price": random.choice([199, 200, 1999, 12000]),
                "variants": variants,
            }
        )
    create_products(
        products=[
            NewProduct(
                name=row["name"],
                status="active",
                product_type="t",
                categories=tuple(row["categories"]),
                attributes={name: row[name] for name in ("brand", "weight", "released")},
                variants=tuple(
                    NewVariant(
                        sku=variant["sku"],
                        prices=(Money(row["price"] + n, "GBP"),),
                        attributes={name: variant[name] for name in ("color", "length")},
                        options={"Size": variant["size"]},
                    )
                    for n, variant in enumerate(row["variants"])
                ),
            )
            for row in rows
        ],
        now=now,
    )
    left = {one["sku"]: 1 for row in rows for one in row["variants"] if one["left"]}
    set_stock(levels=left, reason="delivery", now=now)
    return rows
