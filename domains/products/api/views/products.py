"""The routes of products: translate, make one call, translate back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zlib import crc32

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from msgspec import UNSET

from domains.products import errors
from domains.products.api.parameters import (
    Elsewhere,
    currency_of,
    locale_of,
    moved,
    next_change,
    once,
    prices_of,
)
from domains.products.api.serializers import listing as listing_serializers
from domains.products.api.serializers import products as serializers
from domains.products.api.serializers.fields import given
from domains.products.queries import products as queries
from domains.products.queries.categories import Moved
from domains.products.queries.search.port import (
    ORDERS,
    ListedProduct,
    UnknownFilters,
    search_engine,
)
from domains.products.rules import tags
from domains.products.services import products as services
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.http.cached import Audience, Built, answer_cached, audience_of, sees_more
from infrastructure.http.decoding import decode_query
from infrastructure.http.pagination import page
from infrastructure.http.views import APIView, operation

_NEW_PRODUCT = {
    "name": "White hanging heart t-light holder",
    "status": "active",
    "variants": [{"sku": "85123A", "price": {"amount": "2.55", "currency": "GBP"}}],
}
_NEW_PRODUCT_OF_A_TYPE = {
    "name": "Travel mug",
    "status": "active",
    "product_type": "mug",
    "attributes": {"material": "steel", "dishwasher_safe": True, "released": "2026-03-31"},
    "categories": ["kitchen"],
    "texts": {"de": {"name": "Reisebecher"}},
    "variants": [
        {
            "sku": "MUG-RED",
            "price": {"amount": "12.50", "currency": "GBP"},
            "options": {"colour": "red"},
            "barcode": "4006381333931",
            "weight_g": 310,
        },
        {
            "sku": "MUG-BLUE",
            "price": {"amount": "12.50", "currency": "GBP"},
            "options": {"colour": "blue"},
        },
    ],
}
# What a change of a product, or of a variant of it, is refused for.
REFUSED_CHANGES = [
    errors.ProductArchived,
    errors.VariantNotFound,
    errors.LastVariant,
    errors.InvalidProduct,
    errors.ExternalIdTaken,
]


class Products(APIView):
    scopes = {"GET": PUBLIC, "POST": "catalogue.write"}
    rate = {"GET": "search"}
    is_cached = True

    @operation(
        summary="List and search products on sale",
        description="Beside the parameters below: `attr.<code>=red,blue` chooses values of an"
        " attribute that can be filtered by, or of an option of variants; one of them has to be"
        " there. `attr.<code>_min` and `attr.<code>_max` bound a number or a date. What is asked of"
        " variants, `available` among it, is true of one and the same. Nothing else is known: any"
        " other parameter is refused.",
        query=listing_serializers.ListProducts,
        responses={200: listing_serializers.ProductList},
        errors=[errors.UnknownChannel],
        etag=True,
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self._filtered()
        audience = audience_of(
            request,
            currency=currency_of(query.currency),
            locale=locale_of(query.locale),
            channel=query.channel,
        )
        return answer_cached(
            self,
            context="products",
            audience=audience,
            build=lambda: self._list(query, audience),
        )

    def _list(self, query: listing_serializers.FilteredList, audience: Audience) -> Built:
        prices = prices_of(
            currency=audience.currency,
            channel=audience.channel,
            actor=self.actor,
            now=clock.now(),
        )
        criteria = query.criteria(locale=audience.locale, currency=prices.currency)
        wanted = query.facets_wanted()
        counted = []

        def products(after: Sequence[Any] | None, limit: int) -> Sequence[ListedProduct]:
            found = search_engine().search(
                criteria,
                sort=query.order,
                after=after,
                limit=limit,
                prices=prices,
                facets=wanted,
            )
            counted.append(found.facets)
            return found.products

        try:
            found = page(
                products,
                query.cursor,
                query.limit,
                order=ORDERS[query.order],
                filters=query.bound(),
            )
        except UnknownFilters as unknown:
            raise listing_serializers.refusal_of(unknown, query.attributes) from unknown
        facets = counted[0]
        return Built(
            value=listing_serializers.ProductList(
                items=[listing_serializers.ListedProduct.of(item) for item in found.items],
                next=found.next,
                facets=UNSET
                if facets is None or wanted is None
                else listing_serializers.Facets.of(facets, wanted, prices.currency),
            ),
            tags=[*query.tags, *tags.of_products(item.id for item in found.items)],
            changes_at=next_change(price for item in found.items for price in item.prices),
            headers=self.link_to(found),
        )

    def _filtered(self) -> listing_serializers.FilteredList:
        """The parameters; those of attributes apart, since no type can name them."""
        given = dict(self.request.GET.lists())
        attributes = {
            name: given.pop(name)
            for name in [*given]
            if name.startswith(listing_serializers.ATTRIBUTE)
        }
        query = decode_query(given, listing_serializers.ListProducts)
        return listing_serializers.FilteredList(
            **{name: getattr(query, name) for name in query.__struct_fields__},
            attributes=attributes,
        )

    @operation(
        summary="Create a product",
        description="Every SKU gets an empty stock item. All that is wrong with attributes and"
        " options is told in one answer.",
        body=serializers.CreateProduct,
        responses={201: serializers.Product},
        errors=[
            errors.NothingToSell,
            errors.InvalidProduct,
            errors.InvalidSlug,
            errors.NegativePrice,
            errors.UnknownCategory,
            errors.UnknownLocale,
            errors.UnknownProductType,
            errors.SkuTaken,
            errors.SlugTaken,
            errors.ExternalIdTaken,
        ],
        idempotency="accepted",
        etag=True,
        examples={"one variant": _NEW_PRODUCT, "of a type": _NEW_PRODUCT_OF_A_TYPE},
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
        return answer_product(
            self, product_id, status=201, headers={"Location": location, **headers}
        )


class ProductDetail(APIView):
    scopes = {"GET": PUBLIC, "PATCH": "catalogue.write", "DELETE": "catalogue.write"}
    is_cached = True
    sees_more = frozenset({"catalogue.read"})

    @operation(
        summary="Read a product by its id or its slug",
        description="Or by `external:` and its external id. A slug that it had before is"
        " redirected to the one it has. What is not on sale is shown to staff with"
        " `catalogue.read` only. Retired variants are not shown.",
        query=serializers.ReadProduct,
        responses={200: serializers.Product, 301: None},
        errors=[errors.ProductNotFound, errors.UnknownChannel],
        etag=True,
    )
    def get(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        query = self.query(serializers.ReadProduct)
        actor = self.actor
        sees_drafts = sees_more(actor, self.sees_more)
        audience = audience_of(
            request,
            currency=currency_of(query.currency),
            locale=locale_of(query.locale),
            channel=query.channel,
        )

        def build() -> Built:
            prices = prices_of(
                currency=audience.currency,
                channel=audience.channel,
                actor=actor,
                now=clock.now(),
            )
            shown = queries.product_shown(
                id_or_slug, prices=prices, locale=audience.locale, hidden_too=sees_drafts
            )
            if isinstance(shown, Moved):
                raise Elsewhere(reverse("product", kwargs={"id_or_slug": shown.slug}))
            return Built(
                value=serializers.Product.of(shown),
                tags=[
                    tags.PRICE_LISTS,
                    tags.CATEGORIES,
                    tags.TYPES,
                    *tags.of_products([shown.id]),
                ],
                version=shown.product.version,
                changes_at=next_change(variant.price for variant in shown.variants),
            )

        try:
            return answer_cached(self, context="products", audience=audience, build=build)
        except Elsewhere as elsewhere:
            return moved(self, elsewhere.path)

    @operation(
        summary="Change a product",
        description="The slug stays when the name changes. `archived` is final, as DELETE is.",
        body=serializers.EditProduct,
        responses={200: serializers.Product},
        errors=[
            errors.ProductNotFound,
            *REFUSED_CHANGES,
            errors.InvalidSlug,
            errors.SlugTaken,
            errors.UnknownCategory,
            errors.UnknownLocale,
            errors.UnknownProductType,
        ],
        if_match="required",
        etag=True,
        examples={
            "name and attributes": {"name": "Mug", "attributes": {"material": "glass"}},
            "another slug": {"slug": "travel-mug"},
            "an option for all": {
                "variants": {
                    "MUG-RED": {"options": {"size": "0.3 l"}},
                    "MUG-BLUE": {"options": {"size": "0.3 l"}},
                }
            },
        },
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
        return answer_product(self, product_id)

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


def answer_product(
    view: APIView, product_id: UUID, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    """The product as whoever changed it sees it."""
    shown = queries.product_shown(
        str(product_id),
        prices=prices_of(currency=None, actor=view.actor, now=clock.now()),
        locale=locale_of(None),
        hidden_too=True,
    )
    assert not isinstance(shown, Moved)
    return _answer(view, shown, status=status, headers=headers)


def _answer(
    view: APIView,
    shown: queries.ProductDetail,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    product = serializers.Product.of(shown)
    # Prices, availability and categories are other aggregates, and locales differ: the product's
    # version alone would not tell.
    tag = f"{shown.product.version}-{crc32(msgspec.json.encode(product)):08x}"
    return view.answer(product, status=status, etag=tag, headers=headers)
