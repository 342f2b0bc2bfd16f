"""The routes of tax rates: translate, make one call, translate back."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from domains.pricing import errors
from domains.pricing.api.parameters import once
from domains.pricing.api.serializers import taxes as serializers
from domains.pricing.queries import staff as queries
from domains.pricing.services import taxes as services
from infrastructure import clock
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation


class TaxRates(APIView):
    scopes = {"GET": "pricing.read", "POST": "pricing.write"}

    @operation(
        summary="List the tax rates",
        query=serializers.ListTaxRates,
        responses={200: PageOf[serializers.TaxRate]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.ListTaxRates)
        found = page(
            queries.tax_rates(
                country=query.country, tax_class=query.tax_class, archived=query.archived
            ),
            query.cursor,
            query.limit,
            order=("country", "region", "tax_class", "id"),
            filters=query,
        )
        return self.answer_page(found, serializers.TaxRate.of)

    @operation(
        summary="Create a tax rate",
        description=(
            "A region's goes before its country's; a class without a rate has the one of "
            "`standard`; a country without any has no tax."
        ),
        body=serializers.CreateTaxRate,
        responses={201: serializers.TaxRate},
        errors=[errors.TaxRateTaken, errors.InvalidTaxRate],
        idempotency="accepted",
        etag=True,
        examples={"value added tax": {"country": "GB", "name": "VAT", "percent": "20"}},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.CreateTaxRate)
        rate_id, headers = once(
            self.idempotency(request, body),
            lambda key: services.create_tax_rate(
                country=body.country,
                region=body.region,
                tax_class=body.tax_class,
                name=body.name,
                percent=Decimal(body.percent),
                now=clock.now(),
                idempotency=key,
            ),
        )
        found = queries.tax_rate_of(rate_id)
        location = reverse("tax-rate", kwargs={"rate_id": rate_id})
        return self.answer(
            serializers.TaxRate.of(found),
            status=201,
            etag=found.version,
            headers={"Location": location, **headers},
        )


class TaxRate(APIView):
    scopes = {"GET": "pricing.read", "PATCH": "pricing.write"}

    @operation(
        summary="Read a tax rate",
        responses={200: serializers.TaxRate},
        errors=[errors.TaxRateNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, rate_id: UUID) -> HttpResponse:
        found = queries.tax_rate_of(rate_id)
        return self.answer(serializers.TaxRate.of(found), etag=found.version)

    @operation(
        summary="Change a tax rate",
        description="Orders keep the rate that they were placed with.",
        body=serializers.EditTaxRate,
        responses={200: serializers.TaxRate},
        errors=[errors.TaxRateNotFound, errors.InvalidTaxRate, errors.Archived],
        if_match="required",
        etag=True,
        examples={"a new rate": {"percent": "19"}},
    )
    def patch(self, request: HttpRequest, rate_id: UUID) -> HttpResponse:
        body = self.body(serializers.EditTaxRate)
        found = services.edit_tax_rate(
            rate_id=rate_id, version=self.if_match(request), now=clock.now(), **body.changes()
        )
        return self.answer(serializers.TaxRate.of(found), etag=found.version)


class TaxRateArchive(APIView):
    scopes = {"POST": "pricing.write"}

    @operation(
        summary="Archive a tax rate",
        description="It holds no more, and its place may get another one for the class.",
        responses={200: serializers.TaxRate},
        errors=[errors.TaxRateNotFound, errors.Archived],
        idempotency="accepted",
        if_match="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, rate_id: UUID) -> HttpResponse:
        version = self.if_match(request)
        _, headers = once(
            self.idempotency(request, None),
            lambda key: (
                services.archive_tax_rate(
                    rate_id=rate_id, version=version, now=clock.now(), idempotency=key
                ).id
            ),
        )
        found = queries.tax_rate_of(rate_id)
        return self.answer(serializers.TaxRate.of(found), etag=found.version, headers=headers)
