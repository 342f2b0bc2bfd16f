"""Codes, and lists of them to take away."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from domains.pricing.admin.fields import limit_field, version_field
from domains.pricing.admin.screens import KeptFilter, PricingScreen
from domains.pricing.models import Coupon, Promotion
from domains.pricing.queries import staff as queries
from domains.pricing.rules.codes import MAX_LENGTH
from domains.pricing.services import coupons
from infrastructure import clock
from infrastructure.form_fields import LineField
from infrastructure.screens import ServiceForm


class CouponForm(ServiceForm):
    code = LineField(max_length=MAX_LENGTH, help_text="Capital, however it is typed.")
    promotion = forms.ModelChoiceField(
        Promotion.objects.filter(automatic=False, archived_at__isnull=True)
    )
    usage_limit = limit_field("Orders that may use it")
    usage_limit_per_customer = limit_field("Orders of each customer")
    version = version_field()

    fields_of_codes = {"coupon_taken": "code", "archived": "promotion"}

    def fault(self, place: str, code: str, detail: str) -> None:
        super().fault("promotion" if place == "promotion_id" else place, code, detail)

    @property
    def limits(self) -> dict[str, Any]:
        names = ("usage_limit", "usage_limit_per_customer")
        return {name: self.cleaned_data[name] for name in names}


@admin.register(Coupon)
class CouponAdmin(PricingScreen):
    rank = 20
    list_display = ("code", "promotion", "batch", "used_of", "per_customer", "created_at")
    list_filter = (KeptFilter,)
    list_select_related = ("promotion",)
    # Of millions: only what an index finds.
    search_fields = ("code__startswith",)
    search_help_text = "The beginning of a code."
    ordering = ("-id",)
    actions = ("archive_selected", "take_away")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return queries.with_uses(super().get_queryset(request))

    @admin.display(description="used")
    def used_of(self, coupon: Any) -> str:
        return (
            f"{coupon.used:,}"
            if coupon.usage_limit is None
            else (f"{coupon.used:,} of {coupon.usage_limit:,}")
        )

    @admin.display(description="per customer", ordering="usage_limit_per_customer")
    def per_customer(self, coupon: Coupon) -> str:
        return str(coupon.usage_limit_per_customer or "no limit")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.batch_file)
        own = path("batches/<uuid:batch_id>.csv", view, name="pricing_coupon_batch")
        return [own, *super().get_urls()]

    def batch_file(self, request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
        """The codes that were made together."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return _file(queries.coupons(batch_id=batch_id).order_by("pk"), f"coupons-{batch_id}.csv")

    @admin.action(description="Take away as CSV")
    def take_away(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase:
        return _file(queryset.order_by("pk"), "coupons.csv")

    def archive(self, found: Any) -> None:
        coupons.archive_coupon(code=found.code, version=None, now=clock.now())

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = CouponForm(
            request.POST if request.method == "POST" else None,
            initial={"promotion": request.GET.get("promotion")},
        )
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                coupons.create_coupon(
                    code=said["code"],
                    promotion_id=said["promotion"].pk,
                    now=clock.now(),
                    **form.limits,
                )
                return self.saved(request, said["code"])
        return self.shown(request, "infrastructure/one_form.html", title="New coupon", form=form)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        names = ("usage_limit", "usage_limit_per_customer", "version")
        form = CouponForm(
            request.POST if request.method == "POST" else None,
            initial={name: getattr(found, name) for name in names},
        )
        del form.fields["code"], form.fields["promotion"]
        if form.is_valid():
            with form.refusals():
                coupons.edit_coupon(
                    code=found.code,
                    version=form.cleaned_data["version"],
                    now=clock.now(),
                    **form.limits,
                )
                return self.saved(request, found.code)
        return self.shown(
            request,
            "infrastructure/one_form.html",
            title=f"{found.code} for {found.promotion}",
            form=form,
        )


def _file(found: QuerySet[Any], name: str) -> StreamingHttpResponse:
    """Line by line, as the browser takes them: a list may be long."""
    return StreamingHttpResponse(
        _lines(found),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(found: QuerySet[Any]) -> Iterator[str]:
    rows = csv.writer(_Echo())
    yield rows.writerow(("code", "batch", "usage_limit", "used"))
    for coupon in found.iterator():
        yield rows.writerow((coupon.code, _plain(coupon.batch), coupon.usage_limit, coupon.used))


class _Echo:
    """For csv, a file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _plain(text: str) -> str:
    """No formula for a spreadsheet."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
