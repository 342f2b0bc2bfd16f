"""The routes of shipping methods: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.pricing import errors
from domains.pricing.api.parameters import currency_of, once
from domains.pricing.api.serializers import shipping as serializers
from domains.pricing.models import ShippingMethod
from domains.pricing.queries import quoting
from domains.pricing.queries import staff as queries
from domains.pricing.rules.quotes import QuoteRequest
from domains.pricing.services import shipping as services
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation


class ShippingMethods(APIView):
    scopes = {"GET": PUBLIC}

    @operation(
        summary="List the shipping methods that go somewhere",
        description=(
            "With their prices for the lightest and least expensive goods; a quote or a cart "
            "tells what is paid."
        ),
        query=serializers.WantShipping,
        responses={200: serializers.ShippingOptions},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.WantShipping)
        currency = currency_of(query.currency, pointer="?currency")
        options = quoting.shipping_options(
            QuoteRequest(
                lines=(),
                currency=currency,
                country=query.country,
                region=query.region,
                postcode=query.postcode,
                channel=query.channel,
            ),
            now=clock.now(),
        )
        items = [serializers.ShippingOption.of(one, currency=currency) for one in options]
        return self.answer(serializers.ShippingOptions(items=items))


class ShippingTermsList(APIView):
    scopes = {"GET": "pricing.read", "POST": "pricing.write"}

    @operation(
        summary="List the terms of the shipping methods",
        query=serializers.ListShippingTerms,
        responses={200: PageOf[serializers.ShippingTerms]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ListShippingTerms)
        found = page(
            queries.shipping_methods(archived=query.archived),
            query.cursor,
            query.limit,
            order=("position", "code"),
            filters=query,
        )
        return self.answer_page(found, serializers.ShippingTerms.of)

    @operation(
        summary="Create a shipping method",
        body=serializers.CreateShippingTerms,
        responses={201: serializers.ShippingTerms},
        errors=[errors.ShippingMethodTaken, errors.InvalidShippingMethod],
        idempotency="accepted",
        etag=True,
        examples={
            "flat, and free from an amount on": {
                "code": "express",
                "name": "Express",
                "kind": "flat",
                "rates": {"GBP": {"price": "4.95", "free_from": "50.00"}},
                "position": 1,
            },
            "by weight, to two countries": {
                "code": "parcel",
                "name": "Parcel",
                "kind": "weight",
                "rates": {
                    "EUR": {
                        "tiers": [
                            {"up_to_g": 2000, "price": "5.49"},
                            {"up_to_g": 31500, "price": "9.99"},
                        ]
                    }
                },
                "countries": ["AT", "DE"],
            },
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateShippingTerms)
        _, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_shipping_method(
                code=body.code,
                name=body.name,
                kind=body.kind,
                rates=serializers.rates_of(body.rates),
                tax_class=body.tax_class,
                countries=body.countries,
                channels=body.channels,
                not_to=body.not_to,
                position=body.position,
                active=body.active,
                now=clock.now(),
                idempotency=key,
            ),
        )
        location = reverse("shipping-terms", kwargs={"code": body.code})
        found = queries.shipping_method_of(body.code)
        return _answer(self, found, status=201, headers={"Location": location, **headers})


class ShippingTerms(APIView):
    scopes = {"GET": "pricing.read", "PATCH": "pricing.write"}

    @operation(
        summary="Read the terms of a shipping method",
        responses={200: serializers.ShippingTerms},
        errors=[errors.ShippingMethodNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        return _answer(self, queries.shipping_method_of(code))

    @operation(
        summary="Change a shipping method",
        description="Its code stays. Prices are replaced as a whole.",
        body=serializers.EditShippingTerms,
        responses={200: serializers.ShippingTerms},
        errors=[errors.ShippingMethodNotFound, errors.InvalidShippingMethod, errors.Archived],
        if_match="required",
        etag=True,
        examples={"not offered for now": {"active": False}},
    )
    def patch(self, request: HttpRequest, code: str) -> HttpResponse:
        body = self.body(serializers.EditShippingTerms)
        found = services.edit_shipping_method(
            code=code, version=self.if_match(request), now=clock.now(), **body.changes()
        )
        return _answer(self, found)


class ShippingTermsArchive(APIView):
    scopes = {"POST": "pricing.write"}

    @operation(
        summary="Archive a shipping method",
        description="It is offered no more, for good; orders that chose it keep it.",
        responses={200: serializers.ShippingTerms},
        errors=[errors.ShippingMethodNotFound, errors.Archived],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        version = self.if_match(request)
        _, headers = once(
            self.idempotency(request, None),
            lambda key: (
                services.archive_shipping_method(
                    code=code, version=version, now=clock.now(), idempotency=key
                ).id
            ),
        )
        return _answer(self, queries.shipping_method_of(code), headers=headers)


def _answer(
    view: APIView,
    found: ShippingMethod,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    return view.answer(
        serializers.ShippingTerms.of(found), status=status, etag=found.version, headers=headers
    )
