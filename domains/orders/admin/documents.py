"""Invoices and credit notes: to be found, looked at and printed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from domains.orders.admin.filters import IssuedBetween, KindFilter
from domains.orders.models import Document
from domains.orders.services.invoice_files import OFFERED, file_of
from infrastructure.money import Money
from infrastructure.screens import ScreenAdmin

_FORMS = dict(zip(("html", "pdf"), OFFERED, strict=True))


def invoice_address(document: Document) -> str:
    return reverse("admin:orders_document_file", args=[document.pk, "html"])


@admin.register(Document)
class DocumentAdmin(ScreenAdmin):
    """Nothing of a document is ever changed, so its page is the document itself."""

    rank = 5
    reads = writes = "orders.read"
    list_display = (
        "number",
        "kind_told",
        "issue_date",
        "order_link",
        "net",
        "tax",
        "total",
        "files",
    )
    list_filter = (KindFilter, IssuedBetween)
    list_per_page = 50
    search_fields = ("=number", "=order_number", "=invoice_number")
    search_help_text = "A whole number, of the invoice, the credited invoice or the order."
    ordering = ("-issue_date", "-id")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_write_permission(self, request: HttpRequest) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.file)
        at = path("<uuid:object_id>/file.<slug:form>", view, name="orders_document_file")
        return [at, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).defer("note")

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        return self.file(request, found.pk, "html")

    def file(self, request: HttpRequest, object_id: UUID, form: str) -> HttpResponse:
        self.found(request, object_id)
        if form not in _FORMS:
            raise Http404
        file = file_of(Document.objects.whole(object_id), _FORMS[form])
        return HttpResponse(file.content, content_type=file.content_type, headers=file.headers)

    @admin.display(description="kind", ordering="kind")
    def kind_told(self, document: Document) -> str:
        if not document.is_credit_note:
            return "Invoice"
        return f"Credit note to {document.invoice_number}"

    @admin.display(description="order", ordering="order_number")
    def order_link(self, document: Document) -> str:
        address = reverse("admin:orders_order_change", args=[document.order_id])
        return format_html('<a href="{}">{}</a>', address, document.order_number)

    @admin.display(ordering="net_minor")
    def net(self, document: Document) -> str:
        return Money(document.net_minor, document.currency).amount_text

    @admin.display(ordering="tax_minor")
    def tax(self, document: Document) -> str:
        return Money(document.tax_minor, document.currency).amount_text

    @admin.display(ordering="gross_minor")
    def total(self, document: Document) -> str:
        return str(Money(document.gross_minor, document.currency))

    @admin.display(description="")
    def files(self, document: Document) -> str:
        pdf = reverse("admin:orders_document_file", args=[document.pk, "pdf"])
        return format_html(
            '<a href="{}">View</a> · <a href="{}">PDF</a>', invoice_address(document), pdf
        )
