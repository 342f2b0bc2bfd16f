"""A made-up catalogue of any size, for measuring.

    python -m benchmarks.catalogue.generate --products 100000

fills an empty, migrated database: three variants per product, each with price and stock, hung into
a tree of categories. The same seed makes the same rows. They are copied into the tables of the
products context past its services, so there are neither events nor a ledger: a shop made like this
is for reading, and its books do not balance.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connections

from benchmarks import environment
from benchmarks.catalogue.words import (
    ADJECTIVES,
    COLOURS,
    KINDS,
    SHARES,
    SIZES,
    Choice,
    Kind,
    Zipf,
    brands,
    vocabulary,
)
from infrastructure.database.contexts import alias_of

SEED = 20260101
PRODUCTS = 100_000
CURRENCY = "GBP"
# Like the tree of a large electronics chain: how many categories each level has.
LEVELS = (43, 489, 1826, 1826, 364, 36)
CATEGORIES = sum(LEVELS)
STARTED = datetime(2024, 1, 1, tzinfo=UTC)
OUT_OF_STOCK = 0.12
REDUCED = 0.1
TRANSLATED = 0.2
WORDS = 20_000
BRANDS = 400

Row = tuple[Any, ...]


@dataclass(slots=True)
class Rows:
    """The rows of some products, by table."""

    products: list[Row] = field(default_factory=list)
    slugs: list[Row] = field(default_factory=list)
    texts: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    variants: list[Row] = field(default_factory=list)
    sold: list[Row] = field(default_factory=list)
    demand: list[Row] = field(default_factory=list)


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
    variants = load(products=options.products, seed=options.seed)
    seconds = time.perf_counter() - began
    print(f"{options.products:,} products, {variants:,} variants in {seconds:.0f} s")


def load(*, products: int = PRODUCTS, seed: int = SEED) -> int:
    """Fill the tables of a shop without products, listing included. Returns how many variants."""
    random = Random(seed)
    alias = alias_of("products")
    made = Catalogue(random, products)
    with connections[alias].cursor() as django_cursor:
        connection: psycopg.Connection[Any] = django_cursor.connection
        # Of 100,000 products also an index takes longer than any request may.
        connection.execute("SET statement_timeout = 0")
        rebuild = _without_indexes(connection)
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(_MADE_UP)
            _copy(cursor, _TYPES, made.types)
            _copy(cursor, _ATTRIBUTES, made.attributes)
            _copy(cursor, _CATEGORIES, made.categories)
            _copy(cursor, "products_categoryslug (id, slug, category_id)", made.category_slugs)
            variants = 0
            for rows in made.batches():
                variants += len(rows.variants)
                for name, target in _COPIES.items():
                    _copy(cursor, target, getattr(rows, name))
            for statement in _FROM_MADE_UP:
                cursor.execute(statement, {"currency": CURRENCY})
            cursor.execute("DROP TABLE made_up")
        # The listing is computed by means of the other tables' indexes.
        for statement in [text for text in rebuild if "products_list" not in text]:
            connection.execute(statement)
            rebuild.remove(statement)
        connection.execute("ANALYZE")
    call_command("rebuild_listing", verbosity=0, threads=2)
    with connections[alias].cursor() as cursor:
        for statement in rebuild:
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE products_listing")
        cursor.execute("RESET statement_timeout")
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


class Catalogue:
    """Draws everything from one source of chance, in one order."""

    def __init__(self, random: Random, products: int) -> None:
        self._random, self._products = random, products
        self._day = datetime.now(UTC).date()  # popularity looks back from today
        self._ids = 0
        self._words = Zipf(vocabulary(random, WORDS), exponent=0.9)
        self._brands = Zipf(brands(random, BRANDS))
        self._adjectives = Zipf(ADJECTIVES, exponent=0.6)
        self._goods = {kind.code: Zipf(list(kind.goods), exponent=0.5) for kind in KINDS}
        self._type_ids = {kind.code: self._id() for kind in KINDS}
        self.types = [
            (self._type_ids[kind.code], kind.code, kind.name, STARTED, STARTED, 1, 0)
            for kind in KINDS
        ]
        self.attributes = [
            self._attribute(kind, place, choice)
            for kind in KINDS
            for place, choice in enumerate(kind.attributes)
        ]
        self.categories: list[Row] = []
        self.category_slugs: list[Row] = []
        self._leaves = Zipf(self._tree(), exponent=0.4)

    def batches(self, size: int = 5_000) -> Iterator[Rows]:
        for start in range(0, self._products, size):
            rows = Rows()
            for number in range(start, min(start + size, self._products)):
                self._product(number, rows)
            yield rows

    def _id(self) -> str:
        """A UUID of version 7 in the order of creation, the same in every run."""
        self._ids += 1
        return f"018cc251{self._ids:08x}7000800000000000"[:32]

    def _attribute(self, kind: Kind, place: int, choice: Choice) -> Row:
        choices = [{"code": name, "name": name.capitalize()} for name in choice.choices]
        return (
            self._id(),
            self._type_ids[kind.code],
            choice.code,
            choice.name,
            "{}",
            choice.kind,
            choice.unit,
            json.dumps(choices),
            False,
            True,
            choice.level,
            place,
        )

    def _tree(self) -> list[str]:
        """Makes the categories; those that have nothing below them."""
        above: list[str | None] = [None]
        parents: set[str | None] = set()
        names = self._words.items
        for level, count in enumerate(LEVELS):
            made: list[str | None] = []
            for number in range(count):
                category, parent = self._id(), self._random.choice(above)
                parents.add(parent)
                word = names[(level * 977 + number * 7) % 1500]
                name = f"{word} {names[number % 400]}".capitalize()
                slug = f"category-{level + 1}-{number}"
                position = f"a{len(self.categories):05d}1"
                dates = (STARTED, STARTED, 1, 0)
                self.categories.append((category, parent, position, slug, name, *[""] * 3, *dates))
                self.category_slugs.append((self._id(), slug, category))
                made.append(category)
            above = made
        return [str(row[0]) for row in self.categories if row[0] not in parents]

    def _product(self, number: int, rows: Rows) -> None:
        random, product_id = self._random, self._id()
        [kind] = random.choices(KINDS, weights=SHARES)
        [thing] = self._goods[kind.code].draw(random, 1)
        [brand] = self._brands.draw(random, 1)
        [adjective] = self._adjectives.draw(random, 1)
        attributes = {
            choice.code: brand if choice.code == "brand" else _value(random, choice)
            for choice in kind.attributes
            if choice.level == "product"
        }
        material = attributes.get("material", "")
        name = " ".join(filter(None, [brand, adjective, material, thing]))
        if random.random() < 0.3:
            name += f" {random.choice('ABCDEFGHKLMNPRSTX')}{random.randrange(10, 999)}"
        words = self._words.draw(random, random.randint(15, 60))
        created = STARTED + timedelta(minutes=8 * number)
        slug = f"{name.lower().replace(' ', '-')}-{number}"
        rows.products.append(
            (
                product_id,
                slug,
                self._type_ids[kind.code],
                json.dumps(attributes),
                name,
                f"{' '.join(words).capitalize()}.",
                created,
                created,
                1,
                0,
                "active",
                "",
                "",
            )
        )
        rows.slugs.append((self._id(), slug, product_id))
        if random.random() < TRANSLATED:
            german = f"{brand} {kind.goods[thing]}"
            rows.texts.append((self._id(), product_id, "de", german, "", "", ""))
        for place, category in enumerate(dict.fromkeys(self._leaves.draw(random, 1 + number % 2))):
            rows.links.append((self._id(), product_id, category, place))
        self._variants(number, product_id, kind, created, rows)
        # Few sell much, most sell little.
        units = int(random.paretovariate(0.7)) - 1
        if units:
            rows.demand.append((product_id, self._day, min(units, 50_000)))

    def _variants(
        self, number: int, product_id: str, kind: Kind, created: datetime, rows: Rows
    ) -> None:
        random = self._random
        count = max(1, min(15, round(random.gauss(kind.variants * SPREAD, 1.5))))
        levels = [choice for choice in kind.attributes if choice.level == "variant"]
        base = max(49, round(kind.price_minor * random.lognormvariate(0, 0.6) / 50) * 50 - 1)
        colours, sizes = random.sample(COLOURS, 5), SIZES
        for place in range(count):
            variant_id = self._id()
            own = {"color": colours[place % 5], "size": sizes[place // 5 + place % 3]}
            attributes = {choice.code: own[choice.code] for choice in levels}
            options = {choice.code.capitalize(): own[choice.code].capitalize() for choice in levels}
            sku = f"{kind.code[:2].upper()}{number:06d}-{place + 1}"
            barcode = _ean(200_000_000_000 + number * 15 + place)
            price, regular = base + 100 * (place // 5), None
            if random.random() < REDUCED:
                price, regular = round(price * 0.8), price
            stock = 0 if random.random() < OUT_OF_STOCK else random.randint(1, 500)
            rows.variants.append(
                (
                    variant_id,
                    product_id,
                    sku,
                    barcode,
                    " ".join(options.values()),
                    json.dumps(options),
                    json.dumps(attributes),
                    "piece",
                    "standard",
                    place,
                )
            )
            rows.sold.append((variant_id, sku, price, regular, stock, created))


# Makes it three variants per product on average.
SPREAD = 0.86


def _value(random: Random, choice: Choice) -> Any:
    match choice.kind:
        case "choice":
            weights = [1 / rank for rank in range(1, len(choice.choices) + 1)]
            return random.choices(choice.choices, weights=weights)[0]
        case "multi_choice":
            return sorted(random.sample(choice.choices, random.randint(1, 2)))
        case "boolean":
            return random.random() < 0.4
        case "date":
            return str(date(2020, 1, 1) + timedelta(days=random.randrange(2000)))
    return round(random.lognormvariate(6, 1))


def _ean(digits: int) -> str:
    """An EAN-13 of these twelve digits, with its check digit (GS1 General Specifications 7.9)."""
    text = f"{digits:012d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(text))
    return f"{text}{-total % 10}"


if __name__ == "__main__":
    main()
