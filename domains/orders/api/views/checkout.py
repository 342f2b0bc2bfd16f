"""Making an order of a cart."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.carts import public as carts
from domains.orders.api.access import caller_of
from domains.orders.api.serializers import orders as serializers
from domains.orders.api.views import placing
from domains.orders.services import checkouts
from domains.orders.services.wishes import WantedLine, Wish
from infrastructure import clock
from infrastructure.auth.permissions import OrGuest
from infrastructure.http.views import operation

_EXAMPLE = {
    "email": "ada@example.com",
    "shipping_address": placing.EXAMPLE_ADDRESS,
    "payment": placing.EXAMPLE_PAYMENT,
    "expected_total": {"amount": "13.59", "currency": "GBP"},
}


class CartCheckout(placing.PlacingView):
    scopes = {"POST": OrGuest("orders.place")}
    rate = {"POST": "checkout"}

    @operation(
        summary="Make an order of a cart",
        description=(
            "Once, however often and from wherever it is sent. Nobody can change the cart until "
            "the order is decided; a refused order leaves it as it was. With If-Match it is only "
            "ordered as it was seen. Without a `note`, the order has the cart's. Whoever else "
            "sends it again, under another account or e-mail address, gets 409 `cart_checked_out`. "
            "What is wrong with its goods is pointed to as in the cart's own `problems`, by "
            "`/items/{position}`."
        ),
        body=serializers.Checkout,
        responses={201: serializers.Order, 202: serializers.Order},
        errors=[
            *placing.REFUSALS,
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
        etag=True,
        respond_async=True,
        headers=placing.TOKEN_HEADERS,
        examples={"a guest's": _EXAMPLE},
    )
    def post(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        body = self.body(serializers.Checkout)
        key = self.key_of(request, body, body.email or "")
        actor, preference = caller_of(request), self.prefer(request)

        def wish(cart: carts.CartContents) -> Wish:
            return Wish(
                **body.terms(),
                note=cart.note if body.note is UNSET else body.note,
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
