"""Making the invoices and credit notes of orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from domains.orders.models import Order
from domains.orders.models.invoices import (
    Described,
    Document,
    DocumentSeries,
    Numbered,
    invoiced,
)
from domains.orders.rules import invoices as rules
from domains.orders.rules.invoices import SHIPPING, Issued, Item, Key
from domains.orders.rules.placement import FulfilmentStatus, Status
from domains.orders.rules.steps import part, worth_of
from domains.payments import public as payments
from infrastructure.database.contexts import atomic


def issue_due(*, order_id: UUID, now: datetime) -> list[Document]:
    """Make the documents that an order lacks: its invoice once it is due, and from then on
    whatever makes them follow what the order charges. Returns the new ones, often none.

    It may be called at any time by anybody, also at once: the order's row is locked, and what was
    documented meanwhile is not documented again. Raises OrderNotFound.
    """
    seen = Order.objects.whole(order_id)
    paid = payments.payment_states([seen.payment_id]).get(seen.payment_id)
    captured = 0 if paid is None else paid.captured_minor
    with atomic("orders"):
        _take_turn(order_id)
        order = Order.objects.whole(order_id)
        documents = Document.objects.of_order(order_id)
        charged, described = charges_of(order, documents)
        if not documents and not _is_invoiceable(order, captured, charged):
            return []
        return _issue(order, documents, charged, described, now)


def issue_due_for(*, order_ids: Sequence[UUID], now: datetime) -> list[Document]:
    """As `issue_due` for several. Every order gets its turn; then the first failure is raised."""
    issued: list[Document] = []
    failures: list[Exception] = []
    for order_id in order_ids:
        try:
            issued += issue_due(order_id=order_id, now=now)
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return issued


def is_invoiced(order_id: UUID, *, from_now_on: bool = False) -> bool:
    """Whether documents were made of an order; from_now_on: in a transaction, and until its end
    none are made."""
    if from_now_on:
        _take_turn(order_id)
    return Document.objects.filter(order_id=order_id).exists()


def _take_turn(order_id: UUID) -> None:
    """Documents of one order are made one after the other."""
    list(Order.objects.select_for_update(no_key=True).filter(pk=order_id).values_list("pk"))


def charges_of(
    order: Order, documents: Sequence[Document] = ()
) -> tuple[list[Item], dict[Key, Described]]:
    """What an order charges as it stands, by line and for shipping: without what was cancelled,
    and less what was given back. What was given back for no line in particular lowers all, as its
    documents say that it did."""
    if order.status in (Status.CANCELLED, Status.REJECTED):
        return [], {}
    items, described = [], {}
    for line in order.lines:
        key = Key(str(line.id), line.tax_rate)
        item = Item(
            key,
            line.standing,
            worth_of(line, line.standing),
            part(line.tax_minor, line.quantity, line.standing),
        )
        items.append(rules.reduced(item, line.refunded_minor))
        described[key] = Described(line.sku, line.name)
    shipping_refunded = order.shipping_minor - order.shipping_refundable
    if order.shipping_minor:
        key = Key(SHIPPING, order.shipping_tax_rate)
        item = Item(key, 1, order.shipping_minor, order.shipping_tax_minor)
        items.append(rules.reduced(item, shipping_refunded))
        described[key] = Described("", order.shipping_name or "Shipping")
    # The total has fallen by what was given back for that already.
    refunded = order.refunded_minor - order.given_back_for_less
    of_parts = sum(line.refunded_minor for line in order.lines) + shipping_refunded
    at_large = max(refunded - of_parts, 0)
    return rules.less_as_credited(items, at_large, invoiced(documents)), described


def _is_invoiceable(order: Order, captured_minor: int, charged: Sequence[Item]) -> bool:
    return rules.is_invoiceable(
        when=Issued(settings.INVOICE_WHEN),
        status=order.status,
        has_left=order.fulfilment_status != FulfilmentStatus.UNFULFILLED,
        captured_minor=captured_minor,
        charges=any(item.gross_minor for item in charged),
    )


def _issue(
    order: Order,
    documents: Sequence[Document],
    charged: Sequence[Item],
    described: Mapping[Key, Described],
    now: datetime,
) -> list[Document]:
    due = rules.documents_due(charged, invoiced(documents))
    told = dict(described) | {
        line.item.key: Described(line.sku, line.name)
        for document in documents
        for line in document.lines
    }
    by_id = {document.id: document for document in documents}
    # To whom the first was made out, whatever the order's addresses are by now.
    buyer = documents[0].buyer if documents else order.billing_address or order.shipping_address
    issued = [
        _write(order, items, told, by_id[invoice_id], buyer, now)
        for invoice_id, items in due.credits.items()
    ]
    if due.invoice:
        issued.append(_write(order, due.invoice, told, None, buyer, now))
    return issued


def _write(
    order: Order,
    items: Sequence[Item],
    described: Mapping[Key, Described],
    invoice: Document | None,
    buyer: dict[str, Any],
    now: datetime,
) -> Document:
    prefix = settings.INVOICE_SERIES if invoice is None else settings.CREDIT_NOTE_SERIES
    today = _day(now)
    series = rules.series_of(prefix, today)
    # The number is drawn last, right before what takes it: the counter stays locked until then.
    sequence, issue_date = DocumentSeries.objects.draw(series, issue_date=today)
    document = Document.issue(
        order=order,
        numbered=Numbered(series=series, sequence=sequence, issue_date=issue_date),
        items=items,
        described=described,
        invoice=invoice,
        seller=seller(),
        buyer=buyer,
        delivery=order.shipping_address if order.shipping_address != buyer else None,
        supply_date=today if invoice is None else invoice.supply_date,
        order_date=_day(order.placed_at),
        note=settings.SELLER["note"],
        now=now,
    )
    document.save()
    return document


def seller() -> dict[str, Any]:
    """Who sells, as the settings say it now."""
    told = settings.SELLER
    lines = [line.strip() for line in told["address"].split(";")]
    return {
        "name": told["name"],
        "address": [line for line in lines if line],
        "vat_id": told["vat_id"],
        "contact": told["contact"],
    }


def _day(instant: datetime) -> date:
    return rules.issue_date(instant, time_zone=settings.SELLER_TIME_ZONE)
