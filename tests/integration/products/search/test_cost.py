"""How many statements a list costs, and which indexes it is made from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from psycopg.sql import Literal

from domains.products.models import Category, CategoryCount
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.queries.search.port import (
    FacetsWanted,
    Range,
)
from domains.products.queries.search.understanding import FEW
from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services import types
from infrastructure.database.contexts import alias_of, connection_of
from infrastructure.database.postgresql.base import numbered
from infrastructure.money import Money
from tests.support.factories import products
from tests.support.search import ALL_FACETS, Find, Goods, names

pytestmark = pytest.mark.django_db

MANY = 60


@pytest.mark.parametrize(
    ("sort", "criteria", "facets", "count"),
    [
        ("name", {}, None, 1),
        ("price", {"lowest_minor": Range(most=500), "available": True}, None, 1),
        ("name", {"category": "home"}, None, 1),
        ("newest", {"category": "home", "available": True}, ALL_FACETS, 1),
        ("relevance", {"q": "glas bel"}, None, 2),
        ("name", {}, ALL_FACETS, 1),
        (
            "relevance",
            {"q": "bell", "category": "home", "choices": {"color": ["red"]}},
            ALL_FACETS,
            2,
        ),
        ("name", {"category": "nowhere"}, ALL_FACETS, 1),
        ("name", {"choices": {"color": ["red"], "size": ["2"]}, "available": True}, ALL_FACETS, 2),
        ("newest", {"choices": {"color": ["red"]}, "available": False}, ALL_FACETS, 2),
    ],
)
def test_whatever_is_asked_for_costs_two_statements_at_most(
    find: Find,
    goods: Goods,
    django_assert_num_queries: Any,
    sort: str,
    criteria: dict[str, Any],
    facets: FacetsWanted | None,
    count: int,
) -> None:
    with django_assert_num_queries(count, using=alias_of("products")):
        find(sort=sort, facets=facets, limit=20, **criteria)


@pytest.mark.parametrize(
    ("sort", "criteria", "indexes"),
    [
        ("name", {}, ["products_listed_by_name"]),
        ("newest", {}, ["products_listed_by_age"]),
        ("popularity", {}, ["products_listed_by_sales"]),
        ("price", {"lowest_minor": Range(least=200)}, ["products_listed_by_price"]),
        ("name", {"category": "home"}, ["products_listed_with"]),
        (
            "popularity",
            {"choices": {"color": ["red"]}},
            ["products_listed_by_sales", "products_listed_with"],
        ),
        (
            "name",
            {"choices": {"color": ["red"], "size": ["2"]}, "available": True},
            ["products_listed_by_name", "products_listed_with", "products_listed_variants"],
        ),
        # Of few it walks along the names and looks at the numbers of each.
        (
            "name",
            {"ranges": {"weight": Range(most=1)}},
            ["products_listed_by_number|products_listed_by_name"],
        ),
        ("relevance", {"q": "glas bel"}, ["products_listed_by_sales", "products_listed_with"]),
    ],
)
def test_lists_are_made_from_indexes(
    find: Find, goods: Goods, sort: str, criteria: dict[str, Any], indexes: list[str]
) -> None:
    connection = connections[alias_of("products")]
    with CaptureQueriesContext(connection) as captured, connection.cursor() as cursor:
        # It is a small table still: reading it whole would be as fast.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        find(sort=sort, **criteria)
        cursor.execute(f"EXPLAIN {captured.captured_queries[-1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for index in indexes:
        assert any(name in plan for name in index.split("|")), plan
    assert "Seq Scan on products_listing" not in plan


@pytest.mark.parametrize("sort", ["name", "newest", "popularity"])
def test_a_small_category_is_fetched_and_a_large_one_walked_for(
    find: Find, goods: Goods, sort: str
) -> None:
    """Either way it is the same list."""
    connection = connections[alias_of("products")]
    plans, found = [], []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for most in (FEW, FEW + 1):
            CategoryCount.objects.all().delete()
            for row in Category.objects.all():
                CategoryCount.objects.create(category_id=row.pk, products=most, moves=0)
            with CaptureQueriesContext(connection) as captured:
                found.append(names(find(sort=sort, category="home")))
            cursor.execute(f"EXPLAIN ANALYZE {captured.captured_queries[-1]['sql']}")
            plans.append([line for (line,) in cursor.fetchall() if "never executed" not in line])
    assert found[0] == found[1]
    assert len(found[0]) == 10
    walked = ["products_listed_by" in "\n".join(plan) for plan in plans]
    assert walked == [False, True]


def test_nothing_is_walked_for_in_a_category_that_does_not_exist(find: Find, goods: Goods) -> None:
    connection = connections[alias_of("products")]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        with CaptureQueriesContext(connection) as captured:
            assert find(sort="name", category="nowhere").products == []
        cursor.execute(f"EXPLAIN ANALYZE {captured.captured_queries[-1]['sql']}")
        done = [line for (line,) in cursor.fetchall() if "never executed" not in line]
    assert "products_listed_by" not in "\n".join(done)


def test_slips_are_looked_up_in_their_index(find: Find, goods: Goods) -> None:
    connection = connections[alias_of("products")]
    with CaptureQueriesContext(connection) as captured, connection.cursor() as cursor:
        # It is a small table still: reading it whole would be as fast.
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert len(find(q="galss").products) == 10
        cursor.execute(f"EXPLAIN {captured.captured_queries[1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Bitmap Index Scan on products_similar_words" in plan
    assert "Seq Scan on products_listingword" not in plan


@pytest.fixture
def many(now: datetime) -> None:
    """Products of which each is in a category of its own, with choices that few others have."""
    for top in ("even", "odd"):
        products.category(name=top, now=now)
    for n in range(MANY):
        products.category(name=f"below {n}", parent="odd" if n % 2 else "even", now=now)
    choices = tuple(ChoiceTerms(code=f"c{n}", name=f"Choice {n}") for n in range(MANY // 2))
    attributes = tuple(
        AttributeTerms(code=code, name=code, kind=Kind.CHOICE, choices=choices, filterable=True)
        for code in ("cut", "cloth")
    )
    types.create_type(code="t", name="T", attributes=attributes, now=now)
    create_products(
        products=[
            NewProduct(
                name=f"Shirt {n}",
                status="active",
                categories=(f"below-{n}",),
                product_type="t",
                attributes={a.code: f"c{n % len(choices)}" for a in attributes},
                variants=(
                    NewVariant(
                        sku=f"S-{n}",
                        prices=(Money(1000, "GBP"),),
                        options={"Colour": "red" if n % 2 else "blue", "Size": str(n % 3)},
                    ),
                ),
            )
            for n in range(MANY)
        ],
        now=now,
    )


def test_what_facets_count_is_read_once_however_little_was_expected(find: Find, many: None) -> None:
    """A plan is made before anybody knows what is asked for. That several things are true of a
    product is then taken to be rare, and to compare each row with each other one looks cheap."""
    connection, asked = connection_of("products"), list[tuple[str, Any]]()

    def ask(execute: Any, sql: str, params: Any, *others: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, *others)

    with connection.execute_wrapper(ask):
        found = find(
            sort="name",
            facets=ALL_FACETS,
            choices={"colour": ["red", "blue"], "size": ["0", "1", "2"]},
            available=False,
        )
    assert found.facets is not None
    assert found.facets.categories is not None
    counted = [(category.value, category.count) for category in found.facets.categories]
    assert counted == [("even", MANY // 2), ("odd", MANY // 2)]
    text, params = asked[-1]
    values = ", ".join(Literal(value).as_string(connection.connection) for value in params)
    with connection.cursor() as cursor:
        # Now it knows how few categories a product is in, of which it would expect ten.
        cursor.execute("ANALYZE products_listing")
        # Looking up rows of a small table would cost as much as reading it.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"PREPARE asked AS {numbered(text)[0].decode()}")
        try:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked({values})")
            [[[plan]]] = cursor.fetchall()
        finally:
            cursor.execute("DEALLOCATE asked")
    read = [node for node in _nodes(plan["Plan"]) if node["Node Type"] == "CTE Scan"]
    again = {node["CTE Name"]: node["Actual Loops"] for node in read if node["Actual Loops"] > 1}
    assert {node["CTE Name"] for node in read} >= {"matched", "found", "up", "counted", "shown"}
    assert again == {}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in node.get("Plans", ()):
        yield from _nodes(part)
