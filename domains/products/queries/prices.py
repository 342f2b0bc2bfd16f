"""What a SKU costs and what it cost."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from domains.products.errors import VariantNotFound
from domains.products.models import PriceEntry, Variant


def price_history_of(sku: str, *, currency: str) -> QuerySet[PriceEntry, Any]:
    """What a SKU cost from when on, to be read in pages. Raises VariantNotFound."""
    variant_id = Variant.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if variant_id is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return PriceEntry.objects.filter(
        price__variant_id=variant_id, price__currency=currency, price__price_list=None
    ).values("id", "number", "amount_minor", "from_at", "actor_id")
