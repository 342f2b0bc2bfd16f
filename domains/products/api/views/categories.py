"""The routes of categories: translate, make one call, translate back."""

from __future__ import annotations

from uuid import UUID
from zlib import crc32

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import categories as serializers
from domains.products.api.serializers.fields import given
from domains.products.queries import categories as queries
from domains.products.services import categories as services
from infrastructure import clock
from infrastructure.auth.permissions import PUBLIC
from infrastructure.http.views import APIView, operation


class Categories(APIView):
    scopes = {"GET": PUBLIC, "POST": "catalogue.write"}

    @operation(summary="Read the tree of categories", responses={200: serializers.Categories})
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer(serializers.Categories.of(queries.category_tree()))

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
        category_id, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_category(
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
        body = given(self.body(serializers.EditCategory))
        services.edit_category(
            category_id=category_id,
            version=self.if_match(request),
            name=body.get("name"),
            parent=body.get("parent"),
            to_root="parent" in body and body["parent"] is None,
        )
        return _answer_category(self, category_id)


def _answer_category(
    view: APIView,
    category_id: UUID,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    node = queries.category_of(category_id)
    if node is None:
        raise errors.CategoryNotFound(f"There is no category {category_id}.")
    category = serializers.Category.of(node)
    rest = crc32(msgspec.json.encode(category.children))
    return view.answer(category, status=status, etag=f"{node.version}-{rest:08x}", headers=headers)
