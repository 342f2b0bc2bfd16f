"""Invoices and credit notes, and the counters that number them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from domains.orders.errors import InvoiceNotFound
from domains.orders.models.orders import Order
from domains.orders.rules.invoices import (
    Invoiced,
    Item,
    Key,
    Kind,
    document_number,
    tax_summary,
)
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.ids import new_id
from infrastructure.pii.fields import PersonalJSONField, PersonalTextField


class SeriesQuerySet(AggregateQuerySet):
    def draw(self, series: str, *, issue_date: date) -> tuple[int, date]:
        """The next number of a series, and the day its document has.

        To be called in the transaction that writes the document: the counter's row stays locked
        until that ends, and goes back with it, so there is neither a gap nor a number used twice.
        A document that waited for it over midnight has no earlier day than the one before it.
        """
        ((sequence, day),) = self.command(_DRAW, [series, issue_date])
        return sequence, day


_DRAW = """
INSERT INTO orders_documentseries AS s (code, last_number, last_date) VALUES (%s, 1, %s)
ON CONFLICT (code) DO UPDATE
SET last_number = s.last_number + 1, last_date = greatest(s.last_date, excluded.last_date)
RETURNING last_number, last_date
"""


class DocumentSeries(models.Model):
    """The counter of one series in one year, such as `INV-2026`."""

    code = models.CharField(max_length=40, primary_key=True)
    last_number = models.BigIntegerField()
    last_date = models.DateField()

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name = "series of documents"
        verbose_name_plural = "series of documents"

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbered:
    """The number a document gets: its series, its place in it, and its day."""

    series: str
    sequence: int
    issue_date: date


class DocumentQuerySet(AggregateQuerySet):
    def of_order(self, order_id: UUID) -> list[Document]:
        """The documents of an order with their lines, in the order they were made."""
        found = self.prefetch_related("line_rows").filter(order_id=order_id)
        return list(found.order_by("issued_at", "id"))

    def whole(self, document_id: UUID) -> Document:
        """A document with its lines. Raises InvoiceNotFound."""
        document: Any = self.prefetch_related("line_rows").filter(pk=document_id).first()
        if document is None:
            raise InvoiceNotFound(f"There is no invoice {document_id}.")
        assert isinstance(document, Document)
        return document


class Document(AggregateRoot):
    """An invoice, or a credit note that takes back a part of one.

    It says everything by itself: whatever changes later, who sold what to whom, when and for how
    much stays as it was. The database refuses to change or delete it, and a credit note by which
    its invoice would be credited with more than it says.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in Kind])
    series = models.CharField(max_length=40)
    sequence = models.BigIntegerField()
    number = models.CharField(max_length=60, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="document_rows")
    order_number = models.CharField(max_length=12)
    # The invoice that a credit note refers to.
    invoice = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="credit_rows"
    )
    invoice_number = models.CharField(max_length=60, blank=True)
    issued_at = models.DateTimeField()
    issue_date = models.DateField()
    # The day of the supply, or of the payment if that came first.
    supply_date = models.DateField()
    order_date = models.DateField()
    payment_method = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    prices_include_tax = models.BooleanField()
    # As the settings said: name, address, tax numbers.
    seller = models.JSONField()
    buyer = PersonalJSONField()
    buyer_vat_id = PersonalTextField(max_length=40, blank=True)
    # Where the goods go, if that is not the buyer's address.
    delivery = PersonalJSONField(null=True, blank=True)
    # [{rate, net_minor, tax_minor}]
    taxes = models.JSONField()
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    gross_minor = models.BigIntegerField()
    note = models.TextField(blank=True)

    lines = Owned("line_rows")

    objects = DocumentQuerySet.as_manager()

    class Meta:
        verbose_name = "invoice"
        indexes = [
            models.Index(fields=["order", "issued_at"], name="documents_of_order"),
            models.Index(fields=["issue_date", "id"], name="documents_by_day"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["series", "sequence"], name="documents_one_number"),
            models.CheckConstraint(condition=Q(sequence__gt=0), name="documents_count_from_one"),
            models.CheckConstraint(
                condition=Q(gross_minor=F("net_minor") + F("tax_minor"), gross_minor__gte=0)
                & (Q(kind="CREDIT_NOTE") | Q(net_minor__gte=0, tax_minor__gte=0)),
                name="documents_add_up",
            ),
            models.CheckConstraint(
                condition=Q(kind="INVOICE", invoice__isnull=True)
                | Q(kind="CREDIT_NOTE", invoice__isnull=False),
                name="documents_credit_refers",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    # Factories

    @classmethod
    def issue(
        cls,
        *,
        order: Order,
        numbered: Numbered,
        items: Sequence[Item],
        described: Mapping[Key, Described],
        invoice: Document | None,
        seller: Mapping[str, Any],
        buyer: Mapping[str, str],
        delivery: Mapping[str, str] | None,
        supply_date: date,
        order_date: date,
        note: str,
        now: datetime,
    ) -> Self:
        """invoice: the one that is credited; without it this is an invoice itself.
        described: what each key of the items is called."""
        net = sum(item.net_minor for item in items)
        tax = sum(item.tax_minor for item in items)
        document = cls(
            kind=Kind.INVOICE if invoice is None else Kind.CREDIT_NOTE,
            series=numbered.series,
            sequence=numbered.sequence,
            number=document_number(numbered.series, numbered.sequence),
            order_id=order.id,
            order_number=order.number,
            invoice_id=None if invoice is None else invoice.id,
            invoice_number="" if invoice is None else invoice.number,
            issued_at=now,
            issue_date=numbered.issue_date,
            supply_date=supply_date,
            order_date=order_date,
            payment_method=order.payment_method,
            currency=order.currency,
            prices_include_tax=order.prices_include_tax,
            seller=dict(seller),
            buyer=dict(buyer),
            buyer_vat_id=buyer.get("vat_id", ""),
            delivery=None if delivery is None else dict(delivery),
            taxes=[
                {"rate": row.rate, "net_minor": row.net_minor, "tax_minor": row.tax_minor}
                for row in tax_summary(items)
            ],
            net_minor=net,
            tax_minor=tax,
            gross_minor=net + tax,
            note=note,
        )
        document.lines = [
            DocumentLine(
                position=position,
                part=item.key.part,
                sku=described[item.key].sku,
                name=described[item.key].name,
                quantity=item.quantity,
                tax_rate=item.key.tax_rate,
                net_minor=item.net_minor,
                tax_minor=item.tax_minor,
                gross_minor=item.gross_minor,
            )
            for position, item in enumerate(items)
        ]
        return document

    # Questions

    @property
    def is_credit_note(self) -> bool:
        return self.kind == Kind.CREDIT_NOTE


def invoiced(documents: Sequence[Document]) -> list[Invoiced]:
    """An order's documents, in the order they were made, as the rules look at them."""
    return [
        Invoiced(
            document.id,
            [line.item for line in document.lines],
            [
                line.item
                for credit in documents
                if credit.invoice_id == document.id
                for line in credit.lines
            ],
        )
        for document in documents
        if not document.is_credit_note
    ]


@dataclass(frozen=True, slots=True)
class Described:
    sku: str
    name: str


class DocumentLine(OwnedModel):
    """part: the id of the order's line it is about, or `shipping`. quantity: 0 for a difference
    in the price alone. Below zero: a credit note takes back so much of an earlier one."""

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="line_rows")
    position = models.PositiveIntegerField()
    part = models.CharField(max_length=40)
    sku = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=255)
    quantity = models.BigIntegerField()
    tax_rate = models.CharField(max_length=12)
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    gross_minor = models.BigIntegerField()

    class Meta:
        verbose_name = "line of an invoice"
        verbose_name_plural = "lines of an invoice"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "position"], name="documents_line_position"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, gross_minor=F("net_minor") + F("tax_minor"))
                & (
                    Q(net_minor__gte=0, tax_minor__gte=0)
                    | Q(quantity=0, net_minor__lte=0, tax_minor__lte=0)
                ),
                name="documents_line_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku or self.name}"

    @property
    def item(self) -> Item:
        return Item(Key(self.part, self.tax_rate), self.quantity, self.gross_minor, self.tax_minor)
