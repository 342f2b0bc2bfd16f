"""The routes of variants. They are parts of their product, so it is what is answered."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.products import errors
from domains.products.api.parameters import once
from domains.products.api.serializers import products as serializers
from domains.products.api.serializers.fields import given
from domains.products.api.views.products import REFUSED_CHANGES, answer_product
from domains.products.queries import products as queries
from domains.products.services import variants as services
from infrastructure import clock
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.views import APIView, operation


class ProductVariants(APIView):
    scopes = {"POST": "catalogue.write"}

    @operation(
        summary="Add variants to a product",
        description="They are shown behind the others, and get an empty stock item each.",
        body=serializers.AddVariants,
        responses={201: serializers.Product},
        errors=[
            errors.ProductNotFound,
            errors.ProductArchived,
            errors.InvalidProduct,
            errors.NegativePrice,
            errors.NothingToSell,
            errors.SkuTaken,
            errors.ExternalIdTaken,
        ],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
        examples={
            "another colour": {
                "variants": [
                    {
                        "sku": "MUG-GREEN",
                        "price": {"amount": "12.50", "currency": "GBP"},
                        "options": {"colour": "green"},
                    }
                ]
            }
        },
    )
    def post(self, request: HttpRequest, id_or_slug: str) -> HttpResponse:
        body = self.body(serializers.AddVariants)
        product_id = queries.product_id_of(id_or_slug)
        version = self.if_match(request)

        def add(key: IdempotencyKey | None) -> UUID:
            services.add_variants(
                product_id=product_id,
                version=version,
                variants=[variant.to_new() for variant in body.variants],
                actor_id=self.actor.id,
                now=clock.now(),
                idempotency=key,
            )
            return product_id

        _, headers = once(self.idempotency(request, body), add)
        return answer_product(self, product_id, status=201, headers=headers)


class VariantDetail(APIView):
    scopes = {"PATCH": "catalogue.write", "DELETE": "catalogue.write"}

    @operation(
        summary="Change a variant",
        description="It is a part of its product: the ETag is the product's, and so is the answer.",
        body=serializers.EditVariant,
        responses={200: serializers.Product},
        errors=REFUSED_CHANGES,
        if_match="required",
        etag=True,
        examples={"weight and barcode": {"weight_g": 320, "barcode": "4006381333931"}},
    )
    def patch(self, request: HttpRequest, sku: str) -> HttpResponse:
        body = self.body(serializers.EditVariant)
        product_id = services.edit_variant(
            sku=sku, version=self.if_match(request), now=clock.now(), **given(body)
        )
        return answer_product(self, product_id)

    @operation(
        summary="Retire a variant",
        description="It is neither sold nor shown any more; orders, stock and ledger keep it."
        " PATCH with `retired` false brings it back.",
        responses={204: None},
        errors=REFUSED_CHANGES,
        if_match="accepted",
    )
    def delete(self, request: HttpRequest, sku: str) -> HttpResponse:
        services.retire_variant(sku=sku, version=self.if_match(request), now=clock.now())
        return self.answer(status=204)
