"""The tree of categories: its commands from many threads, its reads in one statement."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.errors import (
    CategoryCycle,
    CategoryNotEmpty,
    CategoryNotFound,
    CategoryTooDeep,
    ExternalIdTaken,
    SlugTaken,
    UnknownCategory,
    UnknownLocale,
)
from domains.products.models import Category, CategorySlug, CategoryText, Product, ProductCategory
from domains.products.models.categories import MAX_DEPTH
from domains.products.queries import categories as queries
from domains.products.services import categories
from domains.products.services import products as product_services
from domains.products.services.categories import NewCategory
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products


def add(name: str, parent: str | None = None, *, now: datetime, **fields: Any) -> UUID:
    category = NewCategory(name=name, parent=parent, **fields)
    return categories.add_category(category=category, now=now)


def tree(nodes: list[queries.CategoryNode] | None = None) -> dict[str, Any]:
    found = queries.category_tree(locale="en") if nodes is None else nodes
    return {node.name: tree(node.children) for node in found}


@pytest.fixture
def edit(now: datetime) -> Callable[..., None]:
    def change(category_id: UUID, **changes: Any) -> None:
        categories.edit_category(category_id=category_id, version=None, now=now, **changes)

    return change


def written(statements: CaptureQueriesContext) -> list[str]:
    """The statements that changed rows."""
    return [
        query["sql"]
        for query in statements.captured_queries
        if any(word in query["sql"] for word in ("INSERT INTO", 'UPDATE "', "DELETE FROM"))
    ]


@pytest.mark.django_db
def test_new_categories_go_behind_their_siblings(now: datetime) -> None:
    for name, parent in (("Home", None), ("Toys", None), ("Lights", "home"), ("Cups", "home")):
        add(name, parent, now=now)
    add("Attic", now=now)
    assert tree() == {"Home": {"Lights": {}, "Cups": {}}, "Toys": {}, "Attic": {}}
    assert list(tree()) == ["Home", "Toys", "Attic"]
    assert list(tree()["Home"]) == ["Lights", "Cups"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"before": "a"}, ["D", "A", "B", "C"]),
        ({"after": "a"}, ["A", "D", "B", "C"]),
        ({"before": "c"}, ["A", "B", "D", "C"]),
        ({"after": "c"}, ["A", "B", "C", "D"]),
        ({"parent": None, "before": "external:b"}, ["A", "D", "B", "C"]),
        ({"parent": None}, ["A", "B", "C", "D"]),
    ],
)
def test_a_category_is_put_next_to_a_sibling(
    changes: dict[str, Any], expected: list[str], edit: Callable[..., None], now: datetime
) -> None:
    ids = {name: add(name, now=now, external_id=name.lower()) for name in "ABCD"}
    edit(ids["D"], **changes)
    assert list(tree()) == expected


@pytest.mark.django_db
def test_a_move_and_a_reordering_write_one_row(edit: Callable[..., None], now: datetime) -> None:
    home, lights = add("Home", now=now), add("Lights", "home", now=now)
    for number in range(5):
        add(f"Lamp {number}", "lights", now=now)
    toys = add("Toys", now=now)
    before = dict(Category.objects.values_list("id", "version"))
    for category_id, changes in ((lights, {"parent": "toys"}), (toys, {"before": "home"})):
        with CaptureQueriesContext(connections[alias_of("products")]) as statements:
            edit(category_id, **changes)
        # Where it hangs elsewhere now, a note that the counts are of another tree.
        assert len(written(statements)) == (2 if "parent" in changes else 1)
        # The lock, the new place and what to move, the ranks there, and the writes.
        assert len(statements) <= 9
    after = dict(Category.objects.values_list("id", "version"))
    assert {pk for pk, version in after.items() if version != before[pk]} == {lights, toys}
    assert tree() == {"Toys": {"Lights": {f"Lamp {n}": {} for n in range(5)}}, "Home": {}}
    assert list(tree()) == ["Toys", "Home"]
    assert home not in {lights, toys}


@pytest.mark.django_db
def test_an_edit_of_nothing_writes_nothing(edit: Callable[..., None], now: datetime) -> None:
    home = add("Home", now=now, texts={"de": {"name": "Heim"}})
    edit(home, name="Home", slug="home", parent=None, texts={"de": {"name": "Heim"}})
    assert Category.objects.get().version == 1


@pytest.mark.django_db
def test_no_place_below_itself_nor_beside_what_lies_elsewhere(
    edit: Callable[..., None], now: datetime
) -> None:
    home, lights = add("Home", now=now), add("Lights", "home", now=now)
    add("Candles", "lights", now=now)
    for parent in ("home", "lights", "candles"):
        with pytest.raises(CategoryCycle):
            edit(home, parent=parent)
    with pytest.raises(UnknownCategory) as refused:
        edit(lights, parent="home", before="home")
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/before", "not_a_sibling")]
    with pytest.raises(UnknownCategory) as refused:
        edit(lights, after="lights")
    assert refused.value.errors[0].code == "not_a_sibling"
    for changes in ({"parent": "nope"}, {"before": "nope"}):
        with pytest.raises(UnknownCategory) as refused:
            edit(lights, **changes)
        assert refused.value.errors[0].code == "unknown_category"
    with pytest.raises(CategoryNotFound):
        edit(new_id(), name="x")


@pytest.mark.django_db
def test_the_tree_is_not_deeper_than_it_may_be(edit: Callable[..., None], now: datetime) -> None:
    parent = None
    for level in range(1, MAX_DEPTH + 1):
        add(f"L{level}", parent, now=now)
        parent = f"l{level}"
    with pytest.raises(CategoryTooDeep):
        add("deeper", parent, now=now)
    pair = add("Pair", now=now)
    add("Below", "pair", now=now)
    with pytest.raises(CategoryTooDeep):
        edit(pair, parent=f"l{MAX_DEPTH - 1}")
    edit(pair, parent=f"l{MAX_DEPTH - 2}")
    assert Category.objects.get(slug="pair").parent_id == queries.category_id_of(
        f"l{MAX_DEPTH - 2}"
    )


@pytest.mark.django_db
def test_texts_fall_back_field_by_field(now: datetime) -> None:
    add("Home", now=now, description="All", texts={"de": {"name": "Heim", "seo_title": "H"}})
    add("Lights", "home", now=now, seo_title="Shiny")
    german = queries.category_shown("home", locale="de")
    assert isinstance(german, queries.CategoryShown)
    assert (german.node.name, german.description, german.seo_title) == ("Heim", "All", "H")
    below = queries.category_shown("lights", locale="de")
    assert isinstance(below, queries.CategoryShown)
    assert (below.node.name, below.seo_title) == ("Lights", "Shiny")
    assert [step.name for step in below.trail] == ["Heim"]
    assert [node.name for node in queries.category_tree(locale="de")] == ["Heim"]
    for locale in ("en", "xx"):
        with pytest.raises(UnknownLocale):
            add("X", now=now, texts={locale: {"name": "x"}})


@pytest.mark.django_db
def test_old_slugs_lead_on_and_are_given_to_nobody_else(
    edit: Callable[..., None], now: datetime
) -> None:
    first = add("Home", now=now)
    edit(first, slug="house")
    edit(first, slug="dwelling")
    for old in ("home", "house"):
        assert queries.category_shown(old, locale="en") == queries.Moved(slug="dwelling")
    second = add("Home", now=now)
    assert Category.objects.get(pk=second).slug == "home-2"
    for taken in ("home", "dwelling"):
        with pytest.raises(SlugTaken):
            edit(second, slug=taken)
        with pytest.raises(SlugTaken):
            add("X", now=now, slug=taken)
    edit(first, slug="home")
    assert queries.category_shown("house", locale="en") == queries.Moved(slug="home")
    with pytest.raises(CategoryNotFound):
        queries.category_shown("nothing", locale="en")


@pytest.mark.django_db
def test_an_external_id_belongs_to_one_category(edit: Callable[..., None], now: datetime) -> None:
    first = add("Home", now=now, external_id="1")
    with pytest.raises(ExternalIdTaken):
        add("House", now=now, external_id="1")
    assert queries.category_id_of("external:1") == first
    edit(first, external_id=None)
    assert add("House", "home", now=now, external_id="1") == queries.category_id_of("external:1")


@pytest.mark.django_db
def test_only_an_empty_category_is_removed(now: datetime) -> None:
    home = add("Home", now=now, texts={"de": {"name": "Heim"}})
    lights = add("Lights", "home", now=now)
    product_id = products.product(now=now, categories=("lights",))
    for full in (home, lights):
        with pytest.raises(CategoryNotEmpty):
            categories.remove_category(category_id=full, version=None)
    product_services.edit_product(product_id=product_id, version=None, now=now, categories=[])
    with pytest.raises(ConcurrentModification):
        categories.remove_category(category_id=lights, version=7)
    categories.remove_category(category_id=lights, version=1)
    categories.remove_category(category_id=home, version=None)
    assert not CategoryText.objects.exists()
    assert not CategorySlug.objects.exists()
    with pytest.raises(CategoryNotFound):
        categories.remove_category(category_id=home, version=None)
    # Its slug is free again.
    assert Category.objects.get(pk=add("Home", now=now)).slug == "home"


@pytest.mark.django_db
def test_each_product_on_sale_counts_once_in_each_category_above_it(
    now: datetime, django_assert_num_queries: Any
) -> None:
    for name, parent in (
        *(("Home", None), ("Lights", "home"), ("Candles", "lights"), ("Cups", "home")),
        ("Toys", None),
    ):
        add(name, parent, now=now)
    for number, (status, where) in enumerate(
        [
            ("active", ("candles",)),
            ("active", ("candles", "cups")),
            ("active", ("candles", "lights", "home", "toys")),
            ("active", ()),
            ("draft", ("candles",)),
        ]
    ):
        products.product(now=now, sku=f"S{number}", status=status, categories=where)
    with django_assert_num_queries(1, using=alias_of("products")):
        found = queries.category_tree(locale="en")

    def counts(nodes: list[queries.CategoryNode]) -> dict[str, int]:
        return {n.slug: n.products for n in nodes} | {
            slug: count for n in nodes for slug, count in counts(n.children).items()
        }

    expected = {"home": 3, "lights": 3, "candles": 3, "cups": 1, "toys": 1}
    assert counts(found) == expected
    for name in ("lights", "cups"):
        with django_assert_num_queries(1, using=alias_of("products")):
            shown = queries.category_shown(name, locale="en")
        assert isinstance(shown, queries.CategoryShown)
        assert counts([shown.node]) == {slug: expected[slug] for slug in counts([shown.node])}
        assert [step.slug for step in shown.trail] == ["home"]


@pytest.mark.django_db
def test_products_are_put_into_a_category_by_one_statement(now: datetime) -> None:
    home, lights = add("Home", now=now), add("Lights", now=now)
    ids = [products.product(now=now, sku=f"S{n}", categories=("lights",)) for n in range(3)]
    archived = products.product(now=now, sku="gone", status="archived")
    OutboxMessage.objects.using(alias_of("products")).all().delete()
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        assert product_services.relist_products(
            category_id=home, add=[*ids, archived, new_id()], now=now
        ) == (3, 0)
    links_written = 'INSERT INTO "products_productcategory"'
    assert sum(links_written in sql for sql in written(statements)) == 1
    links = ProductCategory.objects.filter(product_id=ids[0]).order_by("position")
    assert [link.category_id for link in links] == [lights, home]
    messages = OutboxMessage.objects.using(alias_of("products"))
    assert sorted(message.key for message in messages.all()) == sorted(map(str, ids))
    assert all('"changed":["categories"]' in message.payload for message in messages.all())
    assert product_services.relist_products(
        category_id=home, add=ids[:1], remove=ids[1:], now=now
    ) == (0, 2)
    assert messages.count() == 5
    assert set(Product.objects.filter(pk__in=ids).values_list("version", flat=True)) == {2, 3}
    with pytest.raises(CategoryNotFound):
        product_services.relist_products(category_id=new_id(), add=ids, now=now)


@pytest.mark.django_db(transaction=True)
def test_categories_moved_at_once_make_no_circle_and_keep_an_order(
    edit: Callable[..., None], now: datetime
) -> None:
    names = "abcdef"
    ids = {name: add(name, now=now) for name in names}

    def move(pair: tuple[str, str]) -> None:
        with suppress(CategoryCycle):
            edit(ids[pair[0]], parent=pair[1])

    pairs = [(one, other) for one in names for other in names if one != other]
    in_threads(move, pairs, threads=6)
    reached, waiting = [], queries.category_tree(locale="en")
    while waiting:
        node = waiting.pop()
        reached.append(node.slug)
        waiting += node.children
    # What hangs in a circle cannot be reached from the top.
    assert sorted(reached) == list(names)


@pytest.mark.django_db(transaction=True)
def test_categories_added_and_reordered_at_once_all_have_their_own_place(
    edit: Callable[..., None], now: datetime
) -> None:
    first = [add(f"First {n}", now=now) for n in range(4)]

    def work(number: int) -> None:
        if number % 2:
            add("Same name", now=now)
        else:
            edit(first[number % 4], before=f"first-{(number + 1) % 4}")

    in_threads(work, range(24), threads=6)
    positions = list(Category.objects.values_list("position", flat=True))
    assert len(set(positions)) == len(positions) == 16
    assert len(queries.category_tree(locale="en")) == 16


@pytest.mark.django_db(transaction=True)
def test_a_category_is_not_removed_under_a_product_that_is_put_into_it(now: datetime) -> None:
    ids = {f"c{n}": add(f"c{n}", now=now) for n in range(10)}
    product_ids = {name: products.product(now=now, sku=name, name=f"In {name}") for name in ids}

    def work(job: tuple[str, bool]) -> None:
        name, removes = job
        with suppress(CategoryNotEmpty, UnknownCategory):
            if removes:
                categories.remove_category(category_id=ids[name], version=None)
            else:
                product_services.edit_product(
                    product_id=product_ids[name], version=None, now=now, categories=[name]
                )

    in_threads(work, [(name, bool(k)) for name in ids for k in range(2)], threads=4)
    left = set(Category.objects.values_list("id", flat=True))
    linked = set(ProductCategory.objects.values_list("category_id", flat=True))
    assert left == linked
