from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest

from domains.products.models import Listing
from domains.products.public import NewProduct, NewVariant, create_products
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
from tests.support.search import BRAND, COLOUR, HIDDEN, IN_CATEGORIES, RELEASED, WEIGHT, Find, Goods


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
    types.create_type(
        code="t", name="T", attributes=(COLOUR, BRAND, WEIGHT, RELEASED, HIDDEN), now=now
    )
    for name, parent in (("Home", None), ("Lights", "home"), ("Garden", None)):
        products.category(name=name, parent=parent, now=now)
    random = Random(4)
    rows: Goods = []
    for number in range(40):
        rows.append(
            {
                "name": f"{random.choice(['Tin bell', 'Glass bell', 'Glass cup'])} {number}",
                "categories": random.choice(IN_CATEGORIES),
                "colors": random.sample(["red", "blue", "green"], random.randint(1, 2)),
                "brand": random.choice(["Acme", "Böhm & Sohn"]),
                "weight": random.randint(1, 20) / 2,
                "released": f"2026-01-{random.randint(10, 28)}",
                "price": random.choice([199, 200, 1999, 12000]),
                "available": random.random() < 0.6,
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
                        sku=f"{place}-{n}",
                        prices=(Money(row["price"] + n, "GBP"),),
                        attributes={"color": color},
                        options={"Size": f"{place % 2 + 2 * n}"},
                    )
                    for n, color in enumerate(row["colors"])
                ),
            )
            for place, row in enumerate(rows)
        ],
        now=now,
    )
    for place, row in enumerate(rows):
        row["sizes"] = [str(place % 2 + 2 * n) for n in range(len(row["colors"]))]
        Listing.objects.filter(sort_name=row["name"].lower()).update(available=row["available"])
    return rows
