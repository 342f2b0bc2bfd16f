"""The routes of price lists and channels: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import prices as serializers
from domains.products.api.serializers.fields import given
from domains.products.queries import prices as queries
from domains.products.services import price_lists as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf, PageQuery
from infrastructure.http.views import APIView, operation


class PriceLists(APIView):
    scopes = {"GET": "catalogue.read", "POST": "catalogue.write"}

    @operation(
        summary="List the price lists",
        query=PageQuery,
        responses={200: PageOf[serializers.PriceList]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(PageQuery)
        found = page(
            queries.price_lists(), query.cursor, query.limit, order=("code",), filters=query
        )
        return self.answer_page(found, serializers.PriceList.of)

    @operation(
        summary="Create a price list",
        description=(
            "Prices of their own for a channel, a group of customers or a time. Of the lists that "
            "hold for a buyer the one of the highest priority is asked first, and the base last."
        ),
        body=serializers.CreatePriceList,
        responses={201: serializers.PriceList},
        errors=[errors.PriceListTaken, errors.UnknownChannel, errors.InvalidValidity],
        idempotency="accepted",
        etag=True,
        examples={
            "for the trade": {
                "code": "trade",
                "name": "Trade",
                "currency": "GBP",
                "customer_group": "trade",
                "priority": 10,
            }
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreatePriceList)
        _, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_price_list(
                code=body.code,
                name=body.name,
                currency=body.currency,
                channel=body.channel,
                customer_group=body.customer_group or "",
                priority=body.priority,
                valid_from=body.valid_from,
                valid_until=body.valid_until,
                active=body.active,
                idempotency=key,
                now=clock.now(),
            ),
        )
        price_list = queries.price_list_of(body.code)
        location = reverse("price-list", kwargs={"code": price_list.code})
        return self.answer(
            serializers.PriceList.of(price_list),
            status=201,
            etag=str(price_list.version),
            headers={"Location": location, **headers},
        )


class PriceListDetail(APIView):
    scopes = {"GET": "catalogue.read", "PATCH": "catalogue.write"}

    @operation(
        summary="Read a price list",
        responses={200: serializers.PriceList},
        errors=[errors.PriceListNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        price_list = queries.price_list_of(code)
        return self.answer(serializers.PriceList.of(price_list), etag=str(price_list.version))

    @operation(
        summary="Change a price list",
        description="Its code and its currency stay. An inactive list is not asked.",
        body=serializers.EditPriceList,
        responses={200: serializers.PriceList},
        errors=[errors.PriceListNotFound, errors.UnknownChannel, errors.InvalidValidity],
        if_match="required",
        etag=True,
    )
    def patch(self, request: HttpRequest, code: str) -> HttpResponse:
        changes = given(self.body(serializers.EditPriceList))
        if "customer_group" in changes:
            changes["customer_group"] = changes["customer_group"] or ""
        price_list = services.edit_price_list(
            code=code, version=self.if_match(request), now=clock.now(), **changes
        )
        return self.answer(serializers.PriceList.of(price_list), etag=str(price_list.version))


class Channels(APIView):
    scopes = {"GET": "catalogue.read"}

    @operation(summary="List the channels", responses={200: serializers.Channels})
    def get(self, request: HttpRequest) -> HttpResponse:
        items = [serializers.Channel(code=c.code, name=c.name) for c in queries.channels()]
        return self.answer(serializers.Channels(items=items))


class Channel(APIView):
    scopes = {"PUT": "catalogue.write"}

    @operation(
        summary="Make a channel, or name it anew",
        body=serializers.NameChannel,
        responses={200: serializers.Channel},
        errors=[errors.InvalidCode],
    )
    def put(self, request: HttpRequest, code: str) -> HttpResponse:
        body = self.body(serializers.NameChannel)
        channel = services.name_channel(code=code, name=body.name)
        return self.answer(serializers.Channel(code=channel.code, name=channel.name))
