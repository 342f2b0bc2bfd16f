"""What the read model behind lists holds, and what lists show, to be compared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction

from domains.products.api.serializers.listing import ListedProduct
from domains.products.models import (
    Listing,
    ListingCard,
    ListingNumber,
    ListingPrice,
    ListingVariant,
    Product,
)
from domains.products.queries.prices import prices_for
from domains.products.queries.search.port import (
    Criteria,
    FacetsWanted,
    Found,
    Sort,
    search_engine,
)
from domains.products.services import listing
from infrastructure.database.contexts import alias_of, atomic, connection_of


def contents() -> dict[str, list[tuple[Any, ...]]]:
    """All of it but words and options, which outlive the products that had them."""
    return {
        "products": list(Listing.objects.order_by("product_id").values_list()),
        "variants": list(ListingVariant.objects.order_by("variant_id").values_list()),
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
    rows = ("listing", "listingcard", "listingprice", "listingnumber", "listingvariant")
    for table in (*rows, "listingword", "listingoption"):
        fetch(f"DELETE FROM products_{table} RETURNING 1", [])


def made_anew() -> dict[str, list[tuple[Any, ...]]]:
    """What it holds when all of it is made anew; popularity and words apart."""
    empty()
    with atomic("products"):
        listing.refresh_products(list(Product.objects.values_list("pk", flat=True)))
    return contents()


def found_by(
    criteria: Criteria, now: datetime, *, sort: Sort = "name", facets: FacetsWanted | None = None
) -> Found:
    """What an anonymous reader finds."""
    prices = prices_for(currency=criteria.currency, channel=None, customer_group=None, now=now)
    return search_engine().search(
        criteria, sort=sort, after=None, limit=100, prices=prices, facets=facets
    )


def listed(
    now: datetime, *, locale: str = "en", currency: str = "GBP", **who: Any
) -> list[dict[str, Any]]:
    caller = {"channel": None, "customer_group": None} | who
    found = search_engine().search(
        Criteria(locale=locale, currency=currency),
        sort="name",
        after=None,
        limit=100,
        prices=prices_for(currency=currency, now=now, **caller),
        facets=None,
    )
    shown = [ListedProduct.of(product) for product in found.products]
    items: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(shown))
    return items


def by_aggregates(now: datetime, **who: Any) -> list[dict[str, Any]]:
    """The same without any card."""
    with transaction.atomic(using=alias_of("products")):
        ListingCard.objects.all().delete()
        found = listed(now, **who)
        transaction.set_rollback(True, using=alias_of("products"))
    return found
