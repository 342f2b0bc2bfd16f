"""A cart on its way to an order: frozen, then closed or given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.carts.errors import CartCheckedOut, CartNotFound
from domains.carts.models import Cart, Hold, store
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
    held = _held_again(frozen, now)
    given_back = carts.reopen(frozen=frozen, hold=held, now=now)
    if given_back is None:
        if held is not None:
            _let_go_of_what_is_gone(frozen, now)
        return False
    if given_back.into is not None:
        merging.carry_on(given_back, customer_group=None, now=now)
    return True


def _held_again(cart: Cart, now: datetime) -> Hold | None:
    """What is held for a cart that is given back: an order that held its goods took over what the
    cart held, and has let go of it."""
    if cart.hold is None or cart.hold.until <= now:
        return None
    until = cart.hold.until
    held = products.hold_for_cart_again(
        cart_id=cart.id, quantities=cart.hold.quantities, until=until, now=now
    )
    return Hold(until=until, quantities=held) if held else None


def _let_go_of_what_is_gone(cart: Cart, now: datetime) -> None:
    """Somebody else gave it back, and it may have been ordered, merged or thrown away since: nobody
    would let go of what was held for it again too late."""
    try:
        store().read(cart_id=cart.id, owner=cart.customer_id, now=now)
    except (CartNotFound, CartCheckedOut):
        products.release_cart_hold(cart_id=cart.id, now=now)


def frozen_since(*, before: datetime, at_most: int) -> list[tuple[UUID, UUID]]:
    """See `public.frozen_since`."""
    return store().frozen_since(before=before, at_most=at_most)


def look_again(frozen: Sequence[tuple[UUID, UUID]], *, now: datetime) -> None:
    """See `public.look_again`."""
    store().look_again(frozen, now=now)
