"""The rates of tax."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from domains.pricing.admin.fields import version_field
from domains.pricing.admin.screens import KeptFilter, PricingScreen
from domains.pricing.models import TaxRate
from domains.pricing.rules.taxes import rate_text
from domains.pricing.rules.terms import STANDARD_TAX_CLASS
from domains.pricing.services import taxes
from infrastructure import clock
from infrastructure.countries import COUNTRY_PATTERN
from infrastructure.form_fields import LineField, PlainDecimalField
from infrastructure.screens import ServiceForm


class TaxRateForm(ServiceForm):
    country = forms.RegexField(COUNTRY_PATTERN, max_length=2, help_text="A code such as GB.")
    region = LineField(
        required=False,
        max_length=100,
        help_text="As addresses write it; empty for the whole country.",
    )
    tax_class = LineField(
        max_length=64,
        initial=STANDARD_TAX_CLASS,
        help_text="Of products; a class without a rate has the standard one.",
    )
    name = LineField(max_length=200, help_text="Such as VAT.")
    percent = PlainDecimalField(min_value=0, max_value=999, max_digits=7, decimal_places=4)
    version = version_field()

    fields_of_codes = {"tax_rate_taken": "country", "invalid_tax_rate": "percent"}


@admin.register(TaxRate)
class TaxRateAdmin(PricingScreen):
    rank = 40
    list_display = ("country", "region", "tax_class", "name", "per_cent", "updated_at")
    list_display_links = ("country", "name")
    list_filter = (KeptFilter, "tax_class", "country")
    search_fields = ("=country", "region", "name")
    ordering = ("country", "region", "tax_class")

    @admin.display(description="per cent", ordering="percent")
    def per_cent(self, rate: TaxRate) -> str:
        return rate_text(rate.percent)

    def archive(self, found: Any) -> None:
        taxes.archive_tax_rate(rate_id=found.pk, version=None, now=clock.now())

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = TaxRateForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            said = dict(form.cleaned_data)
            said.pop("version")
            with form.refusals():
                taxes.create_tax_rate(now=clock.now(), **said)
                return self.saved(request, said["name"])
        return self.shown(request, "infrastructure/one_form.html", title="New tax rate", form=form)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        form = TaxRateForm(
            request.POST if request.method == "POST" else None,
            initial={name: getattr(found, name) for name in ("name", "percent", "version")},
        )
        for name in ("country", "region", "tax_class"):
            del form.fields[name]
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                taxes.edit_tax_rate(
                    rate_id=found.pk,
                    version=said["version"],
                    name=said["name"],
                    percent=said["percent"],
                    now=clock.now(),
                )
                return self.saved(request, said["name"])
        place = " ".join(filter(None, (found.country, found.region)))
        return self.shown(
            request,
            "infrastructure/one_form.html",
            title=f"{found.tax_class} in {place}",
            form=form,
        )
