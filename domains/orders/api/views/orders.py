"""The order routes: translate, make one call, translate back."""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.orders import errors, queries
from domains.orders.api.serializers import orders as serializers
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import placement
from infrastructure import clock
from infrastructure.auth.actor import Actor
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation

_PLACE_REFUSALS = [
    errors.UnknownSku,
    errors.UnknownChannel,
    errors.UnknownPaymentMethod,
    errors.PaymentTokenRequired,
    errors.TotalTooLarge,
    errors.OutOfStock,
    errors.PaymentDeclined,
    errors.OrderRejected,
    errors.OrderInProgress,
]

_EXAMPLE = {
    "lines": [{"sku": "85123A", "quantity": 2}],
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "city": "London",
        "postcode": "SW1Y 4JH",
        "country": "GB",
    },
    "payment": {"method": "card", "token": "tok_visa"},
}


class Orders(APIView):
    scopes = {"GET": "orders.read_own", "POST": "orders.place"}
    rate = {"POST": "checkout"}
    # The last of something may be taken.
    changes_what_is_shown = True

    @operation(
        summary="List orders, the newest first",
        description="A customer sees their own, staff with `orders.read` see all.",
        query=serializers.OrderFilters,
        responses={200: PageOf[serializers.Order]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        filters = self.query(serializers.OrderFilters)
        orders = queries.orders_of(_whose(self.actor, everybody="orders.read"))
        if filters.status is not None:
            orders = orders.filter(status=filters.status)
        if filters.number is not None:
            orders = orders.filter(number=filters.number)
        found = page(
            orders, filters.cursor, filters.limit, order=("-placed_at", "-id"), filters=filters
        )
        payments = queries.payment_statuses(found.items)
        return self.answer_page(
            found, lambda order: serializers.Order.of(order, payment_status=payments[order.id])
        )

    @operation(
        summary="Place an order",
        description=(
            "Answers with the outcome. With `Prefer: respond-async` the order is accepted as "
            "PENDING and decided soon after; so it is, with 202 too, if the payment's outcome "
            "does not come in time."
        ),
        body=serializers.PlaceOrder,
        responses={201: serializers.Order, 202: serializers.Order},
        errors=_PLACE_REFUSALS,
        idempotency="required",
        respond_async=True,
        examples={"two of one SKU": _EXAMPLE},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.PlaceOrder)
        key = self.idempotency(request, body)
        assert key is not None
        preference = self.prefer(request)
        placed = placement.place_order(
            customer_id=self.actor.id,
            lines=[
                placement.WantedLine(sku=line.sku, quantity=line.quantity) for line in body.lines
            ],
            currency=settings.DEFAULT_CURRENCY if body.currency is UNSET else body.currency,
            channel=None if body.channel is UNSET else body.channel,
            customer_group=self.actor.customer_group,
            shipping_address=msgspec.structs.asdict(body.shipping_address),
            payment=PaymentChoice(method=body.payment.method, token=body.payment.token),
            asynchronous=preference.respond_async,
            key=key,
            now=clock.now(),
        )
        headers = {"Location": f"{request.path}/{placed.order.id}"}
        if placed.replayed:
            headers |= idempotency.replayed(alias_of("orders"))
        if preference.respond_async:
            headers["Preference-Applied"] = "respond-async"
        if (refusal := placed.order.refusal()) is not None:
            refusal.headers.update(headers)
            raise refusal
        return self._answer_order(
            placed.order,
            status=202 if placed.order.is_undecided else 201,
            payment_status=placed.payment_status,
            headers=headers,
        )

    def _answer_order(
        self, order: Order, *, status: int, payment_status: str, headers: dict[str, str]
    ) -> HttpResponse:
        return self.answer(
            serializers.Order.of(order, payment_status=payment_status),
            status=status,
            etag=_version(order, payment_status),
            headers=headers,
        )


class OrderDetail(APIView):
    scopes = {"GET": "orders.read_own"}

    @operation(
        summary="Read an order",
        responses={200: serializers.Order},
        errors=[errors.OrderNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = queries.order_of(_whose(self.actor, everybody="orders.read"), order_id)
        payment_status = queries.payment_statuses([order])[order.id]
        return self.answer(
            serializers.Order.of(order, payment_status=payment_status),
            etag=_version(order, payment_status),
        )


class OrderCancellation(APIView):
    scopes = {"POST": "orders.cancel_own"}
    changes_what_is_shown = True

    @operation(
        summary="Cancel an order",
        description=(
            "Its goods are released and its payment is voided. Cancelling twice is cancelling once."
        ),
        body=serializers.CancelOrder,
        responses={200: serializers.Order, 202: serializers.Order},
        errors=[errors.OrderNotFound, errors.OrderNotCancellable, errors.PaymentCaptured],
        idempotency="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.CancelOrder)
        key = self.idempotency(request, body)
        seen = queries.order_of(_whose(self.actor, everybody="orders.cancel"), order_id)
        order = placement.cancel_order(
            order_id=seen.id, reason=body.reason, key=key, now=clock.now()
        )
        payment_status = queries.payment_statuses([order])[order.id]
        return self.answer(
            serializers.Order.of(order, payment_status=payment_status),
            status=200 if order.unsettled_since is None else 202,
            etag=_version(order, payment_status),
        )


def _whose(actor: Actor, *, everybody: str) -> UUID | None:
    """Whose orders the caller may act on: their own, or with that scope everybody's (None)."""
    return None if actor.may(everybody) else actor.id


def _version(order: Order, payment_status: str) -> str:
    """The payment is another aggregate, and its status is part of the answer."""
    return f"{order.version}-{payment_status.lower()}"
