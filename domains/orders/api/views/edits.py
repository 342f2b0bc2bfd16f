"""Changing orders before they are sent."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.orders import errors
from domains.orders.api.access import acting_on
from domains.orders.api.serializers import steps as serializers
from domains.orders.api.views.steps import StepView
from domains.orders.services import editing
from domains.payments import public as payments
from infrastructure import clock
from infrastructure.http.views import operation


class OrderEdits(StepView):
    scopes = {"POST": "orders.edit"}
    changes_what_is_shown = True

    @operation(
        summary="Change an order before it is sent",
        description=(
            "Quantities, lines, the addresses and the shipping; the order is priced anew, and "
            "keeps its promotions by the terms of then. Where neither goods, place nor shipping "
            "change, no amount does; where nothing at all does, it is 409 `nothing_to_change`. "
            "Whom the invoice is made out to changes until there is one. "
            "More than was authorised is authorised by another payment before the "
            "earlier one is let go; what was taken beyond a lower total is given back. 202 while "
            "the customer has to confirm that payment at `action_url` (3-D Secure): until then "
            "nothing is changed."
        ),
        body=serializers.EditOrder,
        responses={200: serializers.Step, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotEditable,
            errors.OrderInvoiced,
            errors.NothingToChange,
            errors.LineRefunded,
            errors.StepInProgress,
            errors.DuplicateLine,
            errors.UnknownLine,
            errors.UnknownSku,
            errors.NotSoldInCurrency,
            errors.TaxModeChanged,
            errors.OutOfStock,
            errors.QuoteRefused,
            errors.PriceChanged,
            errors.TotalTooLarge,
            errors.PaymentCaptured,
            errors.UnknownPaymentMethod,
            errors.PaymentTokenRequired,
            payments.CardNumberRefused,
            errors.PaymentDeclined,
            errors.PaymentNotCompleted,
            errors.StepRefused,
        ],
        idempotency="required",
        if_match="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.EditOrder)
        key = self.idempotency(request, body)
        order, by = acting_on(request, order_id, everybody="orders.edit")
        begun = editing.edit(
            order_id=order.id,
            changes=body.to_edit(),
            reason=body.reason,
            by=by,
            key=key,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer_step(begun)
