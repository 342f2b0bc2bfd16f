"""Changing an order before any of it was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import (
    NothingToChange,
    OrderInvoiced,
    OutOfStock,
    PriceChanged,
    QuoteRefused,
    TaxModeChanged,
)
from domains.orders.models import Order, OrderStep
from domains.orders.models.commands.editing import ORDER_FIELDS, EditPlan
from domains.orders.models.refusals import LINES
from domains.orders.rules import steps as rules
from domains.orders.rules.history import By
from domains.orders.services import invoicing
from domains.orders.services.beginning import Begun, approval_limits, begin
from domains.orders.services.edit_wishes import (
    Edit,
    LineEdit,
    Wanted,
    has_all_of,
    refuse_unclear_lines,
    stays,
    wanted_of,
)
from domains.orders.services.payment_choices import refuse_means
from domains.orders.services.quoting import (
    discounts_of,
    kept_by,
    not_sold,
    promotions_of,
    redeemed_by,
    refuse_what_is_too_large,
)
from domains.pricing import public as pricing
from domains.products import public as products
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.money import Money

__all__ = ["Edit", "LineEdit", "begin_edit", "edit"]


def edit(
    *,
    order_id: UUID,
    changes: Edit,
    reason: str,
    by: By,
    key: IdempotencyKey | None,
    now: datetime,
    version: int | None = None,
) -> Begun:
    """Change quantities, lines, the addresses or the shipping, and re-quote the order.

    Lines that stay keep their price of a piece; new ones are priced now, as for the group of
    customers that the order was placed in. The order stays with prices that are with tax, or
    without, and takes no line whose price is of the other kind by now. What it has of promotions
    it keeps, by their terms of then, and none with a limit comes to it. Where neither goods, place
    nor shipping change, no amount does. More goods are held, or nothing changes. A total beyond
    what is authorised is authorised anew, then the earlier payment is let go; what was taken
    beyond a lower total is given back.
    Raises OrderNotFound, OrderInvoiced, OrderNotEditable, StepInProgress, DuplicateLine,
    UnknownLine, NothingToChange, UnknownSku, NotSoldInCurrency, TaxModeChanged, OutOfStock,
    QuoteRefused, PriceChanged, TotalTooLarge, PaymentCaptured, UnknownPaymentMethod,
    PaymentTokenRequired, CardNumberRefused, PaymentDeclined, LineRefunded, ConcurrentModification.
    """

    def make(order: Order, money: rules.Money) -> OrderStep:
        return begin_edit(order, changes, reason=reason, money=money, by=by, now=now)

    return begin(order_id=order_id, make=make, key=key, version=version, now=now)


def begin_edit(
    order: Order, changes: Edit, *, reason: str, money: rules.Money, by: By, now: datetime
) -> OrderStep:
    """Begin an edit on an order, which is not saved here. Raises as `edit`."""
    if changes.billing_address is not None and invoicing.is_invoiced(order.id):
        raise OrderInvoiced(f"An invoice of order {order.number} is made out already.")
    order.check_editable()
    return order.begin_edit(
        _plan(order, changes, money, now=now),
        reason=reason,
        money=money,
        limits=approval_limits(order, money),
        actor=by,
        now=now,
    )


def _plan(order: Order, changes: Edit, money: rules.Money, *, now: datetime) -> EditPlan:
    refuse_unclear_lines(order, changes.lines)
    wanted = wanted_of(order, changes)
    if stays(order, changes, wanted):
        raise NothingToChange("Everything is as it was.")
    offers = products.offers(
        _quantities(wanted),
        currency=order.currency,
        channel=order.channel or None,
        customer_group=order.customer_group or None,
        now=now,
    )
    _refuse_what_cannot_be_had(order, wanted, offers)
    _refuse_prices_of_another_kind(order, wanted)
    priced = [_priced(line, offers) for line in wanted]
    if _costs_the_same(order, changes, wanted):
        amounts, terms = _standing(wanted), {name: getattr(order, name) for name in ORDER_FIELDS}
    else:
        request = _request(order, changes, wanted, priced, offers)
        lines_at = LINES if changes.lines else None
        amounts, terms = _quoted(request, wanted, lines_at=lines_at, now=now)
    total = Money(terms["total_minor"], order.currency)
    _refuse_another_total(changes, total)
    method = changes.method or order.payment_method
    plan = EditPlan(
        lines=[
            (None, fields | costs | {"new_id": line.id})
            if line.line is None
            else (line.id, fields | costs)
            for line, fields, costs in zip(wanted, priced, amounts, strict=True)
        ],
        order=terms,
        shipping_address=changes.shipping_address,
        billing_address=changes.billing_address,
        method=method,
        token=changes.token,
        return_url=changes.return_url,
    )
    if order.pays_anew(plan, money) and not money.captured:
        refuse_means(
            method,
            changes.token,
            total,
            customer_id=order.customer_id,
            saved_method_at="/payment/token",
        )
    return plan


def _costs_the_same(order: Order, changes: Edit, wanted: Sequence[Wanted]) -> bool:
    """Whether nothing is different that a quote depends on: goods, place and shipping."""
    before, after = order.shipping_address, changes.shipping_address or order.shipping_address
    return (
        all(before.get(part) == after.get(part) for part in ("country", "region", "postcode"))
        and (changes.shipping_method or order.shipping_method) == order.shipping_method
        and has_all_of(order, wanted)
    )


def _standing(wanted: Sequence[Wanted]) -> list[dict[str, Any]]:
    """What lines come to of which all that stands is wanted."""
    return [
        asdict(rules.amounts_standing(one.line)) | {"tax_rate": one.line.tax_rate}
        for one in wanted
        if one.line is not None
    ]


def _quoted(
    request: pricing.QuoteRequest,
    wanted: Sequence[Wanted],
    *,
    lines_at: str | None,
    now: datetime,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the lines come to, and the order besides. Raises QuoteRefused, TotalTooLarge."""
    quote = pricing.quote(request, now=now)
    if quote.problems:
        raise QuoteRefused(errors=[FieldError(p.pointer, p.code, p.detail) for p in quote.problems])
    refuse_what_is_too_large(quote, currency=request.currency, at=lines_at)
    amounts = [
        {
            "subtotal_minor": line.subtotal_minor,
            "discount_minor": line.discount_minor,
            "tax_rate": line.tax_rate,
            "tax_minor": line.tax_minor,
            "amount_minor": line.total_minor,
        }
        for line in quote.lines
    ]
    return amounts, _terms(quote, wanted)


