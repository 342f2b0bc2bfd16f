"""The invoice routes."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.orders import errors, queries
from domains.orders.api.serializers import invoices as serializers
from domains.orders.services.invoice_files import OFFERED, file_of
from infrastructure.auth.actor import Actor
from infrastructure.http.errors import NotAcceptable
from infrastructure.http.requests import JSON, preferred
from infrastructure.http.views import APIView, operation

_FORMS = (JSON, *OFFERED)


class OrderInvoices(APIView):
    scopes = {"GET": "orders.read_own"}

    @operation(
        summary="List the invoices and credit notes of an order",
        description="In the order they were made; none until the first is due.",
        responses={200: serializers.Invoices},
        errors=[errors.OrderNotFound],
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        documents = queries.documents_of(_whose(self.actor), order_id)
        return self.answer(
            serializers.Invoices(items=[serializers.InvoiceSummary.of(d) for d in documents])
        )


class InvoiceDetail(APIView):
    scopes = {"GET": "orders.read_own"}

    @operation(
        summary="Read an invoice or credit note",
        description=(
            "`Accept` chooses: JSON, a page to print (`text/html`) or a file (`application/pdf`)."
        ),
        responses={200: serializers.Invoice},
        errors=[errors.InvoiceNotFound, NotAcceptable],
        downloads=OFFERED,
    )
    def get(self, request: HttpRequest, document_id: UUID) -> HttpResponse:
        accepted = preferred(request.META.get("HTTP_ACCEPT") or "*/*", _FORMS)
        if accepted is None:
            raise NotAcceptable(f"An invoice is served as one of {', '.join(_FORMS)}.")
        document = queries.document_of(_whose(self.actor), document_id)
        if accepted == JSON:
            return self.answer(serializers.Invoice.of(document), headers={"Vary": "Accept"})
        file = file_of(document, accepted)
        return HttpResponse(
            file.content,
            content_type=file.content_type,
            headers={**file.headers, "Vary": "Accept"},
        )


def _whose(actor: Actor) -> UUID | None:
    return None if actor.may("orders.read") else actor.id
