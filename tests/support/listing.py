"""What the read model behind lists holds, to be compared."""

from __future__ import annotations

from typing import Any

from domains.products.models import Listing, ListingCard, ListingNumber, ListingPrice
from infrastructure.database.contexts import connection_of


def contents() -> dict[str, list[tuple[Any, ...]]]:
    """All of it but words and options, which outlive the products that had them."""
    return {
        "products": list(Listing.objects.order_by("product_id").values_list()),
        "cards": list(
            ListingCard.objects.order_by("product_id", "currency").values_list(
                *(field.attname for field in ListingCard._meta.fields if field.name != "id")
            )
        ),
        "prices": list(
            ListingPrice.objects.order_by("product_id", "currency").values_list(
                "product_id", "currency", "amount_minor"
            )
        ),
        "numbers": list(
            ListingNumber.objects.order_by("product_id", "code", "value").values_list(
                "product_id", "code", "value"
            )
        ),
    }


def empty() -> None:
    fetch = connection_of("products").fetch
    rows = ("listing", "listingcard", "listingprice", "listingnumber")
    for table in (*rows, "listingword", "listingoption"):
        fetch(f"DELETE FROM products_{table} RETURNING 1", [])
