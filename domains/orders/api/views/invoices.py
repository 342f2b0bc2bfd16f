"""The invoice routes."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.orders import errors
from domains.orders.api.access import HEADER, caller_of, order_for
from domains.orders.api.serializers import invoices as serializers
from domains.orders.models import Document
from domains.orders.queries import orders as queries
from domains.orders.services.invoice_files import OFFERED, file_of
from infrastructure.auth.errors import NotAuthenticated
from infrastructure.auth.permissions import OrGuest
from infrastructure.http.errors import NotAcceptable
from infrastructure.http.requests import JSON, preferred
from infrastructure.http.views import APIView, operation

_FORMS = (JSON, *OFFERED)


class OrderInvoices(APIView):
    scopes = {"GET": OrGuest("orders.read_own", credential="orderToken")}

    @operation(
        summary="List the invoices and credit notes of an order",
        description="In the order they were made; none until the first is due.",
        responses={200: serializers.Invoices},
        errors=[errors.OrderNotFound],
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        documents = queries.documents_of(order.id)
        return self.answer(
            serializers.Invoices(items=[serializers.InvoiceSummary.of(d) for d in documents])
        )


class InvoiceDetail(APIView):
    scopes = {"GET": OrGuest("orders.read_own", credential="orderToken")}

    @operation(
        summary="Read an invoice or credit note",
        description=(
            "`Accept` chooses: JSON, a page to print (`text/html`) or a file (`application/pdf`)."
            " Whoever may read the order may read its documents."
        ),
        responses={200: serializers.Invoice},
        errors=[errors.InvoiceNotFound, NotAcceptable],
        downloads=OFFERED,
    )
    def get(self, request: HttpRequest, document_id: UUID) -> HttpResponse:
        accepted = preferred(request.META.get("HTTP_ACCEPT") or "*/*", _FORMS)
        if accepted is None:
            raise NotAcceptable(f"An invoice is served as one of {', '.join(_FORMS)}.")
        document = _document_for(request, document_id)
        if accepted == JSON:
            return self.answer(serializers.Invoice.of(document), headers={"Vary": "Accept"})
        file = file_of(document, accepted)
        return HttpResponse(
            file.content,
            content_type=file.content_type,
            headers={**file.headers, "Vary": "Accept"},
        )


def _document_for(request: HttpRequest, document_id: UUID) -> Document:
    """Raises InvoiceNotFound, also for one of somebody else's order, and NotAuthenticated."""
    if caller_of(request) is None and HEADER not in request.headers:
        raise NotAuthenticated
    document = Document.objects.whole(document_id)
    try:
        order_for(request, document.order_id, everybody="orders.read")
    except errors.OrderNotFound as error:
        raise errors.InvoiceNotFound(f"There is no invoice {document_id}.") from error
    return document
