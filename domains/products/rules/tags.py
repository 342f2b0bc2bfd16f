"""What kept answers depend on, by name. An answer carries the tags of what it shows."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

# Which products lists have, and in which order by name and date.
LISTS = "lists"
# What products cost at least: lists that are filtered or sorted by it.
PRICES = "prices"
# Which terms price lists have: everything that shows a price.
PRICE_LISTS = "price-lists"
# Whether anything is left: lists that are filtered by it, and counts.
AVAILABILITY = "availability"
# The tree: itself, lists within it, the ways to products.
CATEGORIES = "categories"
# The attributes of types: details, and lists that count or filter by them.
TYPES = "types"


def of_products(product_ids: Iterable[UUID]) -> list[str]:
    """Each is carried by everything that shows the product."""
    return [f"product:{product_id}" for product_id in product_ids]
