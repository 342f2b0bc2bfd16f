"""Commands of prices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.products.errors import VariantNotFound
from domains.products.models import Price, Variant
from domains.products.services.writing import again_if_taken
from infrastructure.database.contexts import atomic
from infrastructure.money import Money


def set_price(*, sku: str, money: Money, actor_id: UUID | None, now: datetime) -> Price:
    """What a variant costs in a currency from now on. Raises VariantNotFound, NegativePrice."""

    def change() -> Price:
        with atomic("products"):
            variant_id = Variant.objects.filter(sku=sku).values_list("pk", flat=True).first()
            if variant_id is None:
                raise VariantNotFound(f"There is no SKU {sku}.")
            key = (variant_id, money.currency, None)
            price = Price.objects.locked([key], now=now).get(key)
            if price is None:
                price = Price.first(
                    variant_id=variant_id, sku=sku, money=money, actor_id=actor_id, now=now
                )
                price.save()
            else:
                price.set(amount_minor=money.amount_minor, actor_id=actor_id, now=now)
                if price.has_changes:
                    price.save()
            return price

    return again_if_taken(change, "products_price_unique")
