"""What customers can pay with again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from domains.payments.models import SavedMethod


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedCard:
    """A card that the gateway keeps for a customer, as it tells of it."""

    id: UUID
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int

    def __str__(self) -> str:
        expiry = f"{self.expiry_month:02}/{self.expiry_year}"
        return f"{self.brand.capitalize()} ending in {self.last4}, until {expiry}"


def saved_methods(customer_id: UUID) -> QuerySet[SavedMethod]:
    """What a customer can pay with that the gateway keeps."""
    return SavedMethod.objects.of(customer_id)


def saved_cards(customer_id: UUID, *, gateway: str) -> list[SavedCard]:
    """Those of one gateway, the newest first."""
    found = saved_methods(customer_id).filter(gateway=gateway).order_by("-id")
    return [
        SavedCard(
            id=method.id,
            brand=method.brand,
            last4=method.last4,
            expiry_month=method.expiry_month,
            expiry_year=method.expiry_year,
        )
        for method in found
    ]
