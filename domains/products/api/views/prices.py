"""The routes of prices: translate, make one call, translate back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.products import errors
from domains.products.api.parameters import currency_of
from domains.products.api.serializers import prices as serializers
from domains.products.queries import prices as queries
from domains.products.services import prices as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation

TIMELINE = timedelta(days=90)


class VariantPrice(APIView):
    scopes = {"PUT": "catalogue.write", "DELETE": "catalogue.write"}

    @operation(
        summary="Set a price of a SKU",
        description=(
            "From now on for everybody and any quantity, or as far as the body says. Of the prices "
            "in force the latest counts for each kind and quantity, and of these the cheapest that "
            "the quantity reaches. The answer is what is asked now."
        ),
        body=serializers.SetPrice,  # type: ignore[arg-type]
        responses={200: serializers.Price},
        errors=[
            errors.VariantNotFound,
            errors.UnknownPriceList,
            errors.NegativePrice,
            errors.InvalidValidity,
            errors.TooManyPrices,
        ],
        examples={
            "from now on": {"amount": "2.55", "currency": "GBP"},
            "a sale": {
                "amount": "1.99",
                "currency": "GBP",
                "kind": "sale",
                "valid_from": "2027-03-01T00:00:00Z",
                "valid_until": "2027-03-08T00:00:00Z",
            },
            "for the trade, from 12 on": {
                "amount": "1.80",
                "currency": "GBP",
                "min_quantity": 12,
                "price_list": "trade",
            },
        },
    )
    def put(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.SetPrice)
        price = services.set_price(
            sku=sku,
            money=body.to_money(),
            kind=body.kind,
            min_quantity=body.min_quantity,
            valid_from=body.valid_from,
            valid_until=body.valid_until,
            price_list=body.price_list,
            actor_id=self.actor.id,
            now=clock.now(),
        )
        return self.answer(serializers.Price.of(queries.price_now(price)))

    @operation(
        summary="Withdraw the price of a SKU",
        description=(
            "From the price list named, or from the base: what is in force and what is scheduled "
            "ends now. The history stays."
        ),
        query=serializers.PriceListChoice,
        responses={204: None},
        errors=[errors.VariantNotFound, errors.UnknownPriceList, errors.PriceNotFound],
    )
    def delete(self, request: HttpRequest, sku: str) -> HttpResponse:
        query = self.query(serializers.PriceListChoice)
        services.withdraw_price(
            sku=sku,
            currency=currency_of(query.currency),
            price_list=query.price_list,
            actor_id=self.actor.id,
            now=clock.now(),
        )
        return self.answer(status=204)


class VariantPrices(APIView):
    scopes = {"GET": "catalogue.read"}

    @operation(
        summary="Explain what a SKU costs",
        description=(
            "Which price applies for a channel, a group of customers, a quantity and an instant, "
            "and why; and of every other that was ever set why it does not."
        ),
        query=serializers.ExplainPrice,
        responses={200: serializers.ExplainedPrice},
        errors=[errors.VariantNotFound, errors.UnknownChannel],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        query = self.query(serializers.ExplainPrice)
        prices = queries.prices_for(
            currency=currency_of(query.currency),
            channel=query.channel,
            customer_group=query.customer_group,
            now=query.at or clock.now(),
        )
        found = queries.price_explained(sku, quantity=query.quantity, prices=prices)
        return self.answer(serializers.ExplainedPrice.of(found))


class PriceEntry(APIView):
    scopes = {"DELETE": "catalogue.write"}

    @operation(
        summary="Cancel a price that was set",
        description="One that is scheduled never comes, one in force ends now.",
        responses={204: None},
        errors=[errors.EntryNotFound, errors.EntryEnded],
    )
    def delete(self, request: HttpRequest, sku: str, entry_id: UUID) -> HttpResponse:
        services.cancel_price(sku=sku, entry_id=entry_id, actor_id=self.actor.id, now=clock.now())
        return self.answer(status=204)


class PriceHistory(APIView):
    scopes = {"GET": "catalogue.read"}

    @operation(
        summary="Read every price that was set for a SKU, the one set last first",
        query=serializers.PriceHistoryQuery,
        responses={200: PageOf[serializers.PriceEntry]},
        errors=[errors.VariantNotFound],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        query = self.query(serializers.PriceHistoryQuery)
        currency = currency_of(query.currency)
        found = page(
            queries.price_history_of(sku, currency=currency, price_list=query.price_list),
            query.cursor,
            query.limit,
            order=("-number",),
            filters=query,
        )
        return self.answer_page(
            found, lambda entry: serializers.PriceEntry.of(entry, currency=currency)
        )


class PriceTimeline(APIView):
    scopes = {"GET": "catalogue.read"}

    @operation(
        summary="Read what one piece of a SKU was really asked for, and will be",
        query=serializers.PriceTimelineQuery,
        responses={200: serializers.PriceTimeline},
        errors=[errors.VariantNotFound],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        query = self.query(serializers.PriceTimelineQuery)
        now, currency = clock.now(), currency_of(query.currency)
        found = queries.price_timeline_of(
            sku,
            currency=currency,
            price_list=query.price_list,
            start=query.from_at or now - TIMELINE,
            end=query.until_at or now + TIMELINE,
        )
        items = [serializers.PricePeriod.of(period, currency=currency) for period in found]
        return self.answer(serializers.PriceTimeline(items=items))
