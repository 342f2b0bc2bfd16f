"""The warehouse routes: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import warehouses as serializers
from domains.products.api.serializers.fields import given
from domains.products.queries import stock as queries
from domains.products.services import warehouses as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation


class Warehouses(APIView):
    scopes = {"GET": "inventory.read", "POST": "inventory.write"}

    @operation(
        summary="List the warehouses",
        query=serializers.WarehousesQuery,
        responses={200: PageOf[serializers.Warehouse]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.WarehousesQuery)
        found = page(
            queries.warehouses(), query.cursor, query.limit, order=("code",), filters=query
        )
        return self.answer_page(found, serializers.Warehouse.of)

    @operation(
        summary="Open a warehouse",
        body=serializers.OpenWarehouse,
        responses={201: serializers.Warehouse},
        errors=[errors.WarehouseExists],
        idempotency="accepted",
        etag=True,
        examples={
            "a second one": {
                "code": "leeds",
                "name": "Leeds, returns",
                "address": "Unit 4, Whitehall Road, Leeds",
            }
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.OpenWarehouse)
        _, headers = once(
            self.idempotency(request, body),
            lambda key: services.open_warehouse(
                code=body.code,
                name=body.name,
                address=body.address,
                now=clock.now(),
                idempotency=key,
            ),
        )
        warehouse = queries.warehouse_of(body.code)
        return self.answer(
            serializers.Warehouse.of(warehouse),
            status=201,
            etag=warehouse.version,
            headers={"Location": reverse("warehouse", kwargs={"code": body.code}), **headers},
        )


class WarehouseDetail(APIView):
    scopes = {"GET": "inventory.read", "PATCH": "inventory.write"}

    @operation(
        summary="Read a warehouse",
        description="What lies in it: `GET /inventory?warehouse=`.",
        responses={200: serializers.Warehouse},
        errors=[errors.WarehouseNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        warehouse = queries.warehouse_of(code)
        return self.answer(serializers.Warehouse.of(warehouse), etag=warehouse.version)

    @operation(
        summary="Change what is said of a warehouse, close it or open it again",
        description=(
            "Only an empty one can be closed, and a closed one takes nothing in. It is never "
            "deleted, since the ledger names it."
        ),
        body=serializers.EditWarehouse,
        responses={200: serializers.Warehouse},
        errors=[
            errors.WarehouseNotFound,
            errors.WarehouseNotEmpty,
            errors.MainWarehouseNeeded,
        ],
        if_match="required",
        etag=True,
        examples={"close it": {"active": False}},
    )
    def patch(self, request: HttpRequest, code: str) -> HttpResponse:
        body = self.body(serializers.EditWarehouse)
        warehouse = services.edit_warehouse(
            code=code, version=self.if_match(request), **given(body)
        )
        return self.answer(serializers.Warehouse.of(warehouse), etag=warehouse.version)
