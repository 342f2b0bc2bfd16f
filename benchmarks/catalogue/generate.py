"""The rows of a made-up catalogue of any size: three variants per product, each with price and
stock, hung into a tree of categories. The same seed makes the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

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
