"""The routes of prices: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from domains.products import errors
from domains.products.api.parameters import currency_of
from domains.products.api.serializers import prices as serializers
from domains.products.queries import prices as queries
from domains.products.services import prices as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import Money, PageOf
from infrastructure.http.views import APIView, operation


class VariantPrice(APIView):
    scopes = {"PUT": "catalogue.write"}

    @operation(
        summary="Set the price of a SKU in a currency",
        body=Money,  # type: ignore[arg-type]
        responses={200: serializers.Price},
        errors=[errors.VariantNotFound, errors.NegativePrice],
    )
    def put(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(Money)
        price = services.set_price(
            sku=sku, money=body.to_money(), actor_id=self.actor.id, now=clock.now()
        )
        return self.answer(serializers.Price.of(price))


class PriceHistory(APIView):
    scopes = {"GET": "catalogue.read"}

    @operation(
        summary="Read what a SKU cost and costs, the newest price first",
        query=serializers.PriceHistoryQuery,
        responses={200: PageOf[serializers.PricePeriod]},
        errors=[errors.VariantNotFound],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        query = self.query(serializers.PriceHistoryQuery)
        currency = currency_of(query.currency)
        found = page(
            queries.price_history_of(sku, currency=currency),
            query.cursor,
            query.limit,
            order=("-from_at", "-id"),
            filters=query,
        )
        return self.answer_page(
            found, lambda row: serializers.PricePeriod.of(row, currency=currency)
        )
