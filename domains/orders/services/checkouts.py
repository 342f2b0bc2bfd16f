"""Making an order of a cart, once however often it is asked for.

A cart is frozen with the id that its order will have. The row of that id in `Checkout` decides
between the order and the end of the attempt, so nobody who comes late makes a second order of it,
and nobody opens a cart again whose order is on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError

from domains.carts import public as carts
from domains.orders.errors import OrderInProgress
from domains.orders.models import Checkout, Order
from domains.orders.models.terms import customer_key
from domains.orders.rules.placement import PLACEMENT_DEADLINE, Status
from domains.orders.services import placement
from domains.orders.services.placement import Placed
from domains.orders.services.wishes import Wish
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.ids import new_id

# An attempt can be given up by the recovery while its request is asleep. Then it begins anew.
ATTEMPTS = 3
# Carts that one run of the recovery looks at. Those that wait for their customer to pay are among
# them, so it is more than can be left behind by requests that died.
RECOVERY_BATCH = 1000
# How long it is known what became of a checkout. No request sleeps for so long.
KEPT_FOR = timedelta(days=30)


def check_out(
    *,
    cart_id: UUID,
    owner: UUID | None,
    email: str = "",
    version: int | None,
    wish: Callable[[carts.CartContents], Wish],
    key: IdempotencyKey,
    now: datetime,
) -> Placed:
    """Make the order that a cart's contents ask for, or answer with the one that was made of it.

    owner: who asks, None for a guest, whose address is `email`. version: of the cart as the
    customer saw it, if they say. wish: what is wanted, given the contents. A refused order leaves
    the cart as it was. Whoever knows the id of a cart has not seen its order by that: to anybody
    but its customer, or the guest with its address, it is CartCheckedOut.
    Raises what `carts.freeze` and `placement.place_order` raise, and OrderInProgress while another
    request makes an order of the cart.
    """
    shopper = customer_key(customer_id=owner, email=email)
    if (earlier := idempotency.find(alias_of("orders"), key)) is not None:
        return placement.replayed(earlier, now=now)
    for _ in range(ATTEMPTS):
        try:
            frozen = carts.freeze(
                cart_id=cart_id, order_id=new_id(), owner=owner, version=version, now=now
            )
        except carts.CartCheckedOut as done:
            return _replayed(done.order_id, shopper, now)
        placed = _place(frozen, wish, shopper=shopper, key=key, now=now)
        if placed is not None:
            return placed
    raise OrderInProgress(headers={"Retry-After": "1"})


def _replayed(order_id: UUID, shopper: str | None, now: datetime) -> Placed:
    """What whoever sends a checkout again is answered. Raises CartCheckedOut for somebody else."""
    if shopper is None or Order.objects.get(pk=order_id).customer_key != shopper:
        raise carts.CartCheckedOut(order_id=order_id)
    return placement.replayed(order_id, now=now)


def _place(
    frozen: carts.Frozen,
    wish: Callable[[carts.CartContents], Wish],
    *,
    shopper: str | None,
    key: IdempotencyKey,
    now: datetime,
) -> Placed | None:
    """The order of a frozen cart; None where this attempt was given up by somebody else."""
    order_id, cart_id = frozen.order_id, frozen.contents.id
    try:
        order = placement.drafted(wish(frozen.contents), order_id=order_id, now=now)
    except DomainError:
        if not give_up(cart_id=cart_id, order_id=order_id, now=now):
            return _replayed(order_id, shopper, now)
        raise
    try:
        return placement.place(order, key=key, now=now)
    except ConcurrentModification:
        return _replayed(order_id, shopper, now)
    except idempotency.Duplicate:
        # The key made another order meanwhile, of this cart or of another one.
        earlier = idempotency.find(alias_of("orders"), key)
        if earlier is None or earlier != order_id:
            give_up(cart_id=cart_id, order_id=order_id, now=now)
        if earlier is None:
            raise
        return placement.replayed(earlier, now=now)
    except IntegrityError:
        if not Checkout.objects.filter(order_id=order_id).exists():
            raise
        return None


def give_up(*, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
    """Let a cart be changed again of which no order was made. False if one was."""
    if not Checkout.objects.abandon(order_id=order_id, cart_id=cart_id, now=now):
        return False
    carts.reopen(cart_id=cart_id, order_id=order_id, now=now)
    return True


def finish_checkouts(*, now: datetime) -> int:
    """Close and reopen the carts whose requests died, by what became of their orders. Those that
    wait, such as for their customer to pay, go behind the others. Returns how many it decided."""
    left = carts.frozen_since(before=now - PLACEMENT_DEADLINE, at_most=RECOVERY_BATCH)
    if not left:
        return 0
    found = Order.objects.only("id", "status", "confirmed_at").in_bulk([one for _, one in left])
    decided, waiting = 0, []
    for cart_id, order_id in left:
        order = found.get(order_id)
        if order is None:
            decided += give_up(cart_id=cart_id, order_id=order_id, now=now)
        elif order.confirmed_at is not None:
            decided += carts.close(cart_id=cart_id, order_id=order_id, now=now)
        elif order.status != Status.PENDING:
            products.release(order_id=order_id, now=now)
            decided += carts.reopen(cart_id=cart_id, order_id=order_id, now=now)
        else:
            waiting.append((cart_id, order_id))
    carts.look_again(waiting, now=now)
    return decided


def forget_checkouts(*, now: datetime, at_most: int = 10_000) -> int:
    """Forget what became of checkouts KEPT_FOR ago. Returns how many went; call it again while that
    is `at_most`."""
    return Checkout.objects.forget(before=now - KEPT_FOR, at_most=at_most)
