"""The routes of product types: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from msgspec import UNSET

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import types as serializers
from domains.products.queries import types as queries
from domains.products.services import types as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation

_MUG = {
    "code": "mug",
    "name": "Mug",
    "attributes": [
        {
            "code": "material",
            "name": "Material",
            "names": {"fr": "Matière"},
            "kind": "choice",
            "choices": [
                {"code": "glass", "name": "Glass", "names": {"fr": "Verre"}},
                {"code": "steel", "name": "Steel", "names": {"fr": "Acier"}},
            ],
            "required": True,
            "filterable": True,
        },
        {"code": "capacity", "name": "Capacity", "kind": "number", "unit": "ml"},
        {"code": "dishwasher_safe", "name": "Dishwasher safe", "kind": "boolean"},
        {"code": "released", "name": "Released", "kind": "date"},
    ],
}


class ProductTypes(APIView):
    scopes = {"GET": "catalogue.read", "POST": "catalogue.write"}

    @operation(
        summary="List product types",
        query=serializers.ListProductTypes,
        responses={200: PageOf[serializers.ProductType]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ListProductTypes)
        found = page(
            queries.product_types(),
            query.cursor,
            query.limit,
            order=("code", "id"),
            filters=query,
        )
        return self.answer_page(found, serializers.ProductType.of)

    @operation(
        summary="Create a product type",
        body=serializers.CreateProductType,
        responses={201: serializers.ProductType},
        errors=[
            errors.InvalidProductType,
            errors.ProductTypeTaken,
            errors.UnknownLocale,
            # A repetition of what was deleted since.
            errors.ProductTypeNotFound,
        ],
        idempotency="accepted",
        etag=True,
        examples={"mugs": _MUG},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateProductType)
        type_id, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_type(
                code=body.code,
                name=body.name,
                attributes=[attribute.to_terms() for attribute in body.attributes],
                now=clock.now(),
                idempotency=key,
            ),
        )
        code = queries.code_of(type_id)
        location = reverse("product-type", kwargs={"code": code})
        return _answer_type(self, code, status=201, headers={"Location": location, **headers})


class ProductTypeDetail(APIView):
    scopes = {
        "GET": "catalogue.read",
        "PATCH": "catalogue.write",
        "DELETE": "catalogue.write",
    }

    @operation(
        summary="Read a product type",
        responses={200: serializers.ProductType},
        errors=[errors.ProductTypeNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        return _answer_type(self, code)

    @operation(
        summary="Change a product type",
        description="What products have values for cannot be taken away from them: neither an"
        " attribute, nor its kind or level, nor a choice. Products that lack what is required"
        " from now on stay as they are until their attributes or status are changed.",
        body=serializers.EditProductType,
        responses={200: serializers.ProductType},
        errors=[
            errors.ProductTypeNotFound,
            errors.InvalidProductType,
            errors.ProductTypeInUse,
            errors.UnknownLocale,
        ],
        if_match="required",
        etag=True,
        examples={"another name": {"name": "Cups and mugs"}},
    )
    def patch(self, request: HttpRequest, code: str) -> HttpResponse:
        body = self.body(serializers.EditProductType)
        services.edit_type(
            code=code,
            version=self.if_match(request),
            name=None if body.name is UNSET else body.name,
            attributes=None
            if body.attributes is UNSET
            else [attribute.to_terms() for attribute in body.attributes],
            now=clock.now(),
        )
        return _answer_type(self, code)

    @operation(
        summary="Remove a product type that no product has",
        responses={204: None},
        errors=[errors.ProductTypeNotFound, errors.ProductTypeInUse],
        if_match="accepted",
    )
    def delete(self, request: HttpRequest, code: str) -> HttpResponse:
        services.remove_type(code=code, version=self.if_match(request))
        return self.answer(status=204)


def _answer_type(
    view: APIView, code: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    shown = queries.product_type_shown(code)
    return view.answer(
        serializers.ProductType.of(shown), status=status, etag=shown.version, headers=headers
    )
