"""What the goods of a made-up shop are called, made of, and said to be."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random

# Names of real goods lend their words, and how often each occurs.
_DEMO = Path(__file__).resolve().parent.parent.parent / "demo" / "data" / "products.csv.gz"

COLOURS = ["black", "white", "blue", "red", "grey", "green", "pink", "cream", "brown", "yellow"]
COLOURS += ["navy", "purple", "orange", "turquoise", "gold", "silver"]
SIZES = ["XS", "S", "M", "L", "XL", "XXL"]
MATERIALS = ["cotton", "wool", "linen", "leather", "steel", "oak", "pine", "glass", "ceramic"]
MATERIALS += ["paper", "silk", "bamboo", "aluminium", "plastic", "brass", "felt"]
SEASONS = ["spring", "summer", "autumn", "winter"]
AUDIENCES = ["women", "men", "children", "everybody"]
ADJECTIVES = ["classic", "vintage", "modern", "small", "large", "light", "warm", "folding", "soft"]
ADJECTIVES += ["retro", "mini", "heavy", "round", "striped", "plain", "handmade", "natural"]
ADJECTIVES += ["premium", "everyday", "travel", "outdoor", "compact", "deluxe", "rustic"]


@dataclass(frozen=True, slots=True)
class Choice:
    code: str
    name: str
    kind: str
    choices: list[str] = field(default_factory=list)
    unit: str = ""
    level: str = "product"


BRAND = Choice("brand", "Brand", "text")
MATERIAL = Choice("material", "Material", "choice", MATERIALS)
COLOUR = Choice("color", "Colour", "choice", COLOURS, level="variant")
SIZE = Choice("size", "Size", "choice", SIZES, level="variant")
SEASON = Choice("season", "Season", "multi_choice", SEASONS)
AUDIENCE = Choice("audience", "For", "choice", AUDIENCES)
WEIGHT = Choice("weight", "Weight", "number", unit="g")
WIRELESS = Choice("wireless", "Wireless", "boolean")
WASHABLE = Choice("washable", "Washable", "boolean")
RELEASED = Choice("released", "On the market since", "date")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of product. goods: what they are, in English and German. variants: how many of one
    there are, about. price_minor: of the median."""

    code: str
    name: str
    goods: dict[str, str]
    attributes: list[Choice]
    price_minor: int
    variants: int


