"""What a cart costs at the moment, what is new about it, and what keeps it from being an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domains.carts.errors import OutOfStock, UnknownChannel
from domains.carts.events import TOPIC
from domains.carts.models import Cart, CartLine, store
from domains.carts.rules.changes import Difference, Seen, Supply, differences, supply_of
from domains.pricing import public as pricing
from domains.products import public as products
from infrastructure.errors import FieldError


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedLine:
    """offer: None for what is not sold (any more), or not in the cart's currency."""

    line: CartLine
    supply: Supply
    offer: products.Offer | None

    def as_told(self, currency: str) -> Seen:
        price = None if self.offer is None else self.offer.unit_price.amount_minor
        return Seen(currency=currency, unit_price_minor=price, supply=self.supply)


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedCart:
    """quote: of the lines that can be had, by their SKUs. differences: from what the customer was
    told last. problems: what would be refused at checkout; their pointers are into the cart."""

    cart: Cart
    lines: tuple[PricedLine, ...]
    quote: pricing.Quote
    differences: tuple[Difference, ...]
    problems: tuple[FieldError, ...]

    def without_differences(self) -> PricedCart:
        """As it is shown to somebody who knows of them."""
        return replace(self, differences=())

    @property
    def told(self) -> dict[str, Seen]:
        """What somebody who is shown the cart now is told of its lines."""
        return {priced.line.sku: priced.as_told(self.cart.currency) for priced in self.lines}

    @property
    def news(self) -> dict[str, Seen]:
        """The same of lines of which nothing was told yet."""
        return {
            priced.line.sku: priced.as_told(self.cart.currency)
            for priced in self.lines
            if priced.line.seen is None
        }


def priced(
    cart: Cart, *, customer_id: UUID | None, customer_group: str | None, now: datetime
) -> PricedCart:
    """The cart at the prices of this moment, in at most two statements; a third where a promotion
    is for categories, a fourth where the process does not know the promotions (any more), and one
    where something in it is not sold."""
    lines = _lines_of(cart, customer_group=customer_group, now=now)
    request = _request_of(cart, lines, customer_id=customer_id, customer_group=customer_group)
    quote = pricing.quote(request, now=now)
    found = [
        difference
        for priced in lines
        for difference in differences(
            priced.line.sku, priced.line.seen, priced.as_told(cart.currency)
        )
    ]
    return PricedCart(
        cart=cart,
        lines=lines,
        quote=quote,
        differences=tuple(found),
        problems=(
            *_problems_of(lines, currency=cart.currency),
            *(FieldError(fault.pointer, fault.code, fault.detail) for fault in quote.problems),
            *_problems_of_total(quote),
        ),
    )


def shipping_options(
    cart: Cart, *, customer_id: UUID | None, customer_group: str | None, now: datetime
) -> tuple[pricing.ShippingOption, ...]:
    """The shipping methods that could be chosen for the cart, with what they would cost."""
    lines = _lines_of(cart, customer_group=customer_group, now=now)
    request = _request_of(cart, lines, customer_id=customer_id, customer_group=customer_group)
    return pricing.shipping_options(request, now=now)


def offers_of(
    wanted: Mapping[str, int],
    *,
    currency: str,
    channel: str | None,
    customer_group: str | None,
    now: datetime,
) -> dict[str, products.Offer]:
    """Raises UnknownChannel."""
    if not wanted and channel is None:
        return {}
    try:
        return products.offers(
            wanted, currency=currency, channel=channel, customer_group=customer_group, now=now
        )
    except products.UnknownChannel as error:
        fault = FieldError("/channel", error.code, error.detail)
        raise UnknownChannel(error.detail, errors=[fault]) from error


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """See `public.event_counts`."""
    for cart_id, count in store().event_counts():
        yield cart_id, TOPIC, count


def held_of(cart: Cart, sku: str, now: datetime) -> int:
    """How many products hold for the cart itself, which others cannot have."""
    if cart.hold is None or cart.hold.until <= now:
        return 0
    return cart.hold.quantities.get(sku, 0)


def _lines_of(cart: Cart, *, customer_group: str | None, now: datetime) -> tuple[PricedLine, ...]:
    offers = offers_of(
        {line.sku: line.quantity for line in cart.lines},
        currency=cart.currency,
        channel=cart.channel,
        customer_group=customer_group,
        now=now,
    )
    return tuple(_priced_line(line, offers.get(line.sku), cart, now) for line in cart.lines)


def _priced_line(
    line: CartLine, offer: products.Offer | None, cart: Cart, now: datetime
) -> PricedLine:
    if offer is not None and not offer.active:
        offer = None
    available = 0 if offer is None else offer.available + held_of(cart, line.sku, now)
    supply = supply_of(is_sold=offer is not None, available=available, quantity=line.quantity)
    return PricedLine(line=line, supply=supply, offer=offer)


def _request_of(
    cart: Cart,
    lines: Sequence[PricedLine],
    *,
    customer_id: UUID | None,
    customer_group: str | None,
) -> pricing.QuoteRequest:
    return pricing.QuoteRequest(
        lines=tuple(
            pricing.QuoteLine(
                key=priced.line.sku,
                product_id=priced.offer.product_id,
                sku=priced.line.sku,
                quantity=priced.line.quantity,
                unit_price_minor=priced.offer.unit_price.amount_minor,
                tax_class=priced.offer.tax_class,
                weight_g=priced.offer.weight_g or 0,
                on_sale=priced.offer.on_sale,
            )
            for priced in lines
            if priced.offer is not None
        ),
        currency=cart.currency,
        country=cart.country,
        region=cart.region,
        postcode=cart.postcode,
        shipping_method=cart.shipping_method,
        coupons=cart.coupons,
        customer_id=customer_id,
        customer_group=customer_group,
        channel=cart.channel,
    )


def _problems_of(lines: Sequence[PricedLine], *, currency: str) -> list[FieldError]:
    if not lines:
        return [FieldError("/items", "cart_empty", "There is nothing in the cart.")]
    unsold = {
        position: priced.line.sku
        for position, priced in enumerate(lines)
        if priced.supply is Supply.UNAVAILABLE
    }
    found = dict(zip(unsold, not_sold(unsold, currency=currency), strict=True))
    for position, priced in enumerate(lines):
        if priced.supply is Supply.SHORT:
            line = priced.line
            found[position] = not_so_many(line.sku, line.quantity, position=position)
    return [found[position] for position in sorted(found)]


def not_sold(unsold: Mapping[int, str], *, currency: str) -> list[FieldError]:
    """What is wrong with items, by their places, that nothing is offered for. A statement, where
    there are any."""
    why = products.why_not_offered(unsold.values(), currency=currency)
    return [
        FieldError(f"/items/{position}/sku", why[sku].code, why[sku].detail)
        for position, sku in unsold.items()
    ]


def not_so_many(sku: str, wanted: int, *, position: int) -> FieldError:
    """Of an item, what buyers may know: how many there are is for staff."""
    detail = f"There are not {wanted} of {sku}."
    return FieldError(f"/items/{position}/quantity", OutOfStock.code, detail)


def _problems_of_total(quote: pricing.Quote) -> list[FieldError]:
    if not quote.is_too_large:
        return []
    return [FieldError("/items", "total_too_large", "It is worth more than can be charged.")]
