"""The routes of promotions: translate, make one call, translate back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.pricing import errors
from domains.pricing.api.parameters import once
from domains.pricing.api.serializers import promotions as serializers
from domains.pricing.queries import staff as queries
from domains.pricing.services import coupons as coupon_services
from domains.pricing.services import promotions as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation


class Promotions(APIView):
    scopes = {"GET": "pricing.read", "POST": "pricing.write"}

    @operation(
        summary="List promotions, the newest first",
        query=serializers.ListPromotions,
        responses={200: PageOf[serializers.Promotion]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ListPromotions)
        found = page(
            queries.promotions(status=query.status, kind=query.kind, automatic=query.automatic),
            query.cursor,
            query.limit,
            order=("-created_at", "-id"),
            filters=query,
        )
        return self.answer_page(found, serializers.Promotion.of)

    @operation(
        summary="Create a promotion",
        body=serializers.CreatePromotion,
        responses={201: serializers.Promotion},
        errors=[errors.InvalidPromotion],
        idempotency="accepted",
        etag=True,
        examples={
            "ten per cent for everybody": {
                "name": "Autumn",
                "kind": "percentage",
                "automatic": True,
                "percent": "10",
                "conditions": {"minimum_subtotal": {"GBP": "50.00"}, "not_on_sale": True},
                "valid_until": "2026-11-30T00:00:00Z",
            },
            "five pounds for who has a coupon": {
                "name": "Thank you",
                "kind": "fixed_order",
                "automatic": False,
                "amounts": {"GBP": "5.00", "EUR": "6.00"},
                "combinable": False,
            },
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreatePromotion)
        promotion_id, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_promotion(now=clock.now(), idempotency=key, **body.terms()),
        )
        location = reverse("promotion", kwargs={"promotion_id": promotion_id})
        return _answer(self, promotion_id, status=201, headers={"Location": location, **headers})


class Promotion(APIView):
    scopes = {"GET": "pricing.read", "PATCH": "pricing.write"}

    @operation(
        summary="Read a promotion",
        responses={200: serializers.Promotion},
        errors=[errors.PromotionNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, promotion_id: UUID) -> HttpResponse:
        return _answer(self, promotion_id)

    @operation(
        summary="Change a promotion",
        description="Orders keep what they got. A limit counts from when it was set.",
        body=serializers.EditPromotion,
        responses={200: serializers.Promotion},
        errors=[errors.PromotionNotFound, errors.InvalidPromotion, errors.Archived],
        if_match="required",
        etag=True,
        examples={"the first hundred orders": {"usage_limit": 100}},
    )
    def patch(self, request: HttpRequest, promotion_id: UUID) -> HttpResponse:
        body = self.body(serializers.EditPromotion)
        services.edit_promotion(
            promotion_id=promotion_id,
            version=self.if_match(request),
            now=clock.now(),
            **body.changes(),
        )
        return _answer(self, promotion_id)


class PromotionArchive(APIView):
    scopes = {"POST": "pricing.write"}

    @operation(
        summary="Archive a promotion",
        description="It holds for nobody any more, and neither do its coupons.",
        responses={200: serializers.Promotion},
        errors=[errors.PromotionNotFound, errors.Archived],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, promotion_id: UUID) -> HttpResponse:
        version = self.if_match(request)
        _, headers = once(
            self.idempotency(request, None),
            lambda key: (
                services.archive_promotion(
                    promotion_id=promotion_id, version=version, now=clock.now(), idempotency=key
                ).id
            ),
        )
        return _answer(self, promotion_id, headers=headers)


class PromotionCoupons(APIView):
    scopes = {"POST": "pricing.write"}

    @operation(
        summary="Make many coupons of a promotion",
        description="Codes by chance, hard to guess; all of them or none.",
        body=serializers.CreateCoupons,
        responses={201: serializers.CouponBatch},
        errors=[errors.PromotionNotFound, errors.InvalidCoupon, errors.Archived],
        idempotency="accepted",
        examples={"for a mailing": {"count": 500, "batch": "Mailing in May", "prefix": "MAY-"}},
    )
    def post(self, request: HttpRequest, promotion_id: UUID) -> HttpResponse:
        body = self.body(serializers.CreateCoupons)
        batch_id, headers = once(
            self.idempotency(request, body),
            lambda key: coupon_services.create_coupons(
                promotion_id=promotion_id,
                count=body.count,
                batch=body.batch,
                prefix=body.prefix,
                usage_limit=body.usage_limit,
                usage_limit_per_customer=body.usage_limit_per_customer,
                now=clock.now(),
                idempotency=key,
            ),
        )
        found = serializers.CouponBatch(batch_id=batch_id, codes=queries.codes_of(batch_id))
        return self.answer(found, status=201, headers=headers)


def _answer(
    view: APIView,
    promotion_id: UUID,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    found = queries.promotion_of(promotion_id)
    return view.answer(
        serializers.Promotion.of(found), status=status, etag=found.version, headers=headers
    )
