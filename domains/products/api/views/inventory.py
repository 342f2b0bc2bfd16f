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


class InventoryList(APIView):
    scopes = {"GET": "inventory.read"}

    @operation(
        summary="List the stock, by SKU",
        description=(
            "`sku` is the beginning of the SKU. `warehouse` leaves what lies there, `low` what is "
            "at its threshold or below, `backordered` what is promised beyond what there is, "
            "`short` what is promised beyond its limit of backorders as well."
        ),
        query=serializers.InventoryQuery,
        responses={200: PageOf[serializers.Inventory]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.InventoryQuery)
        found = page(
            queries.inventory(
                prefix=query.sku,
                warehouse=query.warehouse,
                low=query.low,
                short=query.short,
                backordered=query.backordered,
            ),
            query.cursor,
            query.limit,
            order=("sku",),
            filters=query,
        )
        return self.answer_page(found, serializers.Inventory.of_item)


class Shortages(APIView):
    scopes = {"GET": "inventory.read"}

    @operation(
        summary="List what is promised beyond what there is and may be backordered",
        description=(
            "An honest count may fall below what is held. Nothing is taken from anybody by "
            "itself: staff buy more, or disappoint somebody. Backorders within their limit are no "
            "shortage: `GET /inventory?backordered=true` lists what waits for goods."
        ),
        query=serializers.ShortagesQuery,
        responses={200: PageOf[serializers.ShortItem]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ShortagesQuery)
        found = page(
            queries.inventory(short=True),
            query.cursor,
            query.limit,
            order=("sku",),
            filters=query,
        )
        return self.answer_page(found, serializers.ShortItem.of)


class Inventory(APIView):
    scopes = {"GET": "inventory.read", "PUT": "inventory.write", "PATCH": "inventory.write"}

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
            "The stock becomes `on_hand` if it still is `change_from`; else 409 `stock_changed`, "
            "with the current value in `errors[].current`. With `warehouse` both are about that "
            "place. Without, about the total, which is refused where it lies in several places. "
            "An honest count may be less than what is held: the missing is reported and nothing "
            "is taken from anybody."
        ),
        body=serializers.CountStock,
        responses={200: serializers.Inventory},
        errors=[
            errors.VariantNotFound,
            errors.StockChanged,
            errors.SeveralWarehouses,
            errors.UnknownWarehouse,
            errors.WarehouseInactive,
            errors.InvalidQuantity,
        ],
        examples={
            "all there is": {"on_hand": 47, "change_from": 50, "reason": "stocktaking"},
            "in one place": {"on_hand": 12, "change_from": 10, "warehouse": "main"},
        },
    )
    def put(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.CountStock)
        services.count_stock(
            sku=sku,
            on_hand=body.on_hand,
            change_from=body.change_from,
            reason=body.reason,
            warehouse=body.warehouse,
            actor_id=self.actor.id,
            now=clock.now(),
        )
        return self.answer(serializers.Inventory.of(queries.inventory_of(sku)))

    @operation(
        summary="Set the backorder limit or the threshold of low stock",
        description=(
            "Of every setting that is sent, `change_from` says what the caller believes it to be. "
            "What differs is refused with 409 `stock_changed` and the current value."
        ),
        body=serializers.ConfigureStock,
        responses={200: serializers.Inventory},
        errors=[errors.VariantNotFound, errors.StockChanged],
        examples={
            "sell ten more than there are": {
                "backorder_limit": 10,
                "change_from": {"backorder_limit": 0},
            },
            "tell when five are left": {
                "low_stock_threshold": 5,
                "change_from": {"low_stock_threshold": None},
            },
        },
    )
    def patch(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.ConfigureStock)
        services.configure_stock(
            sku=sku,
            settings=serializers.settings_of(body),
            change_from=serializers.settings_of(body.change_from),
            reason=body.reason,
            actor_id=self.actor.id,
            now=clock.now(),
        )
        return self.answer(serializers.Inventory.of(queries.inventory_of(sku)))


class StockAdjustments(APIView):
    scopes = {"POST": "inventory.write"}

    @operation(
        summary="Add to the stock of a SKU, or take away",
        description="In the main warehouse, unless `warehouse` names another one.",
        body=serializers.AdjustStock,
        responses={201: serializers.Inventory},
        errors=[
            errors.VariantNotFound,
            errors.NegativeStock,
            errors.InvalidQuantity,
            errors.UnknownWarehouse,
            errors.WarehouseInactive,
        ],
        idempotency="accepted",
        examples={
            "a delivery": {"delta": 50, "reason": "delivery"},
            "breakage elsewhere": {"delta": -2, "reason": "broken", "warehouse": "main"},
        },
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
                    warehouse=body.warehouse,
                    actor_id=self.actor.id,
                    now=clock.now(),
                    idempotency=key,
                ).pk
            ),
        )
        return _created(self, sku, headers)


class StockTransfers(APIView):
    scopes = {"POST": "inventory.write"}

    @operation(
        summary="Carry goods from one warehouse to another",
        description="What can be promised stays as it is.",
        body=serializers.TransferStock,
        responses={201: serializers.Inventory},
        errors=[
            errors.VariantNotFound,
            errors.NegativeStock,
            errors.InvalidQuantity,
            errors.SameWarehouse,
            errors.UnknownWarehouse,
            errors.WarehouseInactive,
        ],
        idempotency="accepted",
        examples={
            "to the shop": {"quantity": 6, "from_warehouse": "main", "to_warehouse": "leeds"}
        },
    )
    def post(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.TransferStock)
        _, headers = once(
            self.idempotency(request, body),
            lambda key: (
                services.transfer_stock(
                    sku=sku,
                    quantity=body.quantity,
                    from_warehouse=body.from_warehouse,
                    to_warehouse=body.to_warehouse,
                    reason=body.reason,
                    actor_id=self.actor.id,
                    now=clock.now(),
                    idempotency=key,
                ).pk
            ),
        )
        return _created(self, sku, headers)


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


def _created(view: APIView, sku: str, headers: dict[str, str]) -> HttpResponse:
    return view.answer(
        serializers.Inventory.of(queries.inventory_of(sku)),
        status=201,
        headers={"Location": reverse("inventory", kwargs={"sku": sku}), **headers},
    )
