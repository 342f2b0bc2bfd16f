"""One thing as lines of CSV. What is told of it as a whole stands in its first line only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from domains.products.rules.texts import TEXT_FIELDS


def _product_cells(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    whole = {name: row[name] for name in ("status", "product_type", *TEXT_FIELDS)}
    whole["categories"] = row["categories"] or None
    whole |= {f"attr.{code}": value for code, value in row["attributes"].items()}
    whole |= _translated(row["texts"])
    for variant in row["variants"]:
        yield {
            "external_id": row["external_id"],
            "slug": row["slug"],
            **whole,
            **{name: value for name, value in variant.items() if name not in _NOT_AS_NAMED},
            "variant_external_id": variant["external_id"],
            "variant_name": variant["name"],
            **{f"option.{name}": value for name, value in variant["options"].items()},
            **{f"variant_attr.{code}": value for code, value in variant["attributes"].items()},
            **{f"price.{currency}": amount for currency, amount in variant["prices"].items()},
        }
        whole = {}


_NOT_AS_NAMED = {"external_id", "name", "options", "attributes", "prices"}


def _category_cells(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**row, **_translated(row["texts"])}


def _type_cells(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    whole = {"code": row["code"], "name": row["name"]}
    if not row["attributes"]:
        yield whole
    for attribute in row["attributes"]:
        choices = [f"{choice['code']}={choice['name']}" for choice in attribute["choices"]]
        yield {
            **attribute,
            **whole,
            "attribute": attribute["code"],
            "attribute_name": attribute["name"],
            "choices": choices or None,
            **{f"attribute_name.{code}": name for code, name in attribute["names"].items()},
        }
        whole = {"code": row["code"], "name": None}


def _plain_cells(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield row


def _translated(texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"{name}.{locale}": text for locale, told in texts.items() for name, text in told.items()
    }


CELLS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Mapping[str, Any]]]] = {
    "products": _product_cells,
    "categories": _category_cells,
    "product-types": _type_cells,
    "prices": _plain_cells,
    "stock": _plain_cells,
}
"""Kind of file -> the lines of a thing, as JSON Lines has it; by the names of their columns."""
