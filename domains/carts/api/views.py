"""The cart routes: translate, make one call, show the cart as it is then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.carts import errors, queries
from domains.carts.api import serializers
from domains.carts.models import Cart, Change, Once
from domains.carts.services import carts as services
from domains.carts.services import merging
from domains.carts.services.carts import Shopper
from domains.pricing import public as pricing
from infrastructure import clock
from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC
from infrastructure.errors import FieldError, StaleVersion
from infrastructure.http import idempotency
from infrastructure.http.decoding import InvalidBody
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.http.views import APIView, operation
from infrastructure.money import InvalidMoney, minor_digits

NOT_STORED = {"Cache-Control": "no-store"}

_GONE = [errors.CartNotFound, errors.CartCheckedOut, errors.CartsUnavailable]
_REFUSALS = [*_GONE, errors.CartFrozen, errors.CartNotDurable]
_UNSOLD = [errors.UnknownSku, errors.NotSoldInCurrency]
_FULL = [*_UNSOLD, errors.TooManyLines, errors.QuantityTooLarge, errors.CartTooLarge]

_encode = msgspec.json.Encoder().encode


class CartView(APIView):
    """A guest's cart is open to whoever knows its id, a customer's to that customer."""

    @property
    def shopper(self) -> Shopper:
        actor = self.request.user
        return Shopper(actor.id, actor.customer_group) if actor else Shopper()  # type: ignore[union-attr]

    def once(self, request: HttpRequest, body: object) -> Once | None:
        key = self.idempotency(request, body)
        if key is None:
            return None
        # Clients and keys can be personal, so the store is told a hash of them.
        name = sha256("\0".join((key.client, key.route, key.key)).encode()).hexdigest()
        return Once(name, key.fingerprint.hex())

    def show(
        self,
        cart: Cart,
        *,
        status: int = 200,
        seen: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """seen: the customer says that they know of all changes."""
        now, shopper = clock.now(), self.shopper
        shown = queries.priced(cart, customer_id=shopper.id, customer_group=shopper.group, now=now)
        services.tell(shown=shown, shopper=shopper, again=seen, now=now)
        if seen:
            shown = shown.without_differences()
        answer = serializers.Cart.of(shown, now=now)
        # Prices are no part of the version, and show.
        digest = blake2b(_encode(answer), digest_size=8).hexdigest()
        return self.answer(
            answer,
            status=status,
            etag=f"{cart.version}-{digest}",
            headers=NOT_STORED | dict(headers or {}),
        )

    def change(
        self,
        request: HttpRequest,
        cart_id: UUID,
        *,
        changes: Sequence[Change] = (),
        fields: Mapping[str, str] | None = None,
        once: Once | None = None,
    ) -> HttpResponse:
        made = services.change(
            cart_id=cart_id,
            shopper=self.shopper,
            changes=changes,
            fields=fields,
            version=self.if_match(request),
            once=once,
            now=clock.now(),
        )
        return self.show(made.cart, headers={idempotency.HEADER: "true"} if made.replayed else None)


class Carts(CartView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": ("carts", "cart_made")}

    @operation(
        summary="Begin a cart",
        description=(
            "Without a token it is a guest's, and its id is the key to it: tell nobody. A customer "
            "has one open cart: where there is one, it is the answer (200)."
        ),
        body=serializers.MakeCart,
        responses={200: serializers.Cart, 201: serializers.Cart},
        errors=[*_GONE, errors.CartNotDurable, errors.UnknownChannel, IdempotencyKeyReused],
        idempotency="accepted",
        etag=True,
        examples={"in the shop's currency": {}},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.MakeCart)
        currency = settings.DEFAULT_CURRENCY if body.currency is UNSET else body.currency
        try:
            minor_digits(currency)
        except InvalidMoney as error:
            fault = FieldError("/currency", error.code, str(error))
            raise InvalidBody(errors=[fault]) from error
        made = services.create(
            shopper=self.shopper,
            currency=currency,
            channel=None if body.channel is UNSET else body.channel,
            once=self.once(request, body),
            now=clock.now(),
        )
        headers = {"Location": f"{request.path}/{made.cart.id}"}
        if made.replayed:
            headers[idempotency.HEADER] = "true"
        first = made.is_new or made.replayed
        return self.show(made.cart, status=201 if first else 200, headers=headers)


class CurrentCart(CartView):
    scopes = {"GET": AUTHENTICATED}
    rate = {"GET": "carts"}

    @operation(
        summary="Read the caller's current cart",
        responses={200: serializers.Cart},
        errors=[errors.CartNotFound, errors.CartsUnavailable],
        etag=True,
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(services.current(customer_id=self.actor.id, now=clock.now()))


class OneCart(CartView):
    scopes = {"GET": PUBLIC, "PATCH": PUBLIC, "DELETE": PUBLIC}
    rate = dict.fromkeys(scopes, "carts")

    @operation(
        summary="Read a cart",
        description=(
            "At the prices of this moment. `changes` says what is not as it was shown first, until "
            "`POST …/seen`; `problems` what would be refused at checkout now."
        ),
        responses={200: serializers.Cart},
        errors=_GONE,
        etag=True,
    )
    def get(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        return self.show(_read(cart_id, self.shopper))

    @operation(
        summary="Change what holds for all of a cart",
        description=(
            "What is left out stays. `coupons` replaces the list; requests that name some have a "
            "limit of their own."
        ),
        body=serializers.EditCart,
        responses={200: serializers.Cart},
        errors=[*_REFUSALS, errors.CartTooLarge, StaleVersion],
        if_match="accepted",
        etag=True,
        examples={"a coupon": {"coupons": ["SPRING"], "country": "GB", "postcode": "SW1Y 4JH"}},
    )
    def patch(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        body = self.body(serializers.EditCart)
        if body.coupons:
            self.charge("coupons")
        given = {
            name: value
            for name in body.__struct_fields__
            if (value := getattr(body, name)) is not UNSET
        }
        return self.change(request, cart_id, fields={n: _text(v) for n, v in given.items()})

    @operation(
        summary="Throw a cart away",
        description="What is held for it is let go.",
        responses={204: None},
        errors=[*_REFUSALS, StaleVersion],
        if_match="accepted",
    )
    def delete(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        services.delete(
            cart_id=cart_id,
            shopper=self.shopper,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer(status=204)


class Items(CartView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "carts"}

    @operation(
        summary="Put more into a cart",
        description="Quantities are added to what is in it. All items are taken, or none.",
        body=serializers.AddItems,
        responses={200: serializers.Cart},
        errors=[*_REFUSALS, *_FULL, IdempotencyKeyReused, StaleVersion],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
        examples={"two lanterns": {"items": [{"sku": "71053", "quantity": 2}]}},
    )
    def post(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        body = self.body(serializers.AddItems)
        changes = [
            Change(kind="add", sku=item.sku, quantity=item.quantity, note=_note(item.note))
            for item in body.items
        ]
        return self.change(request, cart_id, changes=changes, once=self.once(request, body))


class OneItem(CartView):
    scopes = {"PUT": PUBLIC, "DELETE": PUBLIC}
    rate = dict.fromkeys(scopes, "carts")

    @operation(
        summary="Say how many of a SKU are in a cart",
        body=serializers.SetItem,
        responses={200: serializers.Cart},
        errors=[*_REFUSALS, *_FULL, StaleVersion],
        if_match="accepted",
        etag=True,
        examples={"two": {"quantity": 2}, "with a note": {"quantity": 1, "note": "gift-wrapped"}},
    )
    def put(self, request: HttpRequest, cart_id: UUID, sku: str) -> HttpResponse:
        body = self.body(serializers.SetItem)
        change = Change(kind="set", sku=sku, quantity=body.quantity, note=_note(body.note))
        return self.change(request, cart_id, changes=[change])

    @operation(
        summary="Take a SKU out of a cart",
        description="One that is not in it is out already.",
        responses={200: serializers.Cart},
        errors=[*_REFUSALS, StaleVersion],
        if_match="accepted",
        etag=True,
    )
    def delete(self, request: HttpRequest, cart_id: UUID, sku: str) -> HttpResponse:
        return self.change(request, cart_id, changes=[Change(kind="set", sku=sku, quantity=0)])


class Seen(CartView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "carts"}

    @operation(
        summary="Say that all changes have been seen",
        description="From now on `changes` tells what is not as it is in this answer.",
        responses={200: serializers.Cart},
        errors=_GONE,
        etag=True,
    )
    def post(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        return self.show(_read(cart_id, self.shopper), seen=True)


class Problems(CartView):
    scopes = {"GET": PUBLIC}
    rate = {"GET": "carts"}

    @operation(
        summary="List what keeps a cart from being checked out",
        description=(
            "By the checks of the checkout itself, as things stand. Nothing is promised: what is "
            "in stock now may be gone a moment later."
        ),
        responses={200: serializers.Problems},
        errors=_GONE,
    )
    def get(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        shopper = self.shopper
        shown = queries.priced(
            _read(cart_id, shopper),
            customer_id=shopper.id,
            customer_group=shopper.group,
            now=clock.now(),
        )
        items = [serializers.Problem.of(problem) for problem in shown.problems]
        return self.answer(serializers.Problems(items=items), headers=NOT_STORED)


class ShippingOptions(CartView):
    scopes = {"GET": PUBLIC}
    rate = {"GET": "carts"}

    @operation(
        summary="List the shipping methods that a cart can choose from",
        responses={200: serializers.ShippingOptions},
        errors=_GONE,
    )
    def get(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        shopper = self.shopper
        cart = _read(cart_id, shopper)
        options = queries.shipping_options(
            cart, customer_id=shopper.id, customer_group=shopper.group, now=clock.now()
        )
        items = [serializers.Shipping.of(option.price, cart.currency) for option in options]
        return self.answer(serializers.ShippingOptions(items=items), headers=NOT_STORED)


class CartHold(CartView):
    scopes = {"POST": PUBLIC, "DELETE": PUBLIC}
    rate = dict.fromkeys(scopes, "carts")
    # The last of something may be taken, or be there again.
    changes_what_is_shown = True

    @operation(
        summary="Have what is in a cart held for a while",
        description=(
            "All of it or nothing; until `held_until`, or until it is checked out. Whoever changes "
            "the cart afterwards asks again."
        ),
        responses={200: serializers.Cart},
        errors=[*_GONE, errors.CartFrozen, errors.CartEmpty, *_UNSOLD, errors.OutOfStock],
        etag=True,
    )
    def post(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        return self.show(services.hold(cart_id=cart_id, shopper=self.shopper, now=clock.now()))

    @operation(
        summary="Let go what is held for a cart",
        responses={200: serializers.Cart},
        errors=_GONE,
        etag=True,
    )
    def delete(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        return self.show(
            services.release_hold(cart_id=cart_id, shopper=self.shopper, now=clock.now())
        )


class Merge(CartView):
    scopes = {"POST": AUTHENTICATED}
    rate = {"POST": "carts"}
    # What was held is let go where it is not held for the caller's cart.
    changes_what_is_shown = True

    @operation(
        summary="Put a guest's cart into the caller's own",
        description=(
            "To be called after signing in, with the id of the guest's cart. The answer is the "
            "caller's cart; the guest's is no more. What was held for the guest is held for it, "
            "with the rest of it, until the later of both holds would have ended; `problems` says "
            "of what there is not enough. Harmless to repeat: it is merged once."
        ),
        responses={200: serializers.Cart},
        errors=[*_REFUSALS, errors.CartNotMergeable],
        etag=True,
    )
    def post(self, request: HttpRequest, cart_id: UUID) -> HttpResponse:
        cart = merging.merge(
            source_id=cart_id,
            customer_id=self.actor.id,
            customer_group=self.shopper.group,
            now=clock.now(),
        )
        return self.show(cart, headers={"Content-Location": f"/api/v1/carts/{cart.id}"})


def _read(cart_id: UUID, shopper: Shopper) -> Cart:
    return services.read(cart_id=cart_id, shopper=shopper, now=clock.now())


def _note(note: Any) -> str | None:
    return None if note is UNSET else note


def _text(value: Any) -> str:
    """A field as the store keeps it: text, the list of coupons as JSON, nothing as nothing."""
    if isinstance(value, list):
        return _encode(pricing.distinct_coupons(value)).decode() if value else ""
    return value or ""
