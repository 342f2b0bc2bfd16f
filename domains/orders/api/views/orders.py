"""Placing and reading orders: translate, make one call, translate back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.carts import public as carts
from domains.orders import errors, queries
from domains.orders.api.access import HEADER as ORDER_TOKEN
from domains.orders.api.access import by, caller_of, order_for
from domains.orders.api.serializers import orders as serializers
from domains.orders.models import Order
from domains.orders.models.terms import customer_key
from domains.orders.services import cancelling, checkouts, paying, placement
from domains.orders.services.placement import Placed
from domains.orders.services.tokens import order_token
from domains.orders.services.wishes import WantedLine, Wish
from domains.payments import public as payments
from domains.users import public as users
from infrastructure import clock
from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import MissingScope, NotAuthenticated
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import alias_of
from infrastructure.errors import FieldError
from infrastructure.http import idempotency, limits
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.pagination import page
from infrastructure.http.types import Body, PageOf
from infrastructure.http.views import APIView, operation

PLACE_FOR = "orders.place_for"

_PLACE_REFUSALS = [
    errors.UnknownSku,
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

_ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}
_PAYMENT = {"method": "card", "token": "tok_visa"}
_EXAMPLE = {
    "lines": [{"sku": "85123A", "quantity": 2}],
    "shipping_address": _ADDRESS,
    "payment": _PAYMENT,
}
_CHECKOUT_EXAMPLE = {
    "email": "ada@example.com",
    "shipping_address": _ADDRESS,
    "payment": _PAYMENT,
    "expected_total": {"amount": "5.10", "currency": "GBP"},
}


class PlacingView(APIView):
    """What the routes have in common that answer with an order that was placed."""

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
        token: Any = UNSET
        caller = caller_of(request)
        # Staff who took a guest's order by telephone pass the token on.
        is_taken = caller is not None and order.customer_id is None and order.placed_by == caller.id
        if caller is None or is_taken:
            token = headers[ORDER_TOKEN] = order_token(order.id)
            headers["Cache-Control"] = "no-store"
        if (refusal := placed.refusal()) is not None:
            refusal.headers.update(headers)
            raise refusal
        answer = serializers.Order.of(
            order,
            payment_status=placed.payment.status,
            action_url=placed.payment.action_url,
            order_token=token,
        )
        return self.answer(
            answer,
            status=202 if order.is_undecided else 201,
            etag=version_of(order, placed.payment.status),
            headers=headers,
        )


class Orders(PlacingView):
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
        return self.answer_page(
            found,
            lambda order: serializers.Order.of(
                order,
                payment_status=paid[order.id].status,
                action_url=paid[order.id].action_url,
            ),
        )

    @operation(
        summary="Place an order",
        description=(
            "Answers with the outcome. 202 means that it is PENDING: with `Prefer: respond-async` "
            "it is decided soon after; so it is if the payment's outcome does not come in time; "
            "with a `payment.action_url` once the customer has confirmed the payment there.\n\n"
            "Without a token it is a guest's order, which takes an `email`: `order_token` is what "
            "it is read with. Staff who may take orders for others name the `customer_id`, null "
            "for a guest, whom they tell the `order_token`. Guests do not pay by `invoice`."
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
        key = self.key_of(request, body, body.email or "")
        wish = Wish(
            **_whose_order(caller_of(request), body),
            **body.terms(),
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


class CartCheckout(PlacingView):
    scopes = {"POST": OrGuest("orders.place")}
    rate = {"POST": "checkout"}

    @operation(
        summary="Make an order of a cart",
        description=(
            "Once, however often and from wherever it is sent. Nobody can change the cart until "
            "the order is decided; a refused order leaves it as it was. With If-Match it is only "
            "ordered as it was seen. Whoever else sends it again, under another account or e-mail "
            "address, gets 409 `cart_checked_out`."
        ),
        body=serializers.Checkout,
        responses={201: serializers.Order, 202: serializers.Order},
        errors=[
            *_PLACE_REFUSALS,
            carts.CartNotFound,
            carts.CartEmpty,
            carts.CartCheckedOut,
            carts.CartFrozen,
            carts.CartChanged,
            carts.CartsUnavailable,
            carts.CartNotDurable,
        ],
        idempotency="required",
        if_match="accepted",
        respond_async=True,
        examples={"a guest's": _CHECKOUT_EXAMPLE},
    )
    def post(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        body = self.body(serializers.Checkout)
        key = self.key_of(request, body, body.email or "")
        actor, preference = caller_of(request), self.prefer(request)

        def wish(cart: carts.CartContents) -> Wish:
            return Wish(
                **body.terms(),
                customer_id=None if actor is None else actor.id,
                customer_group=None if actor is None else actor.customer_group,
                lines=[
                    WantedLine(sku=line.sku, quantity=line.quantity, note=line.note)
                    for line in cart.lines
                ],
                currency=cart.currency,
                channel=cart.channel,
                coupons=cart.coupons,
                shipping_method=body.shipping_method or cart.shipping_method,
                cart_id=cart.id,
                asynchronous=preference.respond_async,
            )

        placed = checkouts.check_out(
            cart_id=cart_id,
            owner=None if actor is None else actor.id,
            email=body.email or "",
            version=self.if_match(request),
            wish=wish,
            key=key,
            now=clock.now(),
        )
        return self.answer_placed(request, placed)


class OrderDetail(APIView):
    scopes = {"GET": OrGuest("orders.read_own", credential="orderToken")}

    @operation(
        summary="Read an order",
        responses={200: serializers.Order},
        errors=[errors.OrderNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        payment = queries.payments_of([order])[order.id]
        return self.answer(
            serializers.Order.of(
                order, payment_status=payment.status, action_url=payment.action_url
            ),
            etag=version_of(order, payment.status),
        )


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


class OrderPayment(PlacingView):
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
        ],
        idempotency="required",
        examples={"another card": {"payment": _PAYMENT}},
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.PayAgain)
        key = self.idempotency(request, body)
        assert key is not None
        order = order_for(request, order_id, everybody=PLACE_FOR)
        if caller_of(request) is None:
            key = replace(key, client=f"order:{order.id}")
        placed = paying.pay_again(
            order_id=order.id,
            payment=body.payment.to_choice(),
            actor=by(request, order, everybody=PLACE_FOR),
            key=key,
            now=clock.now(),
        )
        return self.answer_placed(request, placed)


class OrderPaymentRefresh(APIView):
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
        payment = queries.payments_of([order])[order.id]
        return self.answer(
            serializers.Order.of(
                order, payment_status=payment.status, action_url=payment.action_url
            ),
            status=202 if order.is_undecided else 200,
            etag=version_of(order, payment.status),
        )


class OrderCancellation(APIView):
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
        body=serializers.CancelOrder,
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
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.CancelOrder)
        key = self.idempotency(request, body)
        seen = order_for(request, order_id, everybody="orders.cancel")
        actor = caller_of(request)
        if body.refund and (actor is None or not actor.may("payments.refund")):
            raise MissingScope("payments.refund")
        order, _ = cancelling.cancel(
            order_id=seen.id,
            reason=body.reason,
            lines=body.units(),
            refund=body.refund,
            by=by(request, seen, everybody="orders.cancel"),
            key=key,
            now=clock.now(),
        )
        payment_status = queries.payment_statuses([order])[order.id]
        return self.answer(
            serializers.Order.of(order, payment_status=payment_status),
            status=200 if order.unsettled_since is None and order.step_id is None else 202,
            etag=version_of(order, payment_status),
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
    if not actor.may(PLACE_FOR):
        raise MissingScope(PLACE_FOR)
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


def version_of(order: Order, payment_status: str) -> str:
    """The payment is another aggregate, and its status is part of the answer."""
    return f"{order.version}-{payment_status.lower()}"
