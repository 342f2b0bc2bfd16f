"""What somebody wants to order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domains.orders.models import Origin, PaymentChoice
from domains.orders.models.terms import customer_key
from domains.orders.rules.placement import Source
from domains.orders.services.tokens import token_hash_of
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedLine:
    sku: str
    quantity: int
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """customer_id: None for a guest, who gives an e-mail address. channel, customer_group: whose
    price lists hold besides those for everybody. expected_total: what the customer was shown.
    placed_by: the member of staff who takes the order for them. cart_id: the cart it comes from.
    """

    customer_id: UUID | None
    email: str = ""
    lines: Sequence[WantedLine]
    currency: str
    channel: str | None = None
    customer_group: str | None = None
    coupons: Sequence[str] = ()
    shipping_method: str | None = None
    expected_total: Money | None = None
    shipping_address: dict[str, Any]
    billing_address: dict[str, Any] | None = None
    payment: PaymentChoice
    note: str = ""
    placed_by: UUID | None = None
    cart_id: UUID | None = None
    asynchronous: bool = False

    @property
    def customer_key(self) -> str | None:
        return customer_key(customer_id=self.customer_id, email=self.email)

    def origin_of(self, order_id: UUID) -> Origin:
        if self.placed_by is not None:
            source = Source.STAFF
        else:
            source = Source.WEB if self.cart_id is None else Source.CART
        return Origin(
            customer_id=self.customer_id,
            email=self.email,
            token_hash=token_hash_of(order_id) if self.customer_id is None else None,
            channel=self.channel or "",
            customer_group=self.customer_group or "",
            source=source,
            placed_by=self.placed_by,
            cart_id=self.cart_id,
            note=self.note,
        )
