"""The inventory routes: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import inventory as serializers
from domains.products.queries import stock as queries
from domains.products.services import inventory as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation


class Inventory(APIView):
    scopes = {"GET": "inventory.read", "PUT": "inventory.write"}

    @operation(
        summary="Read the stock of a SKU",
        responses={200: serializers.Inventory},
        errors=[errors.VariantNotFound],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        return self.answer(serializers.Inventory.of(queries.inventory_of(sku)))

    @operation(
        summary="Record a count",
        description=(
            "The stock becomes `on_hand` if it still is `change_from`. An honest count may be less "
            "than what is held: the missing is reported and nothing is taken from anybody."
        ),
        body=serializers.CountStock,
        responses={200: serializers.Inventory},
        errors=[errors.VariantNotFound, errors.StockChanged, errors.NegativeStock],
    )
    def put(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.CountStock)
        services.count_stock(
            sku=sku,
            on_hand=body.on_hand,
            change_from=body.change_from,
            reason=body.reason,
            actor_id=self.actor.id,
            now=clock.now(),
        )
        return self.answer(serializers.Inventory.of(queries.inventory_of(sku)))


class StockAdjustments(APIView):
    scopes = {"POST": "inventory.write"}

    @operation(
        summary="Add to the stock of a SKU, or take away",
        body=serializers.AdjustStock,
        responses={201: serializers.Inventory},
        errors=[errors.VariantNotFound, errors.NegativeStock, errors.InvalidQuantity],
        idempotency="accepted",
        examples={"a delivery": {"delta": 50, "reason": "delivery"}},
    )
    def post(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.AdjustStock)
        _, headers = once(
            self.idempotency(request, body),
            lambda key: (
                services.adjust_stock(
                    sku=sku,
                    delta=body.delta,
                    reason=body.reason,
                    actor_id=self.actor.id,
                    now=clock.now(),
                    idempotency=key,
                ).pk
            ),
        )
        return self.answer(
            serializers.Inventory.of(queries.inventory_of(sku)),
            status=201,
            headers={"Location": reverse("inventory", kwargs={"sku": sku}), **headers},
        )


class StockMovements(APIView):
    scopes = {"GET": "inventory.read"}

    @operation(
        summary="Read the ledger of a SKU, the newest movement first",
        query=serializers.MovementsQuery,
        responses={200: PageOf[serializers.Movement]},
        errors=[errors.VariantNotFound],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        query = self.query(serializers.MovementsQuery)
        found = page(
            queries.movements_of(sku),
            query.cursor,
            query.limit,
            order=("-id",),
            filters=query,
        )
        return self.answer_page(found, serializers.Movement.of)
