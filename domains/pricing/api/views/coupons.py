"""The routes of coupons: translate, make one call, translate back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.pricing import errors
from domains.pricing.api.parameters import once
from domains.pricing.api.serializers import promotions as serializers
from domains.pricing.api.serializers.fields import given
from domains.pricing.queries import staff as queries
from domains.pricing.services import coupons as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation


class Coupons(APIView):
    scopes = {"GET": "pricing.read", "POST": "pricing.write"}

    @operation(
        summary="List coupons, the newest first",
        query=serializers.ListCoupons,
        responses={200: PageOf[serializers.Coupon]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ListCoupons)
        found = page(
            queries.coupons(
                promotion_id=query.promotion_id,
                batch_id=query.batch_id,
                prefix=query.prefix,
                archived=query.archived,
            ),
            query.cursor,
            query.limit,
            order=("-id",),
            filters=query,
        )
        return self.answer_page(found, serializers.Coupon.of)

    @operation(
        summary="Create a coupon",
        body=serializers.CreateCoupon,
        responses={201: serializers.Coupon},
        errors=[
            errors.CouponTaken,
            errors.PromotionNotFound,
            errors.InvalidCoupon,
            errors.Archived,
        ],
        idempotency="accepted",
        etag=True,
        examples={
            "once for each": {
                "code": "WELCOME10",
                "promotion_id": "01980000-0000-7000-8000-000000000001",
                "usage_limit_per_customer": 1,
            }
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateCoupon)
        _, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_coupon(
                code=body.code,
                promotion_id=body.promotion_id,
                usage_limit=body.usage_limit,
                usage_limit_per_customer=body.usage_limit_per_customer,
                now=clock.now(),
                idempotency=key,
            ),
        )
        found = queries.coupon_of(body.code)
        location = reverse("coupon", kwargs={"code": found.code})
        return _answer(self, found.code, status=201, headers={"Location": location, **headers})


class Coupon(APIView):
    scopes = {"GET": "pricing.read", "PATCH": "pricing.write"}

    @operation(
        summary="Read a coupon",
        responses={200: serializers.Coupon},
        errors=[errors.CouponNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        return _answer(self, code)

    @operation(
        summary="Change the limits of a coupon",
        description="Below what has been used, it is used up.",
        body=serializers.EditCoupon,
        responses={200: serializers.Coupon},
        errors=[errors.CouponNotFound, errors.InvalidCoupon, errors.Archived],
        if_match="required",
        etag=True,
        examples={"a hundred more": {"usage_limit": 200}},
    )
    def patch(self, request: HttpRequest, code: str) -> HttpResponse:
        services.edit_coupon(
            code=code,
            version=self.if_match(request),
            now=clock.now(),
            **given(self.body(serializers.EditCoupon)),
        )
        return _answer(self, code)


class CouponArchive(APIView):
    scopes = {"POST": "pricing.write"}

    @operation(
        summary="Archive a coupon",
        description="Nobody may use it any more; orders that did keep what it brought.",
        responses={200: serializers.Coupon},
        errors=[errors.CouponNotFound, errors.Archived],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, code: str) -> HttpResponse:
        version = self.if_match(request)
        _, headers = once(
            self.idempotency(request, None),
            lambda key: (
                services.archive_coupon(
                    code=code, version=version, now=clock.now(), idempotency=key
                ).id
            ),
        )
        return _answer(self, code, headers=headers)


def _answer(
    view: APIView, code: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    found = queries.coupon_of(code)
    return view.answer(
        serializers.Coupon.of(found), status=status, etag=found.version, headers=headers
    )
