"""What was shown of products and may not be any more: caches are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings

from domains.products import events as facts
from domains.products.models import Product
from domains.products.queries.variants import products_of_variants
from domains.products.rules import tags
from infrastructure.cache import invalidation
from infrastructure.database.contexts import alias_of
from infrastructure.events.event import Event


def hint(*some: str) -> None:
    """Something that carries these tags changes in the running transaction: so the change is shown
    at once, and not when its event has been handled."""
    invalidation.after_commit(alias_of("products"), some)


def hint_of_variants(variant_ids: Sequence[UUID], *some: str) -> None:
    """The same for everything that shows these variants."""
    if settings.CACHE_ENABLED:
        hint(*some, *tags.of_products(products_of_variants(variant_ids)))


def forget(*, events: Sequence[Event], now: datetime) -> None:
    """Show nothing any more that was true before these events.

    Raises redis.RedisError where that cannot be said; then it has to be said again.
    """
    recent = [event for event in events if invalidation.matters(event.occurred_at, now=now)]
    found: list[str] = []
    products: list[UUID] = []
    variants: list[UUID] = []
    for event in recent:
        match event:
            case facts.ProductCreated() | facts.ProductUpdated() | facts.ProductDeleted():
                products.append(event.product_id)
                if _is_listed(event):
                    found.append(tags.LISTS)
            case facts.PriceChanged() | facts.PriceWithdrawn():
                variants.append(event.variant_id)
                found.append(tags.PRICES)
            case facts.StockAvailabilityChanged():
                variants.append(event.variant_id)
                found.append(tags.AVAILABILITY)
            case facts.PriceListChanged():
                found.append(tags.PRICE_LISTS)
    if recent:
        products += products_of_variants(variants)
        invalidation.invalidate([*found, *tags.of_products(products)])


def _is_listed(
    event: facts.ProductCreated | facts.ProductUpdated | facts.ProductDeleted,
) -> bool:
    """Whether lists had the product, or have it now: nobody is shown a draft."""
    match event:
        case facts.ProductCreated():
            return event.status == Product.Status.ACTIVE
        case facts.ProductUpdated():
            return event.status == Product.Status.ACTIVE or "status" in event.changed
    return True
