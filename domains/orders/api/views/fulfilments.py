"""Sending orders, and taking their money."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.orders import errors
from domains.orders.api.access import (
    acting_on,
    caller_of,
    order_for,
    refuse_other_currency,
)
from domains.orders.api.serializers import steps as serializers
from domains.orders.api.views.steps import StepView
from domains.orders.services import fulfilling
from infrastructure import clock
from infrastructure.auth.permissions import OrGuest
from infrastructure.http.views import APIView, operation


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
            errors.NotPaidFor,
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
        order, by = acting_on(request, order_id, everybody="orders.fulfil")
        actor = caller_of(request)
        begun = fulfilling.fulfil(
            order_id=order.id,
            lines=None if body.lines is UNSET else serializers.units_of(body.lines),
            warehouse=body.warehouse,
            tracking=body.to_tracking(),
            capture=None if body.capture is UNSET else body.capture,
            may_be_unpaid=actor is not None and actor.may(fulfilling.SEND_UNPAID),
            reason=body.reason,
            by=by,
            key=key,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer_step(
            begun,
            status=201,
            made=lambda: serializers.Fulfilment.of(
                begun.order, begun.order.fulfilment(begun.step.id)
            ),
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
        seen, by = acting_on(request, order_id, everybody="orders.fulfil")
        order, fulfilment = fulfilling.track(
            order_id=seen.id,
            fulfilment_id=fulfilment_id,
            tracking=body.to_tracking(),
            by=by,
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
            errors.InvalidPaymentAmount,
            errors.CaptureExceedsTotal,
            errors.CurrencyMismatch,
            errors.CaptureRefused,
        ],
        idempotency="required",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.CaptureOrder)
        key = self.idempotency(request, body)
        order, by = acting_on(request, order_id, everybody="payments.capture")
        amount = None if body.amount is UNSET else body.amount.to_money()
        if amount is not None:
            refuse_other_currency(order, amount.currency)
        begun = fulfilling.capture(
            order_id=order.id,
            amount_minor=None if amount is None else amount.amount_minor,
            reason=body.reason,
            by=by,
            key=key,
            now=clock.now(),
        )
        return self.answer_step(begun)
