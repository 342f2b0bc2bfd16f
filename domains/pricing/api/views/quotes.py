"""The route of quotes: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.pricing import errors
from domains.pricing.api.parameters import currency_of
from domains.pricing.api.serializers import quotes as serializers
from domains.pricing.queries.storefront import Wanted, quote_of
from domains.pricing.rules.quotes import QuoteRequest
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.http.views import APIView, operation


class Quotes(APIView):
    scopes = {"POST": PUBLIC}

    @operation(
        summary="Ask what goods come to",
        description=(
            "With shipping, tax, promotions and coupons, for whoever calls. Nothing is kept, and "
            "nothing is promised: prices and coupons count when the order is placed. Requests that "
            "name coupons have a limit of their own."
        ),
        body=serializers.AskQuote,
        responses={200: serializers.Quote},
        errors=[errors.UnknownChannel],
        examples={
            "two lanterns to Leeds": {
                "items": [{"sku": "85123A", "quantity": 2}],
                "country": "GB",
                "postcode": "LS1 1AA",
                "coupons": ["WELCOME10"],
            }
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.AskQuote)
        # Nobody, where there is no token.
        actor = self.actor if request.user else None
        if body.coupons:
            self.charge("coupons")
        currency = currency_of(
            None if body.currency is UNSET else body.currency, pointer="/currency"
        )
        wanted = [Wanted(sku=item.sku, quantity=item.quantity) for item in body.items]
        asked = QuoteRequest(
            lines=(),
            currency=currency,
            country=None if body.country is UNSET else body.country,
            region=body.region,
            postcode=body.postcode,
            shipping_method=None if body.shipping_method is UNSET else body.shipping_method,
            coupons=tuple(body.coupons),
            customer_id=None if actor is None else actor.id,
            customer_group=None if actor is None else actor.customer_group,
            channel=None if body.channel is UNSET else body.channel,
        )
        quote = quote_of(wanted, asked, now=clock.now())
        return self.answer(serializers.Quote.of(quote, wanted, currency=currency))
