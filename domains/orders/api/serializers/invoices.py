"""What the invoice routes answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, Self
from uuid import UUID

from domains.orders import models
from domains.orders.rules.invoices import address_lines
from infrastructure.http.types import Money, Out


class Party(Out, frozen=True, kw_only=True):
    """`address`: its lines, as on a letter."""

    name: str
    address: list[str]
    vat_id: str


class TaxRow(Out, frozen=True, kw_only=True):
    """What is taxed at one rate, in per cent, and the tax on it."""

    tax_rate: str
    net: Money
    tax: Money


class InvoiceLine(Out, frozen=True, kw_only=True):
    """`quantity` is 0 for a difference in the price alone. Shipping has no `sku`."""

    sku: str
    name: str
    quantity: int
    tax_rate: str
    net: Money
    tax: Money
    total: Money


class InvoiceSummary(Out, frozen=True, kw_only=True):
    """`credits`: of a credit note, the id of the invoice that it refers to."""

    id: UUID
    kind: Literal["INVOICE", "CREDIT_NOTE"]
    number: str
    order_id: UUID
    order_number: str
    credits: UUID | None
    issue_date: date
    supply_date: date
    net: Money
    tax: Money
    total: Money

    @classmethod
    def of(cls, document: models.Document) -> Self:
        return cls(**_summary(document))


class Invoice(InvoiceSummary, frozen=True, kw_only=True):
    """`credits_number`: of a credit note, the number of the invoice that it refers to."""

    credits_number: str
    issued_at: datetime
    seller: Party
    buyer: Party
    lines: list[InvoiceLine]
    taxes: list[TaxRow]
    note: str

    @classmethod
    def of(cls, document: models.Document) -> Self:
        def money(minor: int) -> Money:
            return Money.of_minor(minor, document.currency)

        seller, buyer = document.seller, document.buyer
        return cls(
            **_summary(document),
            credits_number=document.invoice_number,
            issued_at=document.issued_at,
            seller=Party(name=seller["name"], address=seller["address"], vat_id=seller["vat_id"]),
            buyer=Party(
                name=buyer["name"],
                address=address_lines({**buyer, "name": ""}),
                vat_id=document.buyer_vat_id,
            ),
            lines=[
                InvoiceLine(
                    sku=line.sku,
                    name=line.name,
                    quantity=line.quantity,
                    tax_rate=line.tax_rate,
                    net=money(line.net_minor),
                    tax=money(line.tax_minor),
                    total=money(line.gross_minor),
                )
                for line in document.lines
            ],
            taxes=[
                TaxRow(
                    tax_rate=row["rate"],
                    net=money(row["net_minor"]),
                    tax=money(row["tax_minor"]),
                )
                for row in document.taxes
            ],
            note=document.note,
        )


class Invoices(Out, frozen=True, kw_only=True):
    """All documents of an order, in the order they were made."""

    items: list[InvoiceSummary]


def _summary(document: models.Document) -> dict[str, Any]:
    currency = document.currency
    return {
        "id": document.id,
        "kind": document.kind,
        "number": document.number,
        "order_id": document.order_id,
        "order_number": document.order_number,
        "credits": document.invoice_id,
        "issue_date": document.issue_date,
        "supply_date": document.supply_date,
        "net": Money.of_minor(document.net_minor, currency),
        "tax": Money.of_minor(document.tax_minor, currency),
        "total": Money.of_minor(document.gross_minor, currency),
    }
