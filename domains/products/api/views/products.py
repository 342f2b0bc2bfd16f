"""The routes of products: translate, make one call, translate back."""

from __future__ import annotations

from zlib import crc32

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import currency_of, once
from domains.products.api.serializers import listing as listing_serializers
from domains.products.api.serializers import products as serializers
from domains.products.api.serializers.fields import InCurrency, given
from domains.products.queries import listing as listing_queries
from domains.products.queries import products as queries
from domains.products.services import products as services
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation

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
        query=listing_serializers.ListProducts,
        responses={200: PageOf[listing_serializers.ListedProduct]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(listing_serializers.ListProducts)
        currency = currency_of(query.currency)
        found = page(
            lambda after, limit: listing_queries.products_listed(
                q=query.q,
                category=query.category,
                currency=currency,
                sort=query.sort,
                after=after,
                limit=limit,
            ),
            query.cursor,
            query.limit,
            order=listing_queries.ORDERS[query.sort],
            filters=query,
        )
        return self.answer_page(found, listing_serializers.ListedProduct.of)

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
        product_id, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_product(
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
        query=InCurrency,
        responses={200: serializers.Product},
        errors=[errors.ProductNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        query = self.query(InCurrency)
        actor = self.actor
        return _answer_product(
            self,
            id_or_slug,
            currency=currency_of(query.currency),
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
        product_id = queries.product_id_of(id_or_slug)
        services.edit_product(
            product_id=product_id,
            version=self.if_match(request),
            now=clock.now(),
            **given(body),
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
        services.archive_product(
            product_id=queries.product_id_of(id_or_slug),
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer(status=204)


def _answer_product(
    view: APIView,
    id_or_slug: str,
    *,
    currency: str | None = None,
    hidden_too: bool = True,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    shown = queries.product_shown(
        id_or_slug, currency=currency or settings.DEFAULT_CURRENCY, hidden_too=hidden_too
    )
    product = serializers.Product.of(shown)
    # Prices and availability are other aggregates: the product's version alone would not tell.
    rest = crc32(msgspec.json.encode((product.variants, product.categories)))
    return view.answer(product, status=status, etag=f"{shown.version}-{rest:08x}", headers=headers)
