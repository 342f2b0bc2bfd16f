"""Changes of carts: one command each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from domains.carts import queries
from domains.carts.errors import (
    CartEmpty,
    CartFrozen,
    NotSoldInCurrency,
    OutOfStock,
    UnknownSku,
)
from domains.carts.models import Cart, CartStatus, Change, Hold, Once, store
from domains.carts.models.store import Made
from domains.products import public as products
from infrastructure.errors import FieldError


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who looks at a cart: None and None for a guest."""

    id: UUID | None = None
    group: str | None = None


def create(
    *, shopper: Shopper, currency: str, channel: str | None, once: Once | None, now: datetime
) -> Made:
    """A new cart; a customer's current one where that is open. Raises UnknownChannel."""
    if channel is not None:
        queries.offers_of(
            {}, currency=currency, channel=channel, customer_group=shopper.group, now=now
        )
    return store().create(owner=shopper.id, currency=currency, channel=channel, once=once, now=now)


def read(*, cart_id: UUID, shopper: Shopper, now: datetime) -> Cart:
    """Raises CartNotFound, CartCheckedOut."""
    return store().read(cart_id=cart_id, owner=shopper.id, now=now)


def current(*, customer_id: UUID, now: datetime) -> Cart:
    """The customer's open cart; where there is none, the one that is being checked out and was
    made or given back last. Raises CartNotFound."""
    return store().current(owner=customer_id, now=now)


def change(
    *,
    cart_id: UUID,
    shopper: Shopper,
    changes: Sequence[Change] = (),
    fields: Mapping[str, str] | None = None,
    version: int | None = None,
    once: Once | None = None,
    now: datetime,
) -> Made:
    """Change lines and fields, all or nothing. version: the one that the caller saw, if it matters.

    What comes in has to be for sale; what is in already may be changed in any case. Raises
    CartNotFound, CartFrozen, CartCheckedOut, CartChanged, UnknownSku, NotSoldInCurrency,
    TooManyLines, QuantityTooLarge, CartTooLarge.
    """
    carts = store()
    wanted = {change.sku: change.quantity for change in changes if change.quantity}
    if wanted:
        cart = carts.read(cart_id=cart_id, owner=shopper.id, now=now)
        new = {sku: wanted[sku] for sku in wanted.keys() - set(cart.skus)}
        if new:
            _refuse_what_is_not_sold(changes, new, cart, shopper, now)
    return carts.change(
        cart_id=cart_id,
        owner=shopper.id,
        changes=changes,
        fields=fields,
        version=version,
        once=once,
        now=now,
    )


def delete(*, cart_id: UUID, shopper: Shopper, version: int | None, now: datetime) -> None:
    """Throw a cart away, and let go what is held for it.

    Raises CartNotFound, CartFrozen, CartCheckedOut, CartChanged.
    """
    store().delete(cart_id=cart_id, owner=shopper.id, version=version, now=now)
    products.release_cart_hold(cart_id=cart_id, now=now)


def tell(*, shown: queries.PricedCart, shopper: Shopper, again: bool, now: datetime) -> None:
    """Remember what the customer is told of the lines; again: also where it is news to them."""
    told = shown.told if again else shown.news
    if told:
        store().see(
            cart_id=shown.cart.id,
            owner=shopper.id,
            seen={sku: seen.text for sku, seen in told.items()},
            again=again,
            now=now,
        )


def hold(*, cart_id: UUID, shopper: Shopper, now: datetime) -> Cart:
    """Have all that is in the cart held for a while, in place of what was held before.

    Raises CartNotFound, CartFrozen, CartCheckedOut, CartEmpty, UnknownSku,
    NotSoldInCurrency, OutOfStock.
    """
    carts = store()
    cart = carts.read(cart_id=cart_id, owner=shopper.id, now=now)
    if cart.status is not CartStatus.OPEN:
        raise CartFrozen
    if not cart.lines:
        raise CartEmpty
    shown = queries.priced(cart, customer_id=shopper.id, customer_group=shopper.group, now=now)
    _refuse_unsold([problem for problem in shown.problems if problem.code in _UNSOLD])
    lines = [
        products.HoldLine(
            variant_id=line.offer.variant_id, sku=line.line.sku, quantity=line.line.quantity
        )
        for line in shown.lines
        if line.offer is not None
    ]
    ttl = timedelta(seconds=settings.CART_HOLD_SECONDS)
    outcome = products.hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=ttl)
    if isinstance(outcome, products.Refused):
        position = {line.sku: number for number, line in enumerate(cart.lines)}
        raise OutOfStock(
            errors=[
                queries.not_so_many(short.sku, short.requested, position=position[short.sku])
                for short in outcome.shortages
            ]
        )
    quantities = {line.sku: line.quantity for line in cart.lines}
    held = Hold(until=now + ttl, quantities=quantities)
    if carts.note_hold(cart_id=cart_id, owner=shopper.id, hold=held, now=now) == "gone":
        # It was checked out or thrown away meanwhile: nobody else would let go of it.
        products.release_cart_hold(cart_id=cart_id, now=now)
    return carts.read(cart_id=cart_id, owner=shopper.id, now=now)


def release_hold(*, cart_id: UUID, shopper: Shopper, now: datetime) -> Cart:
    """Let go what is held for the cart. Raises CartNotFound, CartCheckedOut."""
    carts = store()
    carts.read(cart_id=cart_id, owner=shopper.id, now=now)
    products.release_cart_hold(cart_id=cart_id, now=now)
    carts.note_hold(cart_id=cart_id, owner=shopper.id, hold=None, now=now)
    return carts.read(cart_id=cart_id, owner=shopper.id, now=now)


def _refuse_what_is_not_sold(
    changes: Sequence[Change],
    new: Mapping[str, int],
    cart: Cart,
    shopper: Shopper,
    now: datetime,
) -> None:
    offers = queries.offers_of(
        new,
        currency=cart.currency,
        channel=cart.channel,
        customer_group=shopper.group,
        now=now,
    )
    unsold = {
        position: change.sku
        for position, change in enumerate(changes)
        if change.sku in new and not (change.sku in offers and offers[change.sku].active)
    }
    _refuse_unsold(queries.not_sold(unsold, currency=cart.currency))


def _refuse_unsold(faults: Sequence[FieldError]) -> None:
    """Raises UnknownSku, NotSoldInCurrency."""
    if any(fault.code == UnknownSku.code for fault in faults):
        raise UnknownSku(errors=faults)
    if faults:
        raise NotSoldInCurrency(errors=faults)


_UNSOLD = (UnknownSku.code, NotSoldInCurrency.code)
