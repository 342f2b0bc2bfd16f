"""Filling a shop with a made-up catalogue.

    python -m benchmarks.catalogue.filling --products 100000

fills an empty, migrated database with the rows of `generate`. They are copied into the tables of
the products context past its services, so there are neither events nor a ledger: a shop made like
this is for reading, and its books do not balance.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from random import Random
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connections

from benchmarks import environment
from benchmarks.catalogue.generate import Catalogue, Row
from infrastructure.database.contexts import alias_of, atomic

SEED = 20260101
PRODUCTS = 100_000
CURRENCY = "GBP"
INDEX_MEMORY = "256MB"

# What the rows of a product hold; the other columns are the same for all.
_COPIES = {
    "products": (
        "products_product (id, slug, product_type_id, attributes, name, description, created_at,"
        " updated_at, version, events_recorded, status, seo_title, seo_description)"
    ),
    "slugs": "products_productslug (id, slug, product_id)",
    "texts": (
        "products_producttext"
        " (id, product_id, locale, name, description, seo_title, seo_description)"
    ),
    "links": "products_productcategory (id, product_id, category_id, position)",
    "variants": (
        "products_variant (id, product_id, sku, barcode, name, options, attributes, unit,"
        " tax_class, position)"
    ),
    "sold": "made_up (variant_id, sku, amount_minor, regular_minor, on_hand, at)",
    "demand": "products_listingdemand (product_id, day, units)",
}

_TYPES = "products_producttype (id, code, name, created_at, updated_at, version, events_recorded)"
_ATTRIBUTES = (
    "products_attribute (id, product_type_id, code, name, names, kind, unit, choices, required,"
    " filterable, level, position)"
)
_CATEGORIES = (
    "products_category (id, parent_id, position, slug, name, description, seo_title,"
    " seo_description, created_at, updated_at, version, events_recorded)"
)

_MADE_UP = """
    CREATE TEMPORARY TABLE made_up (
        variant_id uuid, sku text, amount_minor bigint, regular_minor bigint, on_hand integer,
        at timestamptz
    )
"""
_FROM_MADE_UP = (
    """
    INSERT INTO products_price (id, version, events_recorded, variant_id, sku, currency, list_code,
        amount_minor, tiers, regular_minor, lowest_30d_minor, entries_recorded, updated_at)
    SELECT variant_id, 1, 0, variant_id, sku, %(currency)s, '', amount_minor,
        '{}'::bigint[], regular_minor, regular_minor, 1 + (regular_minor IS NOT NULL)::int, at
    FROM made_up
    """,
    """
    INSERT INTO products_priceentry (id, price_id, number, kind, min_quantity, amount_minor,
        from_at, recorded_at, ending)
    SELECT variant_id, variant_id, 1, 'regular', 1, coalesce(regular_minor, amount_minor),
        at - interval '90 days', at - interval '90 days', ''
    FROM made_up
    UNION ALL
    SELECT md5(variant_id::text)::uuid, variant_id, 2, 'sale', 1, amount_minor, at, at, ''
    FROM made_up WHERE regular_minor IS NOT NULL
    """,
    """
    INSERT INTO products_stockitem
        (version, events_recorded, variant_id, sku, on_hand, held, backorder_limit)
    SELECT 1, 0, variant_id, sku, on_hand, 0, 0 FROM made_up
    """,
    """
    INSERT INTO products_stocklevel (id, stock_item_id, warehouse_id, on_hand)
    SELECT variant_id, variant_id, 'main', on_hand FROM made_up
    """,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    environment.set_up_django()
    began = time.perf_counter()
    variants = fill(products=options.products, seed=options.seed)
    seconds = time.perf_counter() - began
    print(f"{options.products:,} products, {variants:,} variants in {seconds:.0f} s")


def fill(*, products: int = PRODUCTS, seed: int = SEED) -> int:
    """Fill the tables of a shop without products, listing included. Returns how many variants.

    In one transaction: whoever ends it half-way leaves no row, and every index in its place.
    """
    made = Catalogue(Random(seed), products)
    with atomic("products"):
        with connections[alias_of("products")].cursor() as django_cursor:
            connection: psycopg.Connection[Any] = django_cursor.connection
        # An index over 100,000 products takes longer than any request may, and less with memory.
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'")
        rebuild = _without_indexes(connection)
        variants = _copied(connection, made)
        # The listing is computed by means of the other tables' indexes.
        listing = [statement for statement in rebuild if "products_list" in statement]
        for statement in rebuild:
            if statement not in listing:
                connection.execute(statement)
        connection.execute("ANALYZE")
        call_command("rebuild_listing", verbosity=0)
        for statement in listing:
            connection.execute(statement)
    with connections[alias_of("products")].cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE products_listing, products_listingvariant")
        cursor.execute("RESET statement_timeout")
    return variants


def _copied(connection: psycopg.Connection[Any], made: Catalogue) -> int:
    """Copy everything but the listing; how many variants there are."""
    variants = 0
    with connection.cursor() as cursor:
        cursor.execute(_MADE_UP)
        _copy(cursor, _TYPES, made.types)
        _copy(cursor, _ATTRIBUTES, made.attributes)
        _copy(cursor, _CATEGORIES, made.categories)
        _copy(cursor, "products_categoryslug (id, slug, category_id)", made.category_slugs)
        for rows in made.batches():
            variants += len(rows.variants)
            for name, target in _COPIES.items():
                _copy(cursor, target, getattr(rows, name))
        for statement in _FROM_MADE_UP:
            cursor.execute(statement, {"currency": CURRENCY})
        cursor.execute("DROP TABLE made_up")
    return variants


def _without_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop foreign keys, and the indexes that make nothing unique: made anew over all rows they
    take a fraction of the time. Returns the statements that do that."""
    keys = connection.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f' AND connamespace = 'products'::regnamespace"
    ).fetchall()
    indexes = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)"
        " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.relnamespace = 'products'::regnamespace AND NOT i.indisunique"
    ).fetchall()
    for table, name, _ in keys:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    return [definition for _, definition in indexes] + [
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
        for table, name, definition in keys
    ]


def _copy(cursor: psycopg.Cursor[Any], target: str, rows: Iterable[Row]) -> None:
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


if __name__ == "__main__":
    main()
