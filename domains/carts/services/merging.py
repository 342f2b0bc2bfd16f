"""A guest's cart goes into the customer's own.

They lie in different slots, so it takes three steps, each of which may be repeated: the source is
frozen with the target's id, the target takes its lines under the source's id, the source ends.
Whoever finds it half-done carries on: the customer who asks again, or `finish_merges`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from domains.carts.errors import CartFrozen
from domains.carts.models import Cart, store
from domains.products import public as products

log = structlog.get_logger(__name__)

# The request that began it is gone after so long.
LEFT_ALONE = timedelta(seconds=10)
AT_ONCE = 100
_TARGETS = 3


def merge(*, source_id: UUID, customer_id: UUID, now: datetime) -> Cart:
    """Put a guest's cart into the customer's current one, or one made for it; return that.

    Repeatable. Quantities of the same SKU add up; the target's own note, place and shipping method
    stay. Raises CartNotFound, CartNotMergeable, CartCheckedOut, CartFrozen: the source or the
    target is being checked out, and nothing was changed.
    """
    carts = store()
    for _ in range(_TARGETS):
        source = carts.begin_merge(source_id=source_id, into=None, by=customer_id, now=now)
        if isinstance(source, Cart) and source.into is None:
            target = carts.create(
                owner=customer_id,
                currency=source.currency,
                channel=source.channel,
                once=None,
                now=now,
            ).cart
            source = carts.begin_merge(source_id=source_id, into=target.id, by=customer_id, now=now)
        if isinstance(source, UUID):
            return carts.read(cart_id=source, owner=customer_id, now=now)
        if _carry_on(source, now):
            assert source.into is not None
            return carts.read(cart_id=source.into, owner=customer_id, now=now)
    raise CartFrozen("The cart that it is merged into was checked out meanwhile.")


def finish_merges(*, now: datetime) -> int:
    """Carry on what was begun and left alone. Returns how many there were."""
    carts = store()
    left = carts.merging_since(before=now - LEFT_ALONE, at_most=AT_ONCE)
    for source_id in left:
        source = carts.merging(source_id=source_id)
        if source is not None:
            try:
                _carry_on(source, now)
            except CartFrozen:
                log.info("merge_given_up", cart_id=str(source_id))
    return len(left)


def _carry_on(source: Cart, now: datetime) -> bool:
    """Whether it is done. Where the target takes nothing the source is the guest's again: False if
    another target may do. Raises CartFrozen if the target is only frozen."""
    carts = store()
    came = carts.apply_merge(source=source, now=now)
    if came == "ok":
        if source.hold is not None:
            # Else it would keep the goods from the customer whose it is now.
            products.release_cart_hold(cart_id=source.id, now=now)
        carts.finish_merge(source=source, now=now)
        return True
    carts.undo_merge(source=source, now=now)
    if came == "frozen":
        raise CartFrozen("The cart that it would be merged into is being checked out.")
    return False
