"""Lists in all their orders, read page by page."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from domains.products.models import Listing
from domains.products.queries.search import pages, postgres
from domains.products.queries.search.port import ORDERS
from tests.support.search import ALL_FACETS, Find, Goods, create, names

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("walk", [pages.WALK, 3])
@pytest.mark.parametrize("sort", list(ORDERS))
def test_every_order_is_read_page_by_page_while_products_are_added(
    find: Find, now: datetime, sort: str, walk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was there is repeated or left out. `walk`: also where it is given up early."""
    monkeypatch.setattr(pages, "WALK", walk)
    monkeypatch.setattr(pages, "WALK_OF_WORDS", walk)
    pages.page_text.cache_clear()
    postgres._text.cache_clear()
    random = Random(sort)
    there = [f"{random.choice(['Old lamp', 'Lamp', 'Lamp of tin'])} {n}" for n in range(23)]
    create(
        *(
            (name, {"sku": f"T{n}", "price": random.randint(1, 5), "description": "For a table."})
            for n, name in enumerate(there)
        ),
        now=now,
    )
    for row in Listing.objects.all():
        Listing.objects.filter(pk=row.pk).update(
            popularity=random.randint(0, 3), created_at=now + timedelta(days=random.randint(0, 3))
        )
    criteria: dict[str, Any] = {"q": random.choice(["lamp", "table"])} if "rel" in sort else {}
    seen: list[str] = []
    after = None
    for page in range(20):
        found = find(sort=sort, after=after, limit=4, **criteria)
        if not found.products:
            break
        last = found.products[-1]
        after = [getattr(last, name.lstrip("-")) for name in ORDERS[sort]]
        seen += names(found)
        create(*((f"Lamp {page} {n}", {"sku": f"N{page}.{n}", "price": 3}) for n in "ab"), now=now)
    assert len(seen) == len(set(seen))
    assert [name for name in seen if name in there] != []
    assert set(there) <= set(seen)
    pages.page_text.cache_clear()
    postgres._text.cache_clear()


@pytest.mark.parametrize("after", [None, 3])
@pytest.mark.parametrize("q", ["bell", "glas bel", "tin", "gre"])
def test_a_search_is_in_the_same_order_with_facets_and_without(
    find: Find, goods: Goods, q: str, after: int | None
) -> None:
    """With them all that fits is read at once, without them rank by rank."""
    start = None
    if after is not None:
        last = find(q=q).products[after - 1]
        start = (last.rank, last.popularity, last.id)
    pages_of = [find(q=q, facets=wanted, after=start).products for wanted in (None, ALL_FACETS)]
    told = [[(each.id, each.rank, each.popularity) for each in page] for page in pages_of]
    assert told[0] == told[1]
    assert len(told[0]) >= 1
