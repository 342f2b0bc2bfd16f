"""The product and inventory routes: translate, make one call, translate back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID
from zlib import crc32

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api import serializers
from domains.products.queries import catalogue as catalogue_queries
from domains.products.queries import stock as stock_queries
from domains.products.services import catalogue, inventory
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError, FieldError
from infrastructure.http import idempotency
from infrastructure.http.decoding import InvalidParameters
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.pagination import page
from infrastructure.http.types import Money, PageOf
from infrastructure.http.views import APIView, operation
from infrastructure.money import InvalidMoney, minor_digits

REPLAYED = {"Idempotency-Replayed": "true"}

_NEW_PRODUCT = {
    "name": "White hanging heart t-light holder",
    "status": "active",
    "variants": [{"sku": "85123A", "price": {"amount": "2.55", "currency": "GBP"}}],
}


class Products(APIView):
    scopes = {"GET": PUBLIC, "POST": "catalogue.write"}
    rate = {"GET": "search"}

    @operation(
        summary="List and search products on sale",
        query=serializers.ListProducts,
        responses={200: PageOf[serializers.ListedProduct]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ListProducts)
        currency = _currency(query.currency)
        found = page(
            lambda after, limit: catalogue_queries.products_listed(
                q=query.q,
                category=query.category,
                currency=currency,
                sort=query.sort,
                after=after,
                limit=limit,
            ),
            query.cursor,
            query.limit,
            order=catalogue_queries.ORDERS[query.sort],
            filters=query,
        )
        return self.answer_page(found, serializers.ListedProduct.of)

    @operation(
        summary="Create a product",
        description="The slug is made from the name. Every SKU gets an empty stock item.",
        body=serializers.CreateProduct,
        responses={201: serializers.Product},
        errors=[
            errors.NothingToSell,
            errors.NegativePrice,
            errors.UnknownCategory,
            errors.SkuTaken,
        ],
        idempotency="accepted",
        etag=True,
        examples={"one variant": _NEW_PRODUCT},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateProduct)
        product_id, headers = _once(
            self.idempotency(request, body),
            lambda key: catalogue.create_product(
                product=body.to_new(),
                actor_id=self.actor.id,
                now=clock.now(),
                idempotency=key,
            ),
        )
        location = reverse("product", kwargs={"id_or_slug": str(product_id)})
        return _answer_product(
            self, str(product_id), status=201, headers={"Location": location, **headers}
        )


class ProductDetail(APIView):
    scopes = {"GET": PUBLIC, "PATCH": "catalogue.write", "DELETE": "catalogue.write"}

    @operation(
        summary="Read a product by its id or its slug",
        description="What is not on sale is shown to staff with `catalogue.read` only.",
        query=serializers.InCurrency,
        responses={200: serializers.Product},
        errors=[errors.ProductNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        query = self.query(serializers.InCurrency)
        actor = self.actor
        return _answer_product(
            self,
            id_or_slug,
            currency=_currency(query.currency),
            hidden_too=actor is not None and actor.may("catalogue.read"),
        )

    @operation(
        summary="Change a product",
        description="The slug stays when the name changes. `archived` is final, as DELETE is.",
        body=serializers.EditProduct,
        responses={200: serializers.Product},
        errors=[errors.ProductNotFound, errors.ProductArchived, errors.UnknownCategory],
        if_match="required",
        etag=True,
    )
    def patch(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        body = self.body(serializers.EditProduct)
        product_id = catalogue_queries.product_id_of(id_or_slug)
        catalogue.edit_product(
            product_id=product_id,
            version=self.if_match(request),
            now=clock.now(),
            **serializers.given(body),
        )
        return _answer_product(self, str(product_id))

    @operation(
        summary="Archive a product",
        description="It is sold no more. What was ordered of it stays ordered.",
        responses={204: None},
        errors=[errors.ProductNotFound],
        if_match="accepted",
    )
    def delete(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        catalogue.archive_product(
            product_id=catalogue_queries.product_id_of(id_or_slug),
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer(status=204)


class Categories(APIView):
    scopes = {"GET": PUBLIC, "POST": "catalogue.write"}

    @operation(summary="Read the tree of categories", responses={200: serializers.Categories})
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer(serializers.Categories.of(catalogue_queries.category_tree()))

    @operation(
        summary="Create a category",
        body=serializers.CreateCategory,
        responses={201: serializers.Category},
        errors=[errors.UnknownCategory, errors.CategoryTooDeep],
        idempotency="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateCategory)
        category_id, headers = _once(
            self.idempotency(request, body),
            lambda key: catalogue.create_category(
                name=body.name, parent=body.parent, now=clock.now(), idempotency=key
            ),
        )
        location = reverse("category", kwargs={"category_id": category_id})
        return _answer_category(
            self, category_id, status=201, headers={"Location": location, **headers}
        )


class CategoryDetail(APIView):
    scopes = {"GET": PUBLIC, "PATCH": "catalogue.write"}

    @operation(
        summary="Read a category and what lies below it",
        responses={200: serializers.Category},
        errors=[errors.CategoryNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, category_id: UUID) -> HttpResponse:
        return _answer_category(self, category_id)

    @operation(
        summary="Rename a category, or move it with all below it",
        body=serializers.EditCategory,
        responses={200: serializers.Category},
        errors=[
            errors.CategoryNotFound,
            errors.UnknownCategory,
            errors.CategoryCycle,
            errors.CategoryTooDeep,
        ],
        if_match="required",
        etag=True,
    )
    def patch(self, request: HttpRequest, category_id: UUID) -> HttpResponse:
        body = serializers.given(self.body(serializers.EditCategory))
        catalogue.edit_category(
            category_id=category_id,
            version=self.if_match(request),
            name=body.get("name"),
            parent=body.get("parent"),
            to_root="parent" in body and body["parent"] is None,
        )
        return _answer_category(self, category_id)


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
        price = catalogue.set_price(
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
        currency = _currency(query.currency)
        found = page(
            catalogue_queries.price_history_of(sku, currency=currency),
            query.cursor,
            query.limit,
            order=("-from_at", "-id"),
            filters=query,
        )
        return self.answer_page(
            found, lambda row: serializers.PricePeriod.of(row, currency=currency)
        )


class Inventory(APIView):
    scopes = {"GET": "inventory.read", "PUT": "inventory.write"}

    @operation(
        summary="Read the stock of a SKU",
        responses={200: serializers.Inventory},
        errors=[errors.VariantNotFound],
    )
    def get(self, request: HttpRequest, sku: str) -> HttpResponse:
        return self.answer(serializers.Inventory.of(stock_queries.inventory_of(sku)))

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
        inventory.count_stock(
            sku=sku,
            on_hand=body.on_hand,
            change_from=body.change_from,
            reason=body.reason,
            actor_id=self.actor.id,
            now=clock.now(),
        )
        return self.answer(serializers.Inventory.of(stock_queries.inventory_of(sku)))


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
        _, headers = _once(
            self.idempotency(request, body),
            lambda key: (
                inventory.adjust_stock(
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
            serializers.Inventory.of(stock_queries.inventory_of(sku)),
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
            stock_queries.movements_of(sku),
            query.cursor,
            query.limit,
            order=("-id",),
            filters=query,
        )
        return self.answer_page(found, serializers.Movement.of)


def _once(
    key: IdempotencyKey | None, create: Callable[[IdempotencyKey | None], UUID]
) -> tuple[UUID, dict[str, str]]:
    """What `create` made, or what an earlier request with the same key did; with the headers."""
    if key is None:
        return create(None), {}
    alias = alias_of("products")
    found = idempotency.find(alias, key)
    if found is not None:
        return found, REPLAYED
    try:
        return create(key), {}
    except DomainError:
        # The twin that was faster may show in any refusal: the key is taken, or the SKU is.
        found = idempotency.find(alias, key)
        if found is None:
            raise
        return found, REPLAYED


def _answer_product(
    view: APIView,
    id_or_slug: str,
    *,
    currency: str | None = None,
    hidden_too: bool = True,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    shown = catalogue_queries.product_shown(
        id_or_slug, currency=currency or settings.DEFAULT_CURRENCY, hidden_too=hidden_too
    )
    product = serializers.Product.of(shown)
    # Prices and availability are other aggregates: the product's version alone would not tell.
    rest = crc32(msgspec.json.encode((product.variants, product.categories)))
    return view.answer(product, status=status, etag=f"{shown.version}-{rest:08x}", headers=headers)


def _answer_category(
    view: APIView,
    category_id: UUID,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    node = catalogue_queries.category_of(category_id)
    if node is None:
        raise errors.CategoryNotFound(f"There is no category {category_id}.")
    category = serializers.Category.of(node)
    rest = crc32(msgspec.json.encode(category.children))
    return view.answer(category, status=status, etag=f"{node.version}-{rest:08x}", headers=headers)


def _currency(asked_for: str | None) -> str:
    """Raises InvalidParameters for what is no currency."""
    if asked_for is None:
        return settings.DEFAULT_CURRENCY
    try:
        minor_digits(asked_for)
    except InvalidMoney as error:
        fault = FieldError("?currency", error.code, str(error))
        raise InvalidParameters(errors=[fault]) from error
    return asked_for
