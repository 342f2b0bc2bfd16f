"""What a benchmark asks a catalogue for: some of what is in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from random import Random
from typing import Any

from django.test import Client
from django.test.utils import override_settings

from benchmarks.environment import HOST
from infrastructure.database.contexts import connection_of

API = "/api/v1"
FACETS = "categories,price,available,attributes"
LISTED = 20
# Enough that an answer is not the one before it, few enough for a cache.
PAGES = 500
# How many products a search finds that is about a page or a few, however large the catalogue is.
FEW = range(20, 201)

_WORD = re.compile(r"[A-Za-z]{4,}")


@dataclass(frozen=True, kw_only=True)
class Sample:
    slugs: Sequence[str]
    skus: Sequence[str]
    categories: Sequence[str]
    words: Sequence[str]
    few: Sequence[str]

    def lists(self) -> list[str]:
        return [
            f"{API}/products?category={slug}&limit={LISTED}&sort={sort}"
            for slug in self.categories
            for sort in ("name", "price", "newest")
        ]

    def products(self) -> list[str]:
        return [f"{API}/products/{slug}" for slug in self.slugs]

    def searches(self) -> list[str]:
        return [_search(word) for word in self.words]

    def searches_for_few(self) -> list[str]:
        return [_search(words) for words in self.few]


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
    words = _WORD.findall(" ".join(random.sample(names, min(PAGES, len(names)))))
    return Sample(
        slugs=random.sample(slugs, min(PAGES, len(slugs))),
        skus=random.sample(skus, min(PAGES, len(skus))),
        categories=random.sample(categories, min(PAGES // 3, len(categories))),
        words=random.sample(words, min(PAGES, len(words))),
        few=_of_few(names, random),
    )


def _of_few(names: Sequence[str], random: Random) -> list[str]:
    """Words of these names, and two of one name, by which FEW products are found."""
    counted: Counter[str] = Counter()
    for name in names:
        words = sorted(set(_WORD.findall(name)))
        counted.update(words)
        counted.update(" ".join(pair) for pair in combinations(words, 2))
    likely = sorted(words for words, count in counted.items() if count in FEW)
    random.shuffle(likely)
    return list(islice(filter(_finds_few, likely), PAGES))


def _finds_few(words: str) -> bool:
    """Descriptions and attributes have them, too, and longer words begin with the last one."""
    with override_settings(CACHE_ENABLED=False):
        found = Client(HTTP_HOST=HOST).get(_search(words)).json()
    return found["facets"]["count"] in FEW


def _search(words: str) -> str:
    return f"{API}/products?q={words.replace(' ', '+')}&limit={LISTED}&facets={FACETS}"


def _column(sql: str) -> list[Any]:
    return [value for (value,) in connection_of("products").fetch(sql, [])]