def _quantities(wanted: Sequence[Wanted]) -> dict[str, int]:
    quantities: dict[str, int] = {}
    for line in wanted:
        quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
    return quantities


def _refuse_what_cannot_be_had(
    order: Order, wanted: Sequence[Wanted], offers: Mapping[str, products.Offer]
) -> None:
    """What the order holds already needs no offer. Raises UnknownSku, NotSoldInCurrency,
    OutOfStock."""
    unsold = {
        line.place: line.sku
        for line in wanted
        if line.line is None
        and line.place is not None
        and not (line.sku in offers and offers[line.sku].active)
    }
    if unsold:
        raise not_sold(unsold, currency=order.currency)
    more = _quantities(wanted)
    for held in order.lines:
        more[held.sku] = more.get(held.sku, 0) - held.standing
    short = [
        FieldError(
            f"/lines/{line.place}/quantity",
            "out_of_stock",
            f"{more[line.sku]} more of {line.sku} wanted, {available} available.",
        )
        for line in wanted
        for available in [offers[line.sku].available if line.sku in offers else 0]
        if line.place is not None and more[line.sku] > max(available, 0)
    ]
    if short:
        raise OutOfStock(errors=short)


def _refuse_prices_of_another_kind(order: Order, wanted: Sequence[Wanted]) -> None:
    """Raises TaxModeChanged for lines that are new."""
    if pricing.prices_include_tax(order.channel or None) == order.prices_include_tax:
        return
    with_tax = "with" if order.prices_include_tax else "without"
    faults = [
        FieldError(
            f"/lines/{line.place}/sku",
            TaxModeChanged.code,
            f"Order {order.number} is priced {with_tax} tax, and {line.sku} no longer is.",
        )
        for line in wanted
        if line.line is None
    ]
    if faults:
        raise TaxModeChanged(errors=faults)


