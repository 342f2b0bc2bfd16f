"""Products to search among, and what a search of them has to find."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.queries.search.port import (
    FacetsWanted,
    Found,
    Range,
)
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from infrastructure.money import Money

LIST = "/api/v1/products"
ALL_FACETS = FacetsWanted(categories=True, price=True, available=True, attributes=True)
Find = Callable[..., Found]


def names(found: Found) -> list[str]:
    return [product.name for product in found.products]


def create(*news: tuple[str, dict[str, Any]], now: datetime) -> None:
    """Products by name; `price` in pence, `options` of their one variant, anything else as is."""
    create_products(
        products=[
            NewProduct(
                name=name,
                status="active",
                variants=(
                    NewVariant(
                        sku=fields.pop("sku", f"S-{place}"),
                        prices=tuple(
                            Money(amount, "GBP") for amount in [fields.pop("price", None)] if amount
                        ),
                        options=fields.pop("options", {}),
                        barcode=fields.pop("barcode", ""),
                    ),
                ),
                **fields,
            )
            for place, (name, fields) in enumerate(news)
        ],
        now=now,
    )


COLOUR = AttributeTerms(
    code="color",
    name="Colour",
    names={"de": "Farbe"},
    kind=Kind.CHOICE,
    choices=(
        ChoiceTerms(code="red", name="Red", names={"de": "Rot"}),
        ChoiceTerms(code="blue", name="Blue"),
        ChoiceTerms(code="green", name="Green"),
    ),
    filterable=True,
    level=Level.VARIANT,
)

BRAND = AttributeTerms(code="brand", name="Brand", kind=Kind.TEXT, filterable=True)
LENGTH = AttributeTerms(
    code="length", name="Length", kind=Kind.NUMBER, filterable=True, level=Level.VARIANT
)
WEIGHT = AttributeTerms(code="weight", name="Weight", kind=Kind.NUMBER, filterable=True)
RELEASED = AttributeTerms(code="released", name="Since", kind=Kind.DATE, filterable=True)
HIDDEN = AttributeTerms(code="hidden", name="Hidden", kind=Kind.TEXT)
Goods = list[dict[str, Any]]
IN_CATEGORIES = [["home"], ["lights"], ["lights", "home"], ["garden"]]
BELOW = {"home": {"home", "lights"}, "lights": {"lights"}, "garden": {"garden"}}

FITS: dict[str, Callable[[dict[str, Any], Any], bool]] = {
    "q": lambda row, q: q in row["name"].lower(),
    "category": lambda row, slug: bool(BELOW[slug] & {*row["categories"]}),
    "brand": lambda row, values: row["brand"] in values,
    "weight": lambda row, bounds: bounds[0] <= row["weight"] <= bounds[1],
    "price": lambda row, bounds: bounds[0] <= row["price"] <= bounds[1],
}
VARIANT_FITS: dict[str, Callable[[dict[str, Any], Any], bool]] = {
    "color": lambda variant, values: variant["color"] in values,
    "size": lambda variant, values: variant["size"] in values,
    "length": lambda variant, bounds: bounds[0] <= variant["length"] <= bounds[1],
}

CHOSEN: list[dict[str, Any]] = [
    {},
    {"q": "bell"},
    {"category": "home"},
    {"category": "lights", "color": ["red"]},
    {"color": ["red", "blue"], "brand": ["Böhm & Sohn"]},
    {"color": ["green"], "price": (200, 2000), "available": True},
    {"q": "glass", "size": ["1"], "weight": (2, 6.5), "category": "home"},
    {"available": False, "price": (0, 199), "brand": ["Acme", "Böhm & Sohn"]},
    {"brand": ["nobody's"]},
    {"available": True},
    {"color": ["red"], "size": ["2", "3"]},
    {"color": ["blue"], "available": True},
    {"color": ["blue"], "available": False},
    {"length": (5, 9), "available": False, "q": "bell"},
    {"size": ["0", "2"], "length": (1, 6), "available": True, "category": "home"},
]


def criteria_of(chosen: dict[str, Any]) -> dict[str, Any]:
    plain = {name: chosen[name] for name in ("q", "category", "available") if name in chosen}
    choices = {name: chosen[name] for name in ("color", "brand", "size") if name in chosen}
    bounds = {
        name: Range(least=chosen[name][0], most=chosen[name][1])
        for name in ("weight", "length", "price")
        if name in chosen
    }
    lowest = bounds.pop("price", None)
    return {**plain, "choices": choices, "ranges": bounds, "lowest_minor": lowest}


def fitting(goods: Goods, chosen: dict[str, Any], *, but: str = "") -> Goods:
    rest = {name: value for name, value in chosen.items() if name != but}
    return [
        row
        for row in goods
        if all(FITS[name](row, value) for name, value in rest.items() if name in FITS)
        and variants_fitting(row, rest)
        and rest.get("available") in (None, is_left(row, rest))
    ]


def variants_fitting(row: dict[str, Any], chosen: dict[str, Any]) -> Goods:
    """Those of a product that have all that is asked of a variant, left or not."""
    return [
        variant
        for variant in row["variants"]
        if all(VARIANT_FITS[name](variant, chosen[name]) for name in VARIANT_FITS.keys() & chosen)
    ]


def is_left(row: dict[str, Any], chosen: dict[str, Any]) -> bool:
    return any(variant["left"] for variant in variants_fitting(row, chosen))
