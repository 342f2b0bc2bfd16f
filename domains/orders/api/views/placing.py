"""What the routes have in common that answer with an order, or with one that was placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET, UnsetType

from domains.orders import errors
from domains.orders.api.access import HEADER as ORDER_TOKEN
from domains.orders.api.access import caller_of
from domains.orders.api.serializers import orders as serializers
from domains.orders.models import Order
from domains.orders.models.terms import customer_key
from domains.orders.queries.orders import PaymentOfOrder
from domains.orders.services.placement import Placed
from domains.orders.services.tokens import order_token
from domains.payments import public as payments
from infrastructure.auth.errors import NotAuthenticated
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency, limits
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.types import Body
from infrastructure.http.views import APIView

REFUSALS = [
    errors.UnknownSku,
    errors.NotSoldInCurrency,
    errors.UnknownChannel,
    errors.UnknownCustomer,
    errors.UnknownPaymentMethod,
    errors.PaymentTokenRequired,
    errors.EmailRequired,
    errors.QuoteRefused,
    errors.PriceChanged,
    errors.TotalTooLarge,
    errors.OutOfStock,
    errors.PaymentDeclined,
    errors.PaymentNotCompleted,
    errors.OrderRejected,
    errors.OrderInProgress,
    errors.OrdersOverloaded,
    payments.CardNumberRefused,
    payments.PaymentsUnavailable,
]

EXAMPLE_ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}
EXAMPLE_PAYMENT = {"method": "card", "token": "tok_visa"}


TOKEN_HEADERS = {ORDER_TOKEN: "What a guest's order is read with, as `order_token`."}


class OrderView(APIView):
    """A route that answers with an order."""

    def answer_order(
        self,
        order: Order,
        payment: PaymentOfOrder,
        *,
        status: int = 200,
        order_token: str | UnsetType = UNSET,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        return self.answer(
            serializers.Order.of(order, payment, order_token=order_token),
            status=status,
            # The payment is another aggregate, and how it stands is part of the answer.
            etag=f"{order.version}-{payment.status.lower()}-{payment.captured_minor}",
            headers=headers,
        )


class PlacingView(OrderView):
    """A route that answers with an order that was placed."""

    # The last of something may be taken.
    changes_what_is_shown = True

    def key_of(self, request: HttpRequest, body: Body, email: str) -> IdempotencyKey:
        """A guest is known by the address they give: the same request from another network is the
        same request. Raises RateLimited where somebody orders under one address all the time."""
        key = self.idempotency(request, body)
        assert key is not None
        if caller_of(request) is not None:
            return key
        if not email:
            raise NotAuthenticated("Sign in, or give an e-mail address to order as a guest.")
        guest = f"guest:{customer_key(customer_id=None, email=email)}"
        limits.charge(guest, "guest_order")
        return replace(key, client=guest)

    def answer_placed(self, request: HttpRequest, placed: Placed) -> HttpResponse:
        """The order as it was placed, or as the problem that it ended in."""
        order = placed.order
        headers = {"Location": f"/api/v1/orders/{order.id}"}
        if placed.replayed:
            headers |= idempotency.replayed(alias_of("orders"))
        if order.asynchronous:
            headers["Preference-Applied"] = "respond-async"
        token: str | UnsetType = UNSET
        caller = caller_of(request)
        # Staff who took a guest's order by telephone pass the token on.
        is_taken = caller is not None and order.customer_id is None and order.placed_by == caller.id
        if caller is None or is_taken:
            token = headers[ORDER_TOKEN] = order_token(order.id)
            headers["Cache-Control"] = "no-store"
        if (refusal := placed.refusal()) is not None:
            refusal.headers.update(headers)
            raise refusal
        return self.answer_order(
            order,
            placed.payment,
            status=202 if order.is_undecided else 201,
            order_token=token,
            headers=headers,
        )