def _priced(line: Wanted, offers: Mapping[str, products.Offer]) -> dict[str, Any]:
    """What is known of a line before it is quoted."""
    if line.line is not None:
        kept = line.line
        return {
            "product_id": kept.product_id,
            "variant_id": kept.variant_id,
            "sku": kept.sku,
            "name": kept.name,
            "weight_g": kept.weight_g,
            "quantity": line.quantity,
            "unit_price_minor": kept.unit_price_minor,
            "tax_class": kept.tax_class,
        }
    offer = offers[line.sku]
    return {
        "product_id": offer.product_id,
        "variant_id": offer.variant_id,
        "sku": offer.sku,
        "name": offer.name,
        "weight_g": offer.weight_g or 0,
        "quantity": line.quantity,
        "unit_price_minor": offer.unit_price.amount_minor,
        "tax_class": offer.tax_class,
    }


def _request(
    order: Order,
    changes: Edit,
    wanted: Sequence[Wanted],
    priced: Sequence[Mapping[str, Any]],
    offers: Mapping[str, products.Offer],
) -> pricing.QuoteRequest:
    address = changes.shipping_address or order.shipping_address
    kept = kept_by(order, [line.id for line in wanted])
    return pricing.QuoteRequest(
        lines=tuple(
            pricing.QuoteLine(
                key=str(position),
                product_id=line["product_id"],
                sku=line["sku"],
                quantity=line["quantity"],
                unit_price_minor=line["unit_price_minor"],
                tax_class=line["tax_class"],
                weight_g=line["weight_g"],
                on_sale=line["sku"] in offers and offers[line["sku"]].on_sale,
                stays=wanted[position].line is not None,
            )
            for position, line in enumerate(priced)
        ),
        currency=order.currency,
        country=address["country"],
        region=address.get("region", ""),
        postcode=address.get("postcode", ""),
        shipping_method=changes.shipping_method or order.shipping_method or None,
        # Of an order that an earlier version placed these are quoted by the terms of now.
        coupons=tuple(
            one["coupon"]
            for one in order.discounts
            if one["coupon"] is not None and one["coupon"] not in {each.coupon for each in kept}
        ),
        customer_id=order.customer_id,
        customer_key=order.customer_key if order.customer_id is None else None,
        customer_group=order.customer_group or None,
        channel=order.channel or None,
        kept=kept,
        redeemed=redeemed_by(order),
        prices_include_tax=order.prices_include_tax,
    )


def _refuse_another_total(changes: Edit, total: Money) -> None:
    if changes.expected_total is not None and changes.expected_total != total:
        fault = FieldError(
            "/expected_total",
            PriceChanged.code,
            f"The total is {total}, and not {changes.expected_total}.",
            current=total.amount_text,
        )
        raise PriceChanged(errors=[fault])


def _terms(quote: pricing.Quote, wanted: Sequence[Wanted]) -> dict[str, Any]:
    shipping = quote.shipping
    return {
        "subtotal_minor": quote.subtotal_minor,
        "discount_minor": quote.discount_minor,
        "shipping_method": "" if shipping is None else shipping.method,
        "shipping_name": "" if shipping is None else shipping.name,
        "shipping_minor": quote.shipping_minor,
        "shipping_tax_minor": 0 if shipping is None else shipping.tax_minor,
        "shipping_tax_rate": "0" if shipping is None else shipping.tax_rate,
        "tax_minor": quote.tax_minor,
        "total_minor": quote.total_minor,
        "prices_include_tax": quote.prices_include_tax,
        "discounts": discounts_of(quote),
        "promotions": promotions_of(quote, [line.id for line in wanted]),
    }
