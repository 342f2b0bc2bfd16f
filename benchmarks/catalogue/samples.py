"""What a benchmark asks a catalogue for: some of what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from infrastructure.database.contexts import connection_of

API = "/api/v1"
FACETS = "categories,price,available,attributes"
LISTED = 20
# Enough that an answer is not the one before it, few enough for a cache.
PAGES = 500


@dataclass(frozen=True, kw_only=True)
class Sample:
    slugs: Sequence[str]
    skus: Sequence[str]
    categories: Sequence[str]
    words: Sequence[str]

    def lists(self) -> list[str]:
        return [
            f"{API}/products?category={slug}&limit={LISTED}&sort={sort}"
            for slug in self.categories
            for sort in ("name", "price", "newest")
        ]

    def products(self) -> list[str]:
        return [f"{API}/products/{slug}" for slug in self.slugs]

    def searches(self) -> list[str]:
        return [f"{API}/products?q={word}&limit={LISTED}&facets={FACETS}" for word in self.words]


def of_catalogue(random: Random) -> Sample:
    """Of what is on sale; words are those of names, so common ones come up often. Categories are
    those that have a page of products in them or below: whatever the size of the catalogue, a list
    is one of 20."""
    names = _column("SELECT name FROM products_product WHERE status = 'active' ORDER BY id")
    slugs = _column("SELECT slug FROM products_product WHERE status = 'active' ORDER BY id")
    categories = _column(
        "SELECT c.slug FROM products_category c"
        " JOIN products_categorycount n ON n.category_id = c.id"
        f" GROUP BY c.slug HAVING sum(n.products) >= {LISTED} ORDER BY c.slug"
    )
    skus = _column("SELECT sku FROM products_stockitem ORDER BY sku")
    words = re.findall(r"[A-Za-z]{4,}", " ".join(random.sample(names, min(PAGES, len(names)))))
    return Sample(
        slugs=random.sample(slugs, min(PAGES, len(slugs))),
        skus=random.sample(skus, min(PAGES, len(skus))),
        categories=random.sample(categories, min(PAGES // 3, len(categories))),
        words=random.sample(words, min(PAGES, len(words))),
    )


def _column(sql: str) -> list[Any]:
    return [value for (value,) in connection_of("products").fetch(sql, [])]
