"""What a shop that made these sales would sell: goods, prices, categories and stock."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from demo.online_retail import Kind, Line

Value = TypeVar("Value", str, int)

DATA = Path(__file__).resolve().parent / "data"
PRODUCTS = DATA / "products.csv.gz"
REPORT = DATA / "products.json"

# The first word that occurs in a name decides. What fits nowhere is in the last one.
CATEGORIES = {
    "Christmas": ("CHRISTMAS", "XMAS", "ADVENT", "SANTA", "REINDEER", "BAUBLE", "SNOWFLAKE"),
    "Easter": ("EASTER", "CHICK", "BUNNY"),
    "Candles and lights": ("CANDLE", "T-LIGHT", "TEALIGHT", "LANTERN", "LIGHT", "LAMP", "INCENSE"),
    "Bags and purses": ("BAG", "PURSE", "SHOPPER", "WALLET", "HANDBAG"),
    "Jewellery": ("NECKLACE", "BRACELET", "EARRING", "RING", "CHARM", "BANGLE", "BROOCH", "HAIR"),
    "Cards and paper": (
        *("CARD", "WRAP", "RIBBON", "PAPER", "NOTEBOOK", "STICKER", "ENVELOPE", "STATIONERY"),
        *("PENCIL", "PEN", "TAPE", "MAGNET", "STAMP", "JOURNAL", "BOOK"),
    ),
    "Party": ("PARTY", "BUNTING", "BIRTHDAY", "BALLOON", "GARLAND", "CAKE CASES", "STRAWS"),
    "Kitchen and table": (
        *("MUG", "CUP", "TEA", "COFFEE", "PLATE", "BOWL", "CAKE", "KITCHEN", "CUTLERY", "TRAY"),
        *("GLASS", "JAR", "JUG", "BOTTLE", "APRON", "COASTER", "NAPKIN", "LUNCH", "BAKING", "JAM"),
        *("SPOON", "TIN", "PANTRY", "DOILEY", "SAUCER", "BREAD", "EGG", "TEAPOT", "TABLE"),
    ),
    "Toys and children": (
        *("CHILDREN", "GIRL", "BOY", "TOY", "DOLLY", "GAME", "JIGSAW", "PUZZLE", "SKITTLES"),
        *("SOLDIER", "PLAYING", "DOMINO", "BABY", "SOFT", "SPINNING", "DINOSAUR"),
    ),
    "Garden": ("GARDEN", "PLANT", "FLOWER", "BIRD", "SEED", "WATERING", "PARASOL", "TROWEL"),
    "Home": (
        *("CUSHION", "CLOCK", "FRAME", "MIRROR", "DOORMAT", "HOOK", "DRAWER", "CABINET", "SIGN"),
        *("BOX", "CHAIR", "HOLDER", "RACK", "BASKET", "STOOL", "SHELF", "QUILT", "BLANKET", "DOOR"),
        *("KNOB", "HANGER", "WALL", "STORAGE", "HANGING", "DECORATION", "TILE", "ART", "HEART"),
    ),
    "More": (),
}

# Most goods come in a year's sales. One in so many runs short, with a fortnight's.
SCARCE_ONE_IN = 150
WEEKS = 53
SCARCE_WEEKS = 2


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    name: str
    price_minor: int
    stock: int
    category: str


class Catalogue:
    """Takes the lines of a set one by one, and makes products of them."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self._codes: set[str] = set()
        self._spellings: set[str] = set()
        self._names: dict[str, Counter[str]] = defaultdict(Counter)
        self._prices: dict[str, Counter[int]] = defaultdict(Counter)
        self._sold: Counter[str] = Counter()
        self._nameless = 0
        self._without_customer = 0

    def take(self, kind: Kind, line: Line) -> None:
        self.lines[kind] += 1
        self._nameless += not line.name
        self._without_customer += not line.customer
        if kind in (Kind.WRITE_OFF, Kind.NO_PRICE, Kind.SALE):
            self._codes.add(line.sku)
            self._spellings.add(line.code)
        if kind is not Kind.SALE:
            return
        if line.name:
            self._names[line.sku][line.name] += 1
        self._prices[line.sku][line.price_minor] += 1
        self._sold[line.sku] += line.quantity

    def products(self) -> Iterator[Product]:
        """In the order of their SKUs."""
        for sku in sorted(self._sold):
            name = _most_frequent(self._names[sku]) if self._names[sku] else sku
            yield Product(
                sku=sku,
                name=name[:1].upper() + name[1:].lower(),
                price_minor=_most_frequent(self._prices[sku]),
                stock=stock_of(sku, self._sold[sku]),
                category=category_of(name),
            )

    def report(self) -> dict[str, int]:
        """What was done with every kind of line and of good."""
        return {
            **{f"lines: {kind.value}": self.lines[kind] for kind in Kind},
            "lines without a description, named by the other lines": self._nameless,
            "lines without a customer, sold to anybody": self._without_customer,
            "spellings of a code with small letters: in capitals": len(self._spellings)
            - len(self._codes),
            "goods with several descriptions: the most frequent one": _several(self._names),
            "goods with several prices: the most frequent one": _several(self._prices),
            "goods that were never sold at a price: left out": len(self._codes - {*self._sold}),
            "goods": len(self._sold),
        }


def stock_of(sku: str, sold: int) -> int:
    """A year's sales; for the scarce ones those of two weeks, at least one piece."""
    if crc32(sku.encode()) % SCARCE_ONE_IN == 0:
        return max(1, sold * SCARCE_WEEKS // WEEKS)
    return sold


def category_of(name: str) -> str:
    words = {word.strip(",.'\"&()").removesuffix("S") for word in name.upper().split()}
    upper = name.upper()
    for category, keywords in CATEGORIES.items():
        if any(k.removesuffix("S") in words or (" " in k and k in upper) for k in keywords):
            return category
    return "More"


def write_products(products: Iterable[Product], path: Path = PRODUCTS) -> int:
    """Write the same bytes for the same products. Returns how many."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sku", "name", "price_minor", "stock", "category"])
    count = 0
    for product in products:
        writer.writerow(asdict(product).values())
        count += 1
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return count


def read_products(path: Path = PRODUCTS) -> list[Product]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [
            Product(
                sku=row["sku"],
                name=row["name"],
                price_minor=int(row["price_minor"]),
                stock=int(row["stock"]),
                category=row["category"],
            )
            for row in csv.DictReader(file)
        ]


def read_report(path: Path = REPORT) -> dict[str, int]:
    report: dict[str, int] = json.loads(path.read_text())
    return report


def _most_frequent(values: Counter[Value]) -> Value:
    # Ties are broken by the value, so that every run chooses alike.
    return min(values, key=lambda value: (-values[value], value))


def _several(values: Mapping[str, Counter[Any]]) -> int:
    return sum(len(counter) > 1 for counter in values.values())
