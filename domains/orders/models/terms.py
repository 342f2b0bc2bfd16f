"""What an order is placed with, besides its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domains.orders.rules.placement import Source
from infrastructure.pii.index import blind_index, normalise_email


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentChoice:
    """How the customer wants to pay. The token is the gateway's, opaque to us."""

    method: str
    token: str
    # Where the customer comes back to who has to confirm the payment at the gateway.
    return_url: str = ""
    # Whether the order waits for another try where this one is declined.
    keep_on_decline: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Who orders, and by which way.

    customer_id: None for a guest, who is known by `email` and reads the order with a token whose
    SHA-256 is `token_hash`. placed_by: the member of staff who took the order for the customer.
    """

    customer_id: UUID | None
    email: str = ""
    token_hash: bytes | None = None
    channel: str = ""
    customer_group: str = ""
    source: Source = Source.WEB
    placed_by: UUID | None = None
    cart_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What an order costs besides its lines, in minor units, as it was quoted.

    shipping_minor: with its tax. coupons: each once, as it was entered; uses: what of promotions
    and coupons has to be redeemed; discounts: what was taken off; promotions: what edits keep.
    """

    prices_include_tax: bool = True
    subtotal_minor: int
    discount_minor: int = 0
    shipping_method: str = ""
    shipping_name: str = ""
    shipping_minor: int = 0
    shipping_tax_minor: int = 0
    shipping_tax_rate: str = "0"
    tax_minor: int = 0
    total_minor: int
    coupons: Sequence[str] = ()
    uses: Sequence[dict[str, Any]] = ()
    discounts: Sequence[dict[str, Any]] = ()
    promotions: Sequence[dict[str, Any]] = ()


def customer_key(*, customer_id: UUID | None, email: str) -> str | None:
    """What a customer is known by to promotions that each may use so often only. Nothing personal:
    of a guest it is the blind index of the e-mail address."""
    if customer_id is not None:
        return str(customer_id)
    if not email:
        return None
    return blind_index(normalise_email(email), kind="email").hex()
