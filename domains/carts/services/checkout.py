"""A cart on its way to an order: frozen, then closed or given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.carts.models import Cart, store
from domains.carts.services import merging
from domains.products import public as products


def freeze(
    *, cart_id: UUID, order_id: UUID, owner: UUID | None, version: int | None, now: datetime
) -> Cart:
    """See `public.freeze`."""
    return store().freeze(cart_id=cart_id, order_id=order_id, owner=owner, version=version, now=now)


def close(*, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
    """See `public.close`."""
    is_closed = store().close(cart_id=cart_id, order_id=order_id, now=now)
    if is_closed:
        # A hold that was asked for beside the checkout may have come after the order took over what
        # was held before. Nobody else would let go of it.
        products.release_cart_hold(cart_id=cart_id, now=now)
    return is_closed


def reopen(*, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
    """See `public.reopen`."""
    carts = store()
    frozen = carts.frozen_for(cart_id=cart_id, order_id=order_id)
    if frozen is None:
        return False
    # An order that held the goods took the cart's hold over, and gave the goods back.
    is_held = frozen.hold is not None and products.is_held_for_cart(cart_id=cart_id)
    given_back = carts.reopen(frozen=frozen, is_held=is_held, now=now)
    if given_back is None:
        return False
    if given_back.into is not None:
        merging.carry_on(given_back, customer_group=None, now=now)
    return True


def frozen_since(*, before: datetime, at_most: int) -> list[tuple[UUID, UUID]]:
    """See `public.frozen_since`."""
    return store().frozen_since(before=before, at_most=at_most)


def look_again(frozen: Sequence[tuple[UUID, UUID]], *, now: datetime) -> None:
    """See `public.look_again`."""
    store().look_again(frozen, now=now)
