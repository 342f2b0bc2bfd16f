"""What an invoice or credit note says, for whatever it is shown in.

Everything comes from the stored document, so it says the same whenever it is shown. The particulars
are those of article 226 of Directive 2006/112/EC; docs/invoices.md names each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domains.orders.models.invoices import Document
from domains.orders.rules.invoices import (
    address_lines,
    amount_text,
    rate_text,
    unit_net_text,
)

COLUMNS = ("Description", "Quantity", "Unit price excl. tax", "Net", "Tax rate", "Tax", "Total")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line; the figures are in the order of COLUMNS after the description."""

    name: str
    sku: str
    figures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """facts, taxes and totals: rows of texts, the first what the others are."""

    title: str
    number: str
    subtitle: str
    seller: Sequence[str]
    seller_facts: Sequence[tuple[str, str]]
    buyer: Sequence[str]
    delivery: Sequence[str]
    facts: Sequence[tuple[str, str]]
    rows: Sequence[Row]
    taxes: Sequence[tuple[str, str, str]]
    totals: Sequence[tuple[str, str]]
    currency: str
    note: str


def content_of(document: Document) -> Content:
    currency = document.currency

    def amount(minor: int) -> str:
        return amount_text(minor, currency)

    credit = document.is_credit_note
    seller = document.seller
    buyer = [*address_lines(document.buyer)]
    if document.buyer_vat_id:
        buyer.append(f"VAT ID {document.buyer_vat_id}")
    return Content(
        title="Credit note" if credit else "Invoice",
        number=document.number,
        subtitle=f"to invoice {document.invoice_number}" if credit else "",
        seller=[seller["name"], *seller["address"]],
        seller_facts=[
            fact
            for fact in (("VAT ID", seller["vat_id"]), ("Contact", seller["contact"]))
            if fact[1]
        ],
        buyer=buyer,
        delivery=address_lines(document.delivery or {}),
        facts=[
            ("Date of issue", document.issue_date.isoformat()),
            ("Date of supply", document.supply_date.isoformat()),
            ("Order", document.order_number),
            ("Date of order", document.order_date.isoformat()),
            ("Paid by", document.payment_method.replace("_", " ").capitalize()),
        ],
        rows=[
            Row(
                name=line.name,
                sku=line.sku,
                figures=(
                    f"{line.quantity:,}" if line.quantity else "",
                    unit_net_text(line.net_minor, line.quantity, currency) if line.quantity else "",
                    amount(line.net_minor),
                    rate_text(line.tax_rate),
                    amount(line.tax_minor),
                    amount(line.gross_minor),
                ),
            )
            for line in document.lines
        ],
        taxes=[
            (rate_text(row["rate"]), amount(row["net_minor"]), amount(row["tax_minor"]))
            for row in document.taxes
        ],
        totals=[
            ("Net", amount(document.net_minor)),
            ("Tax", amount(document.tax_minor)),
            ("Total credited" if credit else "Total", f"{amount(document.gross_minor)} {currency}"),
        ],
        currency=currency,
        note=document.note,
    )
