"""How many products lie in a category: what is kept is what there is, at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from domains.products.errors import CategoryCycle
from domains.products.models import Category, CategoryCount, Listing, ProductCategory
from domains.products.queries import categories as queries
from domains.products.services import categories, listing
from domains.products.services import products as services
from domains.products.services.categories import NewCategory
from domains.products.tasks import count_categories
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.database.threads import in_threads
from tests.support.factories import products
from tests.support.files import bring, counts

LINES = ["candles", "cups", "home", "lights", "toys", "trains"]


def told(nodes: list[queries.CategoryNode] | None = None) -> dict[str, int]:
    found = queries.category_tree(locale="en") if nodes is None else nodes
    return {node.slug: node.products for node in walked(found)}


def walked(nodes: list[queries.CategoryNode]) -> Iterator[queries.CategoryNode]:
    for node in nodes:
        yield node
        yield from walked(node.children)


def counted() -> dict[str, int]:
    """The same by looking at each product and each category above it."""
    rows = Category.objects.values_list("id", "parent_id", "slug")
    parents = {pk: parent for pk, parent, _ in rows}
    lying: dict[UUID, set[UUID]] = {pk: set() for pk in parents}
    listed = Listing.objects.values("product_id")
    links = ProductCategory.objects.filter(product_id__in=listed)
    for product_id, category_id in links.values_list("product_id", "category_id"):
        above: UUID | None = category_id
        while above is not None:
            lying[above].add(product_id)
            above = parents[above]
    return {slug: len(lying[pk]) for pk, _, slug in rows}


class _Walk:
    """Commands of staff and runs of the task, one after the other, by chance."""

    def __init__(self, random: Random, now: datetime) -> None:
        self.random, self.now = random, now
        self.categories = {
            slug: categories.add_category(
                category=NewCategory(name=slug, parent=random.choice([None, *LINES[:place]])),
                now=now,
            )
            for place, slug in enumerate(LINES)
        }
        self.products = [
            products.product(now=now, sku=f"S{number}", categories=self.some())
            for number in range(5)
        ]
        self.steps = [*[self.lie] * 4, self.show, self.show, self.move, count_categories]

    def some(self) -> tuple[str, ...]:
        return tuple(self.random.sample(LINES, self.random.randint(0, 4)))

    def step(self) -> None:
        with suppress(CategoryCycle):
            self.random.choice(self.steps)()

    def lie(self) -> None:
        self.edit(categories=list(self.some()))

    def show(self) -> None:
        self.edit(status=self.random.choice(["active", "draft"]))

    def edit(self, **changes: Any) -> None:
        services.edit_product(
            product_id=self.random.choice(self.products), version=None, now=self.now, **changes
        )

    def move(self) -> None:
        categories.edit_category(
            category_id=self.categories[self.random.choice(LINES)],
            version=None,
            parent=self.random.choice([None, *LINES]),
            now=self.now,
        )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(6))
def test_after_any_commands_the_counts_are_right(seed: int, now: datetime) -> None:
    walk = _Walk(Random(seed), now)
    for _ in range(50):
        walk.step()
        expected = counted()
        assert told() == expected
        shown = queries.category_shown(walk.random.choice(LINES), locale="en")
        assert isinstance(shown, queries.CategoryShown)
        below = told([shown.node])
        assert below == {slug: expected[slug] for slug in below}
    count_categories()
    assert not CategoryCount.objects.is_stale()
    assert told() == counted()
    kept = CategoryCount.objects.exclude(category_id=None).values_list("category_id", "products")
    slugs = {pk: slug for slug, pk in walk.categories.items()}
    assert {slugs[pk]: n for pk, n in kept if pk} == {s: n for s, n in counted().items() if n}
    assert len(kept) == len(set(kept))


@pytest.mark.django_db(transaction=True)
def test_counts_are_right_whoever_changes_the_tree_and_the_products_at_once(now: datetime) -> None:
    walk = _Walk(Random(7), now)
    differences = []

    def read() -> None:
        with atomic("products"):
            with connections[alias_of("products")].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found, expected = told(), counted()
        if found != expected:
            differences.append((found, expected))

    def work(number: int) -> None:
        if number % 3 == 0:
            read()
        else:
            mine = _Walk.__new__(_Walk)
            mine.__dict__ |= walk.__dict__ | {"random": Random(number)}
            mine.steps = [*[mine.lie] * 4, mine.show, mine.move, count_categories]
            mine.step()

    in_threads(work, range(240), threads=8)
    assert differences == []
    count_categories()
    assert told() == counted()


@pytest.mark.django_db
def test_only_another_parent_makes_what_was_counted_stale(now: datetime) -> None:
    for name, parent in (("Home", None), ("Lights", "home"), ("Cups", "home"), ("Toys", None)):
        products.category(name=name, parent=parent, now=now)
    products.product(now=now, categories=("cups",))
    cups = queries.category_id_of("cups")

    def edit(**changes: Any) -> bool:
        categories.edit_category(category_id=cups, version=None, now=now, **changes)
        return CategoryCount.objects.is_stale()

    assert not edit(name="Mugs", before="lights")
    assert not edit(parent="home", after="lights")
    assert edit(parent="toys")
    assert told() == {"home": 0, "lights": 0, "toys": 1, "cups": 1}
    count_categories()
    assert not CategoryCount.objects.is_stale()
    assert told() == {"home": 0, "lights": 0, "toys": 1, "cups": 1}
    assert counts(bring("categories", "slug,parent\ncups,home\n", now=now)) == (0, 1, 0, 0)
    assert CategoryCount.objects.is_stale()
    assert told() == {"home": 1, "lights": 0, "toys": 0, "cups": 1}


@pytest.mark.django_db
def test_a_rebuild_counts_anew(now: datetime) -> None:
    products.category(name="Home", now=now)
    products.product(now=now, categories=("home",))
    CategoryCount.objects.using(alias_of("products")).all().delete()
    assert told() == {"home": 0}
    listing.rebuild_listing(now=now)
    assert told() == {"home": 1}
