"""Real catalogues of other shops as files of ours: columns renamed, nothing else.

The files are not part of the repository. They lie in `../shared/data/catalogue`, or where
KONTOR_CATALOGUES says.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = Path(
    os.environ.get("KONTOR_CATALOGUES", ROOT.parent / "shared" / "data" / "catalogue")
)

needs_catalogues = pytest.mark.skipif(
    not (CATALOGUES / "luma_products.csv.gz").exists(),
    reason="the real catalogues are not beside the repository",
)

LUMA_CURRENCY = "USD"
_GRAMS_OF_A_POUND = 454


def luma_categories() -> bytes:
    """The paths that products name, each step a category, with its path as external id."""
    paths: dict[str, None] = {}
    for row in _luma_rows():
        for path in filter(None, row["categories"].split(",")):
            steps = path.split("/")
            for depth in range(1, len(steps) + 1):
                paths["/".join(steps[:depth])] = None
    rows = [
        {
            "external_id": _external_id(path),
            "name": path.rpartition("/")[2],
            "parent": f"external:{_external_id(path.rpartition('/')[0])}" if "/" in path else "",
        }
        for path in paths
    ]
    return _csv(["external_id", "name", "parent"], rows)


def luma_products() -> bytes:
    """One row per simple product that a configurable one names, below that one's fields."""
    rows = list(_luma_rows())
    parents = [row for row in rows if row["product_type"] == "configurable"]
    simple = {row["sku"]: row for row in rows if row["product_type"] == "simple"}
    columns = [
        *("external_id", "slug", "name", "description", "status", "categories", "sku"),
        *("option.size", "option.color", "weight_g", f"price.{LUMA_CURRENCY}"),
    ]
    return _csv(columns, [r for parent in parents for r in _variants_of(parent, simple)])


def luma_stock() -> bytes:
    rows = [
        {"sku": row["sku"], "on_hand": row["qty"], "reason": "opening stock"}
        for row in _luma_rows()
        if row["product_type"] == "simple"
    ]
    return _csv(["sku", "on_hand", "reason"], rows)


def best_buy_categories() -> bytes:
    """As JSON Lines, in the order of the file: children stand before and behind their parents.

    The extract lacks some steps of its paths, so a category lies in the nearest that it has.
    """
    with gzip.open(CATALOGUES / "bestbuy_categories.json.gz", "rt", encoding="utf-8") as file:
        categories = json.load(file)
    there = {category["id"] for category in categories}
    lines = []
    for category in categories:
        # One of them has no name.
        row = {"external_id": category["id"], "name": category["name"] or category["id"]}
        above = [step["id"] for step in category["path"][:-1] if step["id"] in there]
        if above:
            row["parent"] = f"external:{above[-1]}"
        lines.append(json.dumps(row))
    return "\n".join(lines).encode()


def _variants_of(parent: dict[str, str], simple: dict[str, Any]) -> Iterator[dict[str, str]]:
    for place, told in enumerate(parent["configurable_variations"].split("|")):
        values = dict(pair.split("=", 1) for pair in told.split(","))
        variant = simple[values["sku"]]
        row = {
            "external_id": parent["sku"],
            "sku": values["sku"],
            "option.size": values["size"],
            "option.color": values["color"],
            "weight_g": str(round(float(variant["weight"]) * _GRAMS_OF_A_POUND)),
            f"price.{LUMA_CURRENCY}": variant["price"],
        }
        if place == 0:
            row |= {
                "slug": parent["url_key"],
                "name": parent["name"],
                "description": parent["description"],
                "status": "active" if parent["product_online"] == "1" else "draft",
                "categories": "|".join(
                    f"external:{_external_id(p)}" for p in parent["categories"].split(",")
                ),
            }
        yield row


def _external_id(path: str) -> str:
    return path.replace("/", " > ")


def _luma_rows() -> Iterator[dict[str, str]]:
    path = CATALOGUES / "luma_products.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _csv(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
