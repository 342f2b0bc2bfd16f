"""What other contexts may ask of carts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domains.carts import queries
from domains.carts.errors import (
    CartChanged,
    CartCheckedOut,
    CartEmpty,
    CartFrozen,
    CartNotDurable,
    CartNotFound,
    CartsUnavailable,
)
from domains.carts.events import TOPIC
from domains.carts.models import Cart
from domains.carts.rules.limits import NOTE_LENGTH
from domains.carts.services import checkout

__all__ = [
    "NOTE_LENGTH",
    "TOPIC",
    "CartChanged",
    "CartCheckedOut",
    "CartContents",
    "CartEmpty",
    "CartFrozen",
    "CartLine",
    "CartNotDurable",
    "CartNotFound",
    "CartsUnavailable",
    "Frozen",
    "close",
    "event_counts",
    "freeze",
    "frozen_since",
    "look_again",
    "reopen",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class CartLine:
    sku: str
    quantity: int
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CartContents:
    """A cart without prices: these are the offers' and the quote's at the moment. customer_id:
    None for a guest's."""

    id: UUID
    version: int
    customer_id: UUID | None
    currency: str
    channel: str | None
    lines: tuple[CartLine, ...]
    coupons: tuple[str, ...]
    shipping_method: str | None
    country: str | None
    region: str
    postcode: str
    note: str

    @classmethod
    def of(cls, cart: Cart) -> Self:
        return cls(
            id=cart.id,
            version=cart.version,
            customer_id=cart.customer_id,
            currency=cart.currency,
            channel=cart.channel,
            lines=tuple(
                CartLine(sku=line.sku, quantity=line.quantity, note=line.note)
                for line in cart.lines
            ),
            coupons=cart.coupons,
            shipping_method=cart.shipping_method,
            country=cart.country,
            region=cart.region,
            postcode=cart.postcode,
            note=cart.note,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """order_id: the order that the cart is frozen for, which need not be the one asked for."""

    contents: CartContents
    order_id: UUID


def freeze(
    *, cart_id: UUID, order_id: UUID, owner: UUID | None, version: int | None, now: datetime
) -> Frozen:
    """Let nobody change a cart until it is decided what becomes of this order.

    The first order sticks: whoever comes later gets the cart with that one, whatever version they
    name. owner: who asks, None for a guest; a customer's cart exists for that customer alone.
    Raises CartNotFound, CartChanged if `version` is not the cart's, CartEmpty, CartFrozen while it
    is on its way into another cart, CartCheckedOut (with the order's id), CartsUnavailable and
    CartNotDurable: then the cart may be frozen, and whoever asks again finds out.
    """
    cart = checkout.freeze(
        cart_id=cart_id, order_id=order_id, owner=owner, version=version, now=now
    )
    assert cart.order_id is not None
    return Frozen(contents=CartContents.of(cart), order_id=cart.order_id)


def close(*, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
    """The order is confirmed: its cart is no more, and CartCheckedOut tells of it. Repeatable.

    Whether the cart has become this order; False where it was not frozen for it, or has been gone
    for so long that nothing is known of it. Raises CartsUnavailable, CartNotDurable: ask again.
    """
    return checkout.close(cart_id=cart_id, order_id=order_id, now=now)


def reopen(*, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
    """The order came to nothing, and has let go of its goods: its cart is as before, or goes into
    the one that its customer has opened since. What was held for it is held again, as far as it is
    there, until the time that it had. Repeatable, even when it has been frozen for another order
    since: that one keeps it.

    Whether this call gave it back. Raises CartsUnavailable, CartNotDurable: ask again.
    """
    return checkout.reopen(cart_id=cart_id, order_id=order_id, now=now)


def frozen_since(*, before: datetime, at_most: int) -> list[tuple[UUID, UUID]]:
    """(cart, order) of carts frozen before an instant and not decided, the oldest first: of one
    whose order does not exist the checkout died, and it is to be reopened.

    Raises CartsUnavailable.
    """
    return checkout.frozen_since(before=before, at_most=at_most)


def look_again(frozen: Sequence[tuple[UUID, UUID]], *, now: datetime) -> None:
    """These, as `frozen_since` told them, are not to be decided yet: it tells of them as if they
    had been frozen now, so that they keep nobody else waiting. Raises CartsUnavailable."""
    checkout.look_again(frozen, now=now)


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(cart id, topic, events it has recorded), in no order, streaming; of carts that exist, and of
    those that are gone for as long as it is known what became of them. One may come twice, where
    the server grows meanwhile.

    Raises CartsUnavailable.
    """
    return queries.event_counts()
