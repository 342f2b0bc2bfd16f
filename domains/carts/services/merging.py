"""A guest's cart goes into the customer's own; or a customer's, that an order gave back, into the
one that is open by then.

A guest's lies in another slot, so it takes three steps, each of which may be repeated: the source
is frozen with the target's id, the target takes its lines under the source's id, the source ends.
What is held for the source goes over to the target before the last one. Whoever finds it half-done
carries on: the customer who asks again, or `finish_merges`.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from domains.carts import queries
from domains.carts.errors import (
    CartCheckedOut,
    CartFrozen,
    CartNotDurable,
    CartNotFound,
    UnknownChannel,
)
from domains.carts.models import Cart, CartStatus, Hold, store
from domains.products import public as products

log = structlog.get_logger(__name__)

# The request that began it is gone after so long.
LEFT_ALONE = timedelta(seconds=10)
AT_ONCE = 100
_TARGETS = 3


def merge(
    *, source_id: UUID, customer_id: UUID, customer_group: str | None = None, now: datetime
) -> Cart:
    """Put a guest's cart into the customer's current one, or one made for it; return that.

    Repeatable. Quantities of the same SKU add up, notes stand below each other; the target's own
    place and shipping method stay. Where the guest had goods held, those of the merged cart are
    held. Raises CartNotFound, CartNotMergeable, CartCheckedOut; CartFrozen: the source is being
    checked out, or each target has been so just then, and nothing was changed.
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
        arrived = (
            source
            if isinstance(source, UUID)
            else carry_on(source, customer_group=customer_group, now=now)
        )
        if arrived is not None:
            return _read_where_it_went(arrived, customer_id, now)
    raise CartFrozen("The cart that it would be merged into is being checked out.")


def finish_merges(*, now: datetime) -> int:
    """Carry on what was begun and left alone. Returns how many there were.

    One that cannot be carried on is logged and tried again later; the others have their turn.
    Raises CartsUnavailable, CartNotDurable.
    """
    carts = store()
    left = carts.merging_since(before=now - LEFT_ALONE, at_most=AT_ONCE)
    for source_id in left:
        try:
            source = carts.merging(source_id=source_id)
            if source is not None and carry_on(source, customer_group=None, now=now) is None:
                log.info("merge_given_up", cart_id=str(source_id))
        except CartNotDurable:
            raise  # no other would be
        except Exception:  # such as a script that fails on this cart
            log.exception("merge_not_finished", cart_id=str(source_id))
            # Where it is the store that is away, this ends the run.
            carts.put_off_merge(source_id=source_id, now=now)
    return len(left)


def carry_on(source: Cart, *, customer_group: str | None, now: datetime) -> UUID | None:
    """The cart that has it all now, but for a hold that waits for that cart's order.

    None where the target takes nothing: the source is given back, for somebody else to try again. A
    customer's source is tried again here, where it goes into another one.
    """
    carts = store()
    for _ in range(_TARGETS):
        assert source.into is not None
        if carts.apply_merge(source=source, now=now) == "ok":
            if source.hold is None or _hand_over(
                source, source.hold, customer_group=customer_group, now=now
            ):
                carts.finish_merge(source=source, now=now)
            return source.into
        given_back = carts.undo_merge(source=source, now=now)
        if given_back is None or given_back.into is None:
            break
        source = given_back
    return None


def _read_where_it_went(cart_id: UUID, customer_id: UUID, now: datetime) -> Cart:
    """A cart that another went into; or, where it went into a further one since, that.

    Raises CartNotFound, CartCheckedOut.
    """
    carts = store()
    try:
        return carts.read(cart_id=cart_id, owner=customer_id, now=now)
    except CartNotFound:
        further = carts.merged_into(cart_id=cart_id)
        if further is None:
            raise
    return _read_where_it_went(further, customer_id, now)


def _hand_over(source: Cart, hold: Hold, *, customer_group: str | None, now: datetime) -> bool:
    """Have held for the target what is in it, until the later of both holds would have ended, in
    place of what both held; of what there is not enough, as much as both held. Repeatable.

    False while the target is frozen: what becomes of what is held for it, its order decides.
    """
    assert source.into is not None
    assert source.by is not None
    try:
        target = _read_where_it_went(source.into, source.by, now)
    except (CartNotFound, CartCheckedOut):
        # Who died here may have held for it after its end. What its order took over is the order's.
        for cart_id in (source.id, source.into):
            products.release_cart_hold(cart_id=cart_id, now=now)
        return True
    if target.status is not CartStatus.OPEN:
        # The source's would keep the goods from that order.
        products.release_cart_hold(cart_id=source.id, now=now)
        return False
    if target.id != source.into:
        # Who died here may have held for the one before, after that had handed over what it held.
        products.release_cart_hold(cart_id=source.into, now=now)
    lines: list[products.HoldLine] = []
    if hold.until > now:
        with suppress(UnknownChannel):
            lines = _lines_of(target, customer_group=customer_group, now=now)
    holds = [one for one in (hold, target.hold) if one is not None and one.until > now]
    until = max((one.until for one in holds), default=now)
    held: Counter[str] = Counter()
    for one in holds:
        held.update(one.quantities)
    as_held = [
        replace(line, quantity=min(line.quantity, held[line.sku]))
        for line in lines
        if held[line.sku]
    ]
    for wanted in (lines, as_held):
        noted = _hold(source, target, wanted, until=until, now=now) if wanted else None
        if noted is not None:
            return noted != "frozen"
    products.release_cart_hold(cart_id=source.id, now=now)
    return True


def _hold(
    source: Cart, target: Cart, lines: list[products.HoldLine], *, until: datetime, now: datetime
) -> str | None:
    """What came of noting it; None: it cannot be held."""
    outcome = products.hold_for_cart(
        cart_id=target.id, lines=lines, now=now, ttl=until - now, instead_of=source.id
    )
    if isinstance(outcome, products.Refused):
        return None
    held = Hold(until=until, quantities={line.sku: line.quantity for line in lines})
    noted = store().note_hold(cart_id=target.id, owner=source.by, hold=held, now=now)
    if noted == "gone":
        # It was checked out or thrown away meanwhile: nobody else would let go of it.
        products.release_cart_hold(cart_id=target.id, now=now)
    return noted


def _lines_of(cart: Cart, *, customer_group: str | None, now: datetime) -> list[products.HoldLine]:
    """What can be held of a cart: what is sold. Raises UnknownChannel."""
    offers = queries.offers_of(
        {line.sku: line.quantity for line in cart.lines},
        currency=cart.currency,
        channel=cart.channel,
        customer_group=customer_group,
        now=now,
    )
    return [
        products.HoldLine(
            variant_id=offers[line.sku].variant_id, sku=line.sku, quantity=line.quantity
        )
        for line in cart.lines
        if line.sku in offers and offers[line.sku].active
    ]
