"""The routes of categories: translate, make one call, translate back."""

from __future__ import annotations

from uuid import UUID
from zlib import crc32

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import Elsewhere, locale_of, moved, once
from domains.products.api.serializers import categories as serializers
from domains.products.api.serializers.fields import InLocale, given
from domains.products.queries import categories as queries
from domains.products.queries import products as product_queries
from domains.products.rules import tags
from domains.products.services import categories as services
from domains.products.services import products as product_services
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.http.cached import Audience, Built, answer_cached, audience_of
from infrastructure.http.views import APIView, operation


class Categories(APIView):
    scopes = {"GET": PUBLIC, "POST": "catalogue.write"}
    is_cached = True

    @operation(
        summary="Read the tree of categories",
        description="In the order that staff gave it, with how many products on sale lie in each.",
        query=InLocale,
        responses={200: serializers.Categories},
        etag=True,
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        audience = _audience(self)
        return answer_cached(
            self,
            context="products",
            audience=audience,
            build=lambda: Built(
                value=serializers.Categories.of(queries.category_tree(locale=audience.locale)),
                tags=[tags.CATEGORIES, tags.LISTS],
            ),
        )

    @operation(
        summary="Create a category",
        body=serializers.CreateCategory,
        responses={201: serializers.Category},
        errors=[
            # A repetition of what was deleted since.
            errors.CategoryNotFound,
            errors.UnknownCategory,
            errors.CategoryTooDeep,
            errors.InvalidSlug,
            errors.SlugTaken,
            errors.ExternalIdTaken,
            errors.UnknownLocale,
        ],
        idempotency="accepted",
        etag=True,
        examples={
            "below another": {"name": "Lanterns", "parent": "lights"},
            "in two languages": {"name": "Lights", "texts": {"de": {"name": "Lichter"}}},
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateCategory)
        category_id, headers = once(
            self.idempotency(request, body),
            lambda key: services.add_category(
                category=body.to_new(), now=clock.now(), idempotency=key
            ),
        )
        location = reverse("category", kwargs={"id_or_slug": str(category_id)})
        return _answer_category(
            self, category_id, status=201, headers={"Location": location, **headers}
        )


class CategoryDetail(APIView):
    scopes = {"GET": PUBLIC, "PATCH": "catalogue.write", "DELETE": "catalogue.write"}
    is_cached = True

    @operation(
        summary="Read a category and what lies below it",
        description="By its id, its slug, or `external:` and its external id. A slug that it had"
        " before is redirected to the one it has.",
        query=InLocale,
        responses={200: serializers.Category, 301: None},
        errors=[errors.CategoryNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        audience = _audience(self)

        def build() -> Built:
            shown = queries.category_shown(id_or_slug, locale=audience.locale)
            if isinstance(shown, queries.Moved):
                raise Elsewhere(reverse("category", kwargs={"id_or_slug": shown.slug}))
            return Built(
                value=serializers.Category.of_shown(shown),
                tags=[tags.CATEGORIES, tags.LISTS],
                version=shown.version,
            )

        try:
            return answer_cached(self, context="products", audience=audience, build=build)
        except Elsewhere as elsewhere:
            return moved(self, elsewhere.path)

    @operation(
        summary="Change a category, or move it with all below it",
        description="The slug stays when the name changes.",
        body=serializers.EditCategory,
        responses={200: serializers.Category},
        errors=[
            errors.CategoryNotFound,
            errors.UnknownCategory,
            errors.CategoryCycle,
            errors.CategoryTooDeep,
            errors.InvalidSlug,
            errors.SlugTaken,
            errors.ExternalIdTaken,
            errors.UnknownLocale,
        ],
        if_match="required",
        etag=True,
        examples={
            "below another": {"parent": "lights"},
            "to the top, ahead of another": {"parent": None, "before": "garden"},
            "behind its neighbour": {"after": "garden"},
        },
    )
    def patch(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        body = self.body(serializers.EditCategory)
        category_id = queries.category_id_of(id_or_slug)
        services.edit_category(
            category_id=category_id,
            version=self.if_match(request),
            now=clock.now(),
            **given(body),
        )
        return _answer_category(self, category_id)

    @operation(
        summary="Remove an empty category",
        responses={204: None},
        errors=[errors.CategoryNotFound, errors.CategoryNotEmpty],
        if_match="accepted",
    )
    def delete(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        services.remove_category(
            category_id=queries.category_id_of(id_or_slug), version=self.if_match(request)
        )
        return self.answer(status=204)


class CategoryProducts(APIView):
    scopes = {"PATCH": "catalogue.write"}

    @operation(
        summary="List products in a category, or no more",
        description="Behind the categories that they are in already. A product is named by its id,"
        " its slug, or `external:` and its external id. Those that are archived are left out; where"
        " one does not exist, nothing is changed. Asking again changes nothing.",
        body=serializers.RelistProducts,
        responses={200: serializers.Relisted},
        errors=[errors.CategoryNotFound, errors.UnknownProduct],
        examples={"one more": {"add": ["external:erp-4711"]}},
    )
    def patch(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        body = self.body(serializers.RelistProducts)
        add = {f"/add/{place}": name for place, name in enumerate(body.add)}
        remove = {f"/remove/{place}": name for place, name in enumerate(body.remove)}
        category_id = queries.category_id_of(id_or_slug)
        ids = product_queries.product_ids_at({**add, **remove})
        added, removed = product_services.relist_products(
            category_id=category_id,
            add=[ids[place] for place in add],
            remove=[ids[place] for place in remove],
            now=clock.now(),
        )
        return self.answer(serializers.Relisted(added=added, removed=removed))


def _audience(view: APIView) -> Audience:
    """Categories have no prices, so all that matters is the language."""
    return audience_of(
        view.request,
        currency=settings.DEFAULT_CURRENCY,
        locale=locale_of(view.query(InLocale).locale),
        channel=None,
    )


def _answer_category(
    view: APIView, category_id: UUID, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    shown = queries.category_shown(str(category_id), locale=locale_of(None))
    assert not isinstance(shown, queries.Moved)
    return _answer(view, shown, status=status, headers=headers)


def _answer(
    view: APIView,
    shown: queries.CategoryShown,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    category = serializers.Category.of_shown(shown)
    # What lies in it and above it are other aggregates: its version alone would not tell.
    tag = f"{shown.version}-{crc32(msgspec.json.encode(category)):08x}"
    return view.answer(category, status=status, etag=tag, headers=headers)
