"""Placing, reading, noting on and cancelling orders: translate, make one call, translate back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.orders import errors
from domains.orders.api.access import acting_on, caller_of, order_for
from domains.orders.api.serializers import orders as serializers
from domains.orders.api.serializers.steps import CancelOrder, NoteOrder
from domains.orders.api.views import placing
from domains.orders.queries import orders as queries
from domains.orders.services import cancelling, noting, placement
from domains.orders.services.wishes import WantedLine, Wish
from domains.users import public as users
from infrastructure import clock
from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import MissingScope, NotAuthenticated
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import alias_of
from infrastructure.errors import FieldError
from infrastructure.http import idempotency
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation

_EXAMPLE = {
    "lines": [{"sku": "85123A", "quantity": 4}, {"sku": "71053", "quantity": 1}],
    "shipping_address": placing.EXAMPLE_ADDRESS,
    "payment": placing.EXAMPLE_PAYMENT,
}


class Orders(placing.PlacingView):
    scopes = {"GET": "orders.read_own", "POST": OrGuest("orders.place")}
    rate = {"POST": "checkout"}

    @operation(
        summary="List orders, the newest first",
        description=(
            "A customer sees their own, staff with `orders.read` see all, and may look for an "
            "e-mail address or a SKU."
        ),
        query=serializers.OrderFilters,
        responses={200: PageOf[serializers.Order]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        filters = self.query(serializers.OrderFilters)
        sees_all = self.actor.may("orders.read")
        if not sees_all and (filters.email or filters.sku):
            raise MissingScope("orders.read")
        found = page(
            queries.orders_found(
                None if sees_all else self.actor.id,
                status=filters.status,
                number=filters.number,
                placed_from=filters.placed_from,
                placed_to=filters.placed_to,
                email=filters.email,
                sku=filters.sku,
            ),
            filters.cursor,
            filters.limit,
            order=("-placed_at", "-id"),
            filters=filters,
        )
        paid = queries.payments_of(found.items)
        return self.answer_page(found, lambda order: serializers.Order.of(order, paid[order.id]))

    @operation(
        summary="Place an order",
        description=(
            "Answers with the outcome. 202 means that it is PENDING: with `Prefer: respond-async` "
            "it is decided soon after; so it is if the payment's outcome does not come in time; "
            "with a `payment.action_url` once the customer has confirmed the payment there.\n\n"
            "Without a token it is a guest's order, which takes an `email`: `order_token` is what "
            "it is read with. Staff who may take orders for others name the `customer_id`, null "
            "for a guest, whom they tell the `order_token`. Guests do not pay by `invoice`.\n\n"
            "Requests that name coupons have a limit of their own."
        ),
        body=serializers.PlaceOrder,
        responses={201: serializers.Order, 202: serializers.Order},
        errors=placing.REFUSALS,
        idempotency="required",
        etag=True,
        respond_async=True,
        headers=placing.TOKEN_HEADERS,
        examples={"two SKUs": _EXAMPLE},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.PlaceOrder)
        if body.coupons:
            self.charge("coupons")
        key = self.key_of(request, body, body.email or "")
        wish = Wish(
            **_whose_order(caller_of(request), body),
            **body.terms(),
            note=body.note or "",
            lines=[
                WantedLine(sku=line.sku, quantity=line.quantity, note=line.note)
                for line in body.lines
            ],
            currency=settings.DEFAULT_CURRENCY if body.currency is UNSET else body.currency,
            channel=None if body.channel is UNSET else body.channel,
            coupons=body.coupons,
            shipping_method=body.shipping_method or None,
            asynchronous=self.prefer(request).respond_async,
        )
        placed = placement.place_order(wish=wish, key=key, now=clock.now())
        return self.answer_placed(request, placed)


class OrderDetail(placing.OrderView):
    scopes = {"GET": OrGuest("orders.read_own", credential="orderToken")}

    @operation(
        summary="Read an order",
        responses={200: serializers.Order},
        errors=[errors.OrderNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        return self.answer_order(order, queries.payments_of([order])[order.id])


class OrderHistory(APIView):
    scopes = {"GET": OrGuest("orders.read_own", credential="orderToken")}

    @operation(
        summary="Read what happened to an order, the oldest first",
        responses={200: PageOf[serializers.OrderChange]},
        errors=[errors.OrderNotFound],
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        actor = caller_of(request)
        is_staff = actor is not None and actor.may("orders.read")
        entries = [
            serializers.OrderChange.of(entry, with_ids=is_staff)
            for entry in queries.history_of(order, with_internal=is_staff)
        ]
        return self.answer(PageOf(items=entries, next=None))


class OrderNotes(APIView):
    scopes = {"POST": "orders.note"}

    @operation(
        summary="Write a note on an order for other members of staff",
        body=NoteOrder,
        responses={204: None},
        errors=[errors.OrderNotFound],
        idempotency="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(NoteOrder)
        key = self.idempotency(request, body)
        order, by = acting_on(request, order_id, everybody="orders.note")

        def note() -> UUID:
            noting.note_order(order_id=order.id, text=body.text, by=by, key=key, now=clock.now())
            return order.id

        _, headers = idempotency.once(alias_of("orders"), key, note, again=lambda noted: noted)
        return self.answer(status=204, headers=headers)


class OrderCancellation(placing.OrderView):
    scopes = {"POST": OrGuest("orders.cancel_own", credential="orderToken")}
    changes_what_is_shown = True

    @operation(
        summary="Cancel an order",
        description=(
            "Its goods are released and its payment is voided; cancelling twice is once. "
            "With `lines`, so many of each; what was taken for them is given back where `refund` "
            "says that it may be. 202 while the gateway has not answered, and for an amount that "
            "takes a second person."
        ),
        body=CancelOrder,
        responses={200: serializers.Order, 202: serializers.Order},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotCancellable,
            errors.PaymentCaptured,
            errors.StepInProgress,
            errors.UnknownLine,
            errors.TooManyUnits,
            errors.RefundRefused,
        ],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(CancelOrder)
        key = self.idempotency(request, body)
        seen, by = acting_on(request, order_id, everybody="orders.cancel")
        actor = caller_of(request)
        if body.refund and (actor is None or not actor.may("payments.refund")):
            raise MissingScope("payments.refund")
        order, _ = cancelling.cancel(
            order_id=seen.id,
            reason=body.reason,
            lines=body.units(),
            refund=body.refund,
            by=by,
            key=key,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer_order(
            order,
            queries.payments_of([order])[order.id],
            status=200 if order.unsettled_since is None and order.step_id is None else 202,
        )


def _whose_order(actor: Actor | None, body: serializers.PlaceOrder) -> dict[str, Any]:
    """For whom the order is, and at whose prices: the caller's own, a guest's, or the customer's
    for whom staff take it. Raises MissingScope, UnknownCustomer."""
    if body.customer_id is UNSET or (actor is not None and body.customer_id == actor.id):
        if actor is None:
            return {"customer_id": None}
        return {"customer_id": actor.id, "customer_group": actor.customer_group}
    if actor is None:
        raise NotAuthenticated
    if not actor.may("orders.place_for"):
        raise MissingScope("orders.place_for")
    if body.customer_id is None:
        return {"customer_id": None, "placed_by": actor.id}
    customer = users.customer_of(body.customer_id)
    if customer is None:
        fault = FieldError(
            "/customer_id", errors.UnknownCustomer.code, errors.UnknownCustomer.title
        )
        raise errors.UnknownCustomer(errors=[fault])
    return {
        "customer_id": customer.id,
        "customer_group": customer.group,
        "placed_by": actor.id,
    }