KINDS = [
    Kind(
        "clothing",
        "Clothing",
        {
            "jacket": "Jacke",
            "hoodie": "Kapuzenpullover",
            "dress": "Kleid",
            "shirt": "Hemd",
            "trousers": "Hose",
            "skirt": "Rock",
            "socks": "Socken",
            "scarf": "Schal",
            "sweater": "Pullover",
            "coat": "Mantel",
            "gloves": "Handschuhe",
            "hat": "Hut",
        },
        [BRAND, MATERIAL, AUDIENCE, SEASON, WASHABLE, COLOUR, SIZE],
        3900,
        6,
    ),
    Kind(
        "shoes",
        "Shoes",
        {
            "boots": "Stiefel",
            "sandals": "Sandalen",
            "trainers": "Turnschuhe",
            "slippers": "Hausschuhe",
            "loafers": "Slipper",
        },
        [BRAND, MATERIAL, AUDIENCE, SEASON, COLOUR],
        6900,
        5,
    ),
    Kind(
        "electronics",
        "Electronics",
        {
            "headphones": "Kopfhörer",
            "speaker": "Lautsprecher",
            "keyboard": "Tastatur",
            "mouse": "Maus",
            "charger": "Ladegerät",
            "camera": "Kamera",
            "monitor": "Monitor",
            "cable": "Kabel",
            "printer": "Drucker",
            "radio": "Radio",
        },
        [BRAND, WIRELESS, WEIGHT, RELEASED, COLOUR],
        8900,
        2,
    ),
    Kind(
        "kitchen",
        "Kitchen",
        {
            "mug": "Becher",
            "plate": "Teller",
            "bowl": "Schüssel",
            "teapot": "Teekanne",
            "pan": "Pfanne",
            "knife": "Messer",
            "jug": "Krug",
            "glass": "Glas",
            "apron": "Schürze",
            "tray": "Tablett",
            "bottle": "Flasche",
        },
        [BRAND, MATERIAL, WASHABLE, WEIGHT, COLOUR],
        1450,
        2,
    ),
    Kind(
        "furniture",
        "Furniture",
        {
            "chair": "Stuhl",
            "table": "Tisch",
            "shelf": "Regal",
            "stool": "Hocker",
            "cabinet": "Schrank",
            "mirror": "Spiegel",
            "bench": "Bank",
            "desk": "Schreibtisch",
        },
        [BRAND, MATERIAL, WEIGHT, COLOUR],
        18900,
        2,
    ),
    Kind(
        "lighting",
        "Lighting",
        {
            "lantern": "Laterne",
            "lamp": "Lampe",
            "candle": "Kerze",
            "chandelier": "Leuchter",
            "candlestick": "Kerzenständer",
        },
        [BRAND, MATERIAL, WIRELESS, COLOUR],
        2400,
        2,
    ),
    Kind(
        "toys",
        "Toys",
        {
            "puzzle": "Puzzle",
            "doll": "Puppe",
            "train": "Eisenbahn",
            "kite": "Drachen",
            "blocks": "Bausteine",
            "game": "Spiel",
            "bear": "Teddybär",
            "rocket": "Rakete",
        },
        [BRAND, MATERIAL, RELEASED],
        1900,
        1,
    ),
    Kind(
        "garden",
        "Garden",
        {
            "parasol": "Sonnenschirm",
            "trowel": "Kelle",
            "hose": "Schlauch",
            "pot": "Topf",
            "birdhouse": "Vogelhaus",
            "rake": "Rechen",
            "barrow": "Schubkarre",
        },
        [BRAND, MATERIAL, WEIGHT, SEASON],
        2600,
        1,
    ),
    Kind(
        "stationery",
        "Stationery",
        {
            "notebook": "Notizbuch",
            "pencil": "Bleistift",
            "card": "Karte",
            "wrap": "Papier",
            "pen": "Füller",
            "stapler": "Hefter",
            "calendar": "Kalender",
        },
        [BRAND, MATERIAL, COLOUR],
        650,
        2,
    ),
    Kind(
        "jewellery",
        "Jewellery",
        {
            "necklace": "Halskette",
            "bracelet": "Armband",
            "ring": "Ring",
            "brooch": "Brosche",
            "earrings": "Ohrringe",
        },
        [BRAND, MATERIAL, AUDIENCE, COLOUR],
        4200,
        3,
    ),
]
# How large a part of the catalogue each kind is.
SHARES = [24, 9, 15, 14, 8, 6, 8, 6, 6, 4]

_ONSETS = ["b", "br", "c", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "r", "s", "st"]
_ONSETS += ["t", "tr", "v", "w", "z"]
_VOWELS = ["a", "e", "i", "o", "u", "ea", "ou"]
_CODAS = ["", "n", "r", "l", "s", "t", "nd", "rk", "ll", "m"]


class Zipf:
    """Draws from a list so that the n-th item comes about 1/n as often as the first."""

    def __init__(self, items: list[str], *, exponent: float = 1.0) -> None:
        self.items = items
        self._weights = list(accumulate(1 / rank**exponent for rank in range(1, len(items) + 1)))

    def draw(self, random: Random, count: int) -> list[str]:
        return random.choices(self.items, cum_weights=self._weights, k=count)


def vocabulary(random: Random, size: int) -> list[str]:
    """Words in the order of their frequency: those of real goods first, then made-up ones."""
    seen: Counter[str] = Counter()
    with gzip.open(_DEMO, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            seen.update(re.findall("[a-z]{3,}", row["name"].lower()))
    words = [word for word, _ in seen.most_common()]
    known = set(words)
    while len(words) < size:
        word = _made_up(random, random.choice((2, 2, 3)))
        if word not in known:
            known.add(word)
            words.append(word)
    return words[:size]


def brands(random: Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[_made_up(random, 2).capitalize()] = None
    return list(found)


def _made_up(random: Random, syllables: int) -> str:
    return "".join(
        random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_CODAS)
        for _ in range(syllables)
    )
