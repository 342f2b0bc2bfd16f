"""Paying for an order that waits for its payment."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.orders import errors
from domains.orders.api.access import acting_on, caller_of, order_for
from domains.orders.api.serializers import orders as serializers
from domains.orders.api.views import placing
from domains.orders.queries import orders as queries
from domains.orders.services import paying
from domains.payments import public as payments
from infrastructure import clock
from infrastructure.auth.permissions import OrGuest
from infrastructure.http.views import operation


class OrderPayment(placing.PlacingView):
    scopes = {"POST": OrGuest("orders.place", credential="orderToken")}
    rate = {"POST": "checkout"}

    @operation(
        summary="Try another payment",
        description=(
            "For an order that waits: its payment was declined and it was placed with "
            "`keep_on_decline`, or its customer has not confirmed the payment. The earlier one is "
            "let go first."
        ),
        body=serializers.PayAgain,
        responses={201: serializers.Order, 202: serializers.Order},
        errors=[
            errors.OrderNotFound,
            errors.PaymentNotRetryable,
            errors.UnknownPaymentMethod,
            errors.PaymentTokenRequired,
            errors.PaymentDeclined,
            errors.PaymentNotCompleted,
            errors.OrderRejected,
            errors.OrderInProgress,
            payments.CardNumberRefused,
            payments.PaymentsUnavailable,
        ],
        idempotency="required",
        etag=True,
        headers=placing.TOKEN_HEADERS,
        examples={"another card": {"payment": placing.EXAMPLE_PAYMENT}},
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.PayAgain)
        key = self.idempotency(request, body)
        assert key is not None
        order, by = acting_on(request, order_id, everybody="orders.place_for")
        if caller_of(request) is None:
            key = replace(key, client=f"order:{order.id}")
        placed = paying.pay_again(
            order_id=order.id,
            payment=body.payment.to_choice(),
            actor=by,
            key=key,
            now=clock.now(),
        )
        return self.answer_placed(request, placed)


class OrderPaymentRefresh(placing.OrderView):
    scopes = {"POST": OrGuest("orders.read_own", credential="orderToken")}
    rate = {"POST": "checkout"}

    @operation(
        summary="Ask how the payment of an order stands",
        description=(
            "For when the customer is back from confirming it (3-D Secure), before the gateway's "
            "notification is there: the gateway is asked, and the order decided by what it says. "
            "202 while it is PENDING. Harmless to repeat."
        ),
        responses={200: serializers.Order, 202: serializers.Order},
        errors=[errors.OrderNotFound, payments.PaymentsUnavailable],
        etag=True,
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        seen = order_for(request, order_id, everybody="orders.read")
        order = paying.look(order_id=seen.id, now=clock.now())
        return self.answer_order(
            order,
            queries.payments_of([order])[order.id],
            status=202 if order.is_undecided else 200,
        )
