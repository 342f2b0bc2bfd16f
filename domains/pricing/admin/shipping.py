"""The ways that goods go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from domains.pricing.admin.fields import (
    MANY,
    AmountsField,
    CountriesField,
    ManyField,
    version_field,
)
from domains.pricing.admin.screens import KeptFilter, PricingScreen
from domains.pricing.models import ShippingMethod
from domains.pricing.rules.terms import STANDARD_TAX_CLASS, ShippingRate
from domains.pricing.services import shipping
from infrastructure import clock
from infrastructure.form_fields import LineField
from infrastructure.money import InvalidMoney, Money
from infrastructure.screens import ServiceForm

Tiers = Mapping[str, tuple[tuple[int, int], ...]]


class TiersField(forms.CharField):
    """A line `GBP: 2000 g 3.95` per currency and weight; becomes tiers by currency."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            required=False,
            max_length=MANY,
            widget=forms.Textarea(attrs={"rows": 4}),
            help_text="A line for each, such as GBP: 2000 g 3.95 for what weighs at most 2000 g.",
            **options,
        )

    def clean(self, value: Any) -> Any:
        found: dict[str, list[tuple[int, int]]] = {}
        for line in super().clean(value).splitlines():
            if not line.strip():
                continue
            currency, _, rest = (part.strip() for part in line.partition(":"))
            weight, unit, amount = (part.strip() for part in rest.partition("g"))
            if not unit or not weight.isdecimal() or len(weight) > 9:
                raise ValidationError(f"{line.strip()!r} is not like GBP: 2000 g 3.95")
            try:
                price_minor = Money.parse(amount, currency.upper()).amount_minor
            except InvalidMoney as error:
                raise ValidationError(str(error), code=error.code) from error
            found.setdefault(currency.upper(), []).append((int(weight), price_minor))
        return {currency: tuple(sorted(tiers)) for currency, tiers in found.items()}

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(
                f"{currency}: {up_to_g} g {Money(price, currency).amount_text}"
                for currency, tiers in value.items()
                for up_to_g, price in tiers
            )
        return value


class ShippingForm(ServiceForm):
    code = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]*$", max_length=40, help_text="Never changes: orders name it."
    )
    name = LineField(max_length=200, help_text="What customers read.")
    kind = forms.ChoiceField(choices=ShippingMethod.Kind.choices)
    prices = AmountsField(label="Flat prices")
    tiers = TiersField(label="Prices by weight")
    free_from = AmountsField(
        label="Free from", help_text="Goods after discounts, such as GBP: 50.00; none: never."
    )
    tax_class = LineField(max_length=64, initial=STANDARD_TAX_CLASS)
    countries = CountriesField()
    channels = ManyField(help_text="None: all.")
    not_to = ManyField(
        label="Not to", rows=2, help_text="Beginnings of postcodes that it does not go to."
    )
    position = forms.IntegerField(
        initial=0,
        min_value=-1_000_000,
        max_value=1_000_000,
        help_text="The first that goes somewhere is the default there.",
    )
    active = forms.BooleanField(required=False, initial=True, help_text="Whether it is offered.")
    version = version_field()

    fields_of_codes = {"shipping_method_taken": "code"}

    def fault(self, place: str, code: str, detail: str) -> None:
        area, _, name = place.partition("/")
        if area == "rates":
            # Prices, tiers and limits are fields of their own here.
            field = "tiers" if "tiers" in name else "free_from" if "free" in name else "prices"
            detail = f"{name.partition('/')[0]}: {detail}" if name else detail
            place = field
        super().fault(place, code, detail)

    @property
    def terms(self) -> dict[str, Any]:
        said = dict(self.cleaned_data)
        prices, tiers = said.pop("prices"), said.pop("tiers")
        free_from = said.pop("free_from")
        said["rates"] = {
            currency: ShippingRate(
                price_minor=prices.get(currency, 0),
                tiers=tiers.get(currency, ()),
                free_from_minor=free_from.get(currency),
            )
            for currency in {**prices, **tiers}
        }
        for name in ("code", "version"):
            said.pop(name, None)
        return said


@admin.register(ShippingMethod)
class ShippingMethodAdmin(PricingScreen):
    rank = 30
    list_display = ("position", "code", "name", "kind", "where", "prices", "active")
    list_display_links = ("code", "name")
    list_filter = (KeptFilter, "active", "kind")
    search_fields = ("=code", "name")
    ordering = ("position", "code")

    @admin.display(description="countries")
    def where(self, method: ShippingMethod) -> str:
        return ", ".join(method.countries) or "everywhere"

    @admin.display(description="prices")
    def prices(self, method: ShippingMethod) -> str:
        return ", ".join(
            f"from {Money(rate.tiers[0][1], currency)}"
            if rate.tiers
            else str(Money(rate.price_minor, currency))
            for currency, rate in method.terms_of_rates.items()
        )

    def archive(self, found: Any) -> None:
        shipping.archive_shipping_method(code=found.code, version=None, now=clock.now())

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = ShippingForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            with form.refusals():
                shipping.create_shipping_method(
                    code=form.cleaned_data["code"], now=clock.now(), **form.terms
                )
                return self.saved(request, form.cleaned_data["name"])
        return self.shown(
            request, "infrastructure/one_form.html", title="New shipping method", form=form
        )

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        same = (
            *("name", "kind", "tax_class", "countries", "channels", "not_to"),
            *("position", "active", "version"),
        )
        rates = found.terms_of_rates
        initial = {name: getattr(found, name) for name in same} | {
            "prices": {c: rate.price_minor for c, rate in rates.items() if not rate.tiers},
            "tiers": {c: rate.tiers for c, rate in rates.items() if rate.tiers},
            "free_from": {
                c: rate.free_from_minor
                for c, rate in rates.items()
                if rate.free_from_minor is not None
            },
        }
        form = ShippingForm(request.POST if request.method == "POST" else None, initial=initial)
        del form.fields["code"]
        if form.is_valid():
            with form.refusals():
                shipping.edit_shipping_method(
                    code=found.code,
                    version=form.cleaned_data["version"],
                    now=clock.now(),
                    **form.terms,
                )
                return self.saved(request, form.cleaned_data["name"])
        return self.shown(
            request,
            "infrastructure/one_form.html",
            title=f"Shipping method {found.code}",
            form=form,
        )
