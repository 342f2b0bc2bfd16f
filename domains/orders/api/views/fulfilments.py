"""Sending orders, taking their money, and changing them before that."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.orders import errors, queries
from domains.orders.api.access import by, order_for, refuse_other_currency
from domains.orders.api.serializers import steps as serializers
from domains.orders.services import editing, fulfilling, noting
from domains.orders.services.beginning import Begun
from infrastructure import clock
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.views import APIView, operation


def replayed(begun: Begun) -> dict[str, str]:
    return idempotency.replayed(alias_of("orders")) if begun.replayed else {}


class StepView(APIView):
    """A route that begins a step and answers how far it got."""

    def answer_step(self, begun: Begun, *, status: int = 200) -> HttpResponse:
        """status: of a step that is done. One that waits for the gateway, for the customer to
        confirm its payment, or for a second person, is 202."""
        return self.answer(
            serializers.Step.of(begun.order, begun.step, queries.confirmation_of(begun.step)),
            status=status if begun.is_done else 202,
            headers=replayed(begun),
        )


class Fulfilments(StepView):
    scopes = {
        "GET": OrGuest("orders.read_own", credential="orderToken"),
        "POST": "orders.fulfil",
    }

    @operation(
        summary="List what was sent for an order",
        responses={200: serializers.Fulfilments},
        errors=[errors.OrderNotFound],
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        return self.answer(
            serializers.Fulfilments(
                items=[serializers.Fulfilment.of(order, found) for found in order.fulfilments]
            )
        )

    @operation(
        summary="Send an order, or parts of it",
        description=(
            "Takes the money first, then the goods out of the warehouse. 202 while the gateway has "
            "not answered: nothing has left then, and it is carried on by itself."
        ),
        body=serializers.Fulfil,
        responses={201: serializers.Fulfilment, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotFulfillable,
            errors.StepInProgress,
            errors.UnknownLine,
            errors.TooManyUnits,
            errors.NotInWarehouse,
            errors.CaptureRefused,
            errors.StepRefused,
        ],
        idempotency="required",
        if_match="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.Fulfil)
        key = self.idempotency(request, body)
        order = order_for(request, order_id, everybody="orders.fulfil")
        begun = fulfilling.fulfil(
            order_id=order.id,
            lines=None if body.lines is UNSET else serializers.units_of(body.lines),
            warehouse=body.warehouse,
            tracking=body.to_tracking(),
            capture=None if body.capture is UNSET else body.capture,
            by=by(request, order, everybody="orders.fulfil"),
            key=key,
            version=self.if_match(request),
            now=clock.now(),
        )
        if not begun.is_done:
            return self.answer_step(begun)
        return self.answer(
            serializers.Fulfilment.of(begun.order, begun.order.fulfilment(begun.step.id)),
            status=201,
            headers=replayed(begun),
        )


class FulfilmentDetail(APIView):
    scopes = {"PATCH": "orders.fulfil"}

    @operation(
        summary="Say where a parcel is",
        body=serializers.TrackFulfilment,
        responses={200: serializers.Fulfilment},
        errors=[errors.OrderNotFound, errors.FulfilmentNotFound],
    )
    def patch(self, request: HttpRequest, order_id: UUID, fulfilment_id: UUID) -> HttpResponse:
        body = self.body(serializers.TrackFulfilment)
        seen = order_for(request, order_id, everybody="orders.fulfil")
        order, fulfilment = fulfilling.track(
            order_id=seen.id,
            fulfilment_id=fulfilment_id,
            tracking=body.to_tracking(),
            by=by(request, seen, everybody="orders.fulfil"),
            now=clock.now(),
        )
        return self.answer(serializers.Fulfilment.of(order, fulfilment))


class OrderCapture(StepView):
    scopes = {"POST": "payments.capture"}

    @operation(
        summary="Take the money for an order",
        body=serializers.CaptureOrder,
        responses={200: serializers.Step, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotFulfillable,
            errors.StepInProgress,
            errors.NothingToCapture,
            errors.CaptureExceedsTotal,
            errors.CurrencyMismatch,
            errors.CaptureRefused,
        ],
        idempotency="required",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.CaptureOrder)
        key = self.idempotency(request, body)
        order = order_for(request, order_id, everybody="payments.capture")
        amount = None if body.amount is UNSET else body.amount.to_money()
        if amount is not None:
            refuse_other_currency(order, amount.currency)
        begun = fulfilling.capture(
            order_id=order.id,
            amount_minor=None if amount is None else amount.amount_minor,
            by=by(request, order, everybody="payments.capture"),
            key=key,
            now=clock.now(),
        )
        return self.answer_step(begun)


class OrderEdits(StepView):
    scopes = {"POST": "orders.edit"}
    changes_what_is_shown = True

    @operation(
        summary="Change an order before it is sent",
        description=(
            "Quantities, lines, the address and the shipping; the order is priced anew. More than "
            "was authorised is authorised by another payment before the earlier one is let go; "
            "what was taken beyond a lower total is given back. 202 while the customer has to "
            "confirm that payment at `action_url` (3-D Secure): until then nothing is changed."
        ),
        body=serializers.EditOrder,
        responses={200: serializers.Step, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotEditable,
            errors.LineRefunded,
            errors.StepInProgress,
            errors.UnknownLine,
            errors.UnknownSku,
            errors.OutOfStock,
            errors.QuoteRefused,
            errors.PriceChanged,
            errors.TotalTooLarge,
            errors.PaymentCaptured,
            errors.UnknownPaymentMethod,
            errors.PaymentTokenRequired,
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
        order = order_for(request, order_id, everybody="orders.edit")
        begun = editing.edit(
            order_id=order.id,
            edit=body.to_edit(),
            reason=body.reason,
            by=by(request, order, everybody="orders.edit"),
            key=key,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer_step(begun)


class OrderNotes(APIView):
    scopes = {"POST": "orders.note"}

    @operation(
        summary="Write a note on an order for other members of staff",
        body=serializers.NoteOrder,
        responses={204: None},
        errors=[errors.OrderNotFound],
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.NoteOrder)
        order = order_for(request, order_id, everybody="orders.note")
        noting.note_order(
            order_id=order.id,
            text=body.text,
            by=by(request, order, everybody="orders.note"),
            now=clock.now(),
        )
        return self.answer(status=204)
