"""Promotions, what they would do, and their coupons by the hundred."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse

from domains.pricing.admin.fields import (
    AmountsField,
    CountriesField,
    IdsField,
    ManyField,
    limit_field,
    version_field,
)
from domains.pricing.admin.screens import KeptFilter, PricingScreen
from domains.pricing.models import Promotion
from domains.pricing.queries import staff as queries
from domains.pricing.queries.storefront import Wanted, quote_of
from domains.pricing.rules.codes import MAX_PREFIX_LENGTH
from domains.pricing.rules.quotes import Quote, QuoteRequest
from domains.pricing.rules.taxes import rate_text
from domains.pricing.rules.terms import Conditions
from domains.pricing.services import coupons, promotions
from infrastructure import clock
from infrastructure.countries import COUNTRY_PATTERN
from infrastructure.form_fields import (
    CurrencyField,
    LineField,
    PlainDecimalField,
    instant_field,
    one_line,
)
from infrastructure.money import Money
from infrastructure.screens import ServiceForm

_SETS = (
    *("skus", "product_ids", "categories", "customer_groups", "countries", "currencies"),
    *("channels", "shipping_methods"),
)


class PromotionForm(ServiceForm):
    name = LineField(max_length=200, help_text="What customers read.")
    kind = forms.ChoiceField(choices=Promotion.Kind.choices)
    automatic = forms.BooleanField(
        required=False, help_text="Everybody gets it; else a coupon brings it. Never changes."
    )
    percent = PlainDecimalField(
        required=False, min_value=0, max_value=100, decimal_places=4, help_text="Of a percentage."
    )
    amounts_minor = AmountsField(label="Amounts")
    minimum_subtotal_minor = AmountsField(label="Minimum subtotal")
    minimum_quantity = forms.IntegerField(required=False, min_value=0, max_value=10**9)
    skus = ManyField(label="SKUs", rows=2)
    product_ids = IdsField(label="Products", help_text="Their ids.")
    categories = ManyField(help_text="Their slugs; what lies below them counts too.")
    not_on_sale = forms.BooleanField(
        required=False, help_text="Not for what is reduced already by a sale."
    )
    customer_groups = ManyField()
    countries = CountriesField()
    currencies = ManyField(capital=True)
    channels = ManyField()
    shipping_methods = ManyField(help_text="Which ones free shipping is about; none: all.")
    valid_from = instant_field(label="Holds from (UTC)")
    valid_until = instant_field(label="Holds until (UTC)")
    usage_limit = limit_field("Orders that may use it")
    usage_limit_per_customer = limit_field("Orders of each customer")
    priority = forms.IntegerField(
        initial=0, min_value=-1_000_000, max_value=1_000_000, help_text="The highest goes first."
    )
    combinable = forms.BooleanField(
        required=False, initial=True, help_text="With others that are, too; else it stays alone."
    )
    active = forms.BooleanField(required=False, initial=True)
    version = version_field()

    def fault(self, place: str, code: str, detail: str) -> None:
        area, _, rest = place.partition("/")
        if area == "conditions":
            area, _, rest = rest.partition("/")
        field = {"amounts": "amounts_minor", "minimum_subtotal": "minimum_subtotal_minor"}
        super().fault(field.get(area, area), code, f"{rest}: {detail}" if rest else detail)

    @property
    def terms(self) -> dict[str, Any]:
        said = dict(self.cleaned_data)
        said["conditions"] = Conditions(
            minimum_subtotal_minor=said.pop("minimum_subtotal_minor"),
            minimum_quantity=said.pop("minimum_quantity") or 0,
            not_on_sale=said.pop("not_on_sale"),
            **{name: frozenset(said.pop(name)) for name in _SETS},
        )
        said["percent"] = said["percent"] or 0
        said.pop("version")
        return said


class PreviewForm(ServiceForm):
    goods = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A line for each SKU with its quantity, such as 85123A: 2",
    )
    currency = CurrencyField()
    country = forms.RegexField(COUNTRY_PATTERN, max_length=2, initial="GB")
    customer_group = LineField(required=False, max_length=40)
    channel = LineField(required=False, max_length=40)
    at = instant_field(label="At (UTC)", help_text="Empty: now.")

    def clean_goods(self) -> list[Wanted]:
        found = []
        for line in self.cleaned_data["goods"].splitlines():
            if line.strip():
                sku, _, quantity = (part.strip() for part in line.rpartition(":"))
                if not sku or not quantity.isdecimal() or not 1 <= int(quantity) <= 1_000_000:
                    raise forms.ValidationError(f"{line.strip()!r} is not like 85123A: 2")
                one_line(sku)
                found.append(Wanted(sku=sku, quantity=int(quantity)))
        return found

    @property
    def request(self) -> QuoteRequest:
        said = self.cleaned_data
        return QuoteRequest(
            lines=(),
            currency=said["currency"],
            country=said["country"],
            customer_group=said["customer_group"] or None,
            channel=said["channel"] or None,
        )


class BatchForm(ServiceForm):
    count = forms.IntegerField(min_value=1, max_value=coupons.MOST_AT_ONCE)
    batch = LineField(required=False, max_length=100, help_text="What they are for.")
    beginning = LineField(
        required=False, max_length=MAX_PREFIX_LENGTH, help_text="What each code begins with."
    )
    usage_limit = limit_field("Orders that may use each")
    usage_limit_per_customer = limit_field("Orders of each customer")

    def fault(self, place: str, code: str, detail: str) -> None:
        super().fault("beginning" if place in ("code", "prefix") else place, code, detail)

    @property
    def terms(self) -> dict[str, Any]:
        said = dict(self.cleaned_data)
        return {"prefix": said.pop("beginning"), **said}


class StateFilter(admin.SimpleListFilter):
    """Whether it holds at this moment."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("running", "Running"), ("paused", "Paused"), ("later", "Later"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = clock.now()
        match self.value():
            case "running":
                return (
                    queryset.filter(active=True)
                    .exclude(valid_from__gt=now)
                    .exclude(valid_until__lte=now)
                )
            case "paused":
                return queryset.filter(active=False)
            case "later":
                return queryset.filter(valid_from__gt=now)
            case "over":
                return queryset.filter(valid_until__lte=now)
        return queryset


@admin.register(Promotion)
class PromotionAdmin(PricingScreen):
    rank = 10
    list_display = ("name", "takes_off", "automatic", "priority", "used_of", "until", "active")
    list_filter = (KeptFilter, StateFilter, "kind", "automatic")
    search_fields = ("name",)
    ordering = ("-created_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return queries.with_uses(super().get_queryset(request))

    @admin.display(description="takes off")
    def takes_off(self, promotion: Promotion) -> str:
        if promotion.percent:
            return f"{rate_text(promotion.percent)} %"
        amounts = ", ".join(
            str(Money(amount, currency)) for currency, amount in promotion.amounts_minor.items()
        )
        if promotion.kind == Promotion.Kind.FIXED_ITEM:
            return f"{amounts} each"
        return amounts or "shipping"

    @admin.display(description="used")
    def used_of(self, promotion: Any) -> str:
        if promotion.usage_limit is None:
            return str(promotion.used) if promotion.used else ""
        return f"{promotion.used} of {promotion.usage_limit}"

    @admin.display(description="until", ordering="valid_until")
    def until(self, promotion: Promotion) -> Any:
        return promotion.valid_until or ""

    def get_urls(self) -> list[Any]:
        wrapped = self.admin_site.admin_view
        own = [
            path("<uuid:promotion_id>/preview/", wrapped(self.preview), name="pricing_preview"),
            path("<uuid:promotion_id>/codes/", wrapped(self.codes), name="pricing_codes"),
        ]
        return [*own, *super().get_urls()]

    def archive(self, found: Any) -> None:
        promotions.archive_promotion(promotion_id=found.pk, version=None, now=clock.now())

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = PromotionForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            with form.refusals():
                made = promotions.create_promotion(now=clock.now(), **form.terms)
                return self.saved(
                    request,
                    form.cleaned_data["name"],
                    reverse("admin:pricing_preview", args=[made]),
                )
        return self.shown(request, "infrastructure/one_form.html", title="New promotion", form=form)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        asks = found.asks
        same = (
            *("name", "percent", "amounts_minor", "valid_from", "valid_until", "usage_limit"),
            *("usage_limit_per_customer", "priority", "combinable", "active", "version"),
        )
        asked = ("minimum_subtotal_minor", "minimum_quantity", "not_on_sale")
        initial = (
            {name: getattr(found, name) for name in same}
            | {name: getattr(asks, name) for name in asked}
            | {name: sorted(getattr(asks, name)) for name in _SETS}
            | {"percent": rate_text(found.percent) if found.percent else None}
        )
        form = PromotionForm(request.POST if request.method == "POST" else None, initial=initial)
        del form.fields["kind"], form.fields["automatic"]
        if form.is_valid():
            with form.refusals():
                promotions.edit_promotion(
                    promotion_id=found.pk,
                    version=form.cleaned_data["version"],
                    now=clock.now(),
                    **form.terms,
                )
                return self.saved(request, form.cleaned_data["name"], request.get_full_path())
        return self.shown(
            request,
            "pricing/promotion.html",
            title=found.name,
            form=form,
            preview=reverse("admin:pricing_preview", args=[found.pk]),
            codes=None if found.automatic else reverse("admin:pricing_codes", args=[found.pk]),
        )

    def preview(self, request: HttpRequest, promotion_id: UUID) -> HttpResponseBase:
        """What these goods would cost without it and with it; nothing is changed."""
        found = self.found(request, promotion_id)
        asked = request.GET if "goods" in request.GET else None
        form = PreviewForm(asked, initial={"currency": settings.DEFAULT_CURRENCY})
        rows: list[tuple[str, str, str]] = []
        quotes: list[Quote] = []
        if form.is_valid():
            at, goods = form.cleaned_data["at"] or clock.now(), form.cleaned_data["goods"]
            with form.refusals():
                quotes = [
                    quote_of(goods, form.request, now=at, beside=beside)
                    for beside in (None, found.terms)
                ]
            rows = _compared(quotes, form.cleaned_data["currency"])
        return self.shown(
            request,
            "pricing/preview.html",
            title=f"What {found.name} would do",
            form=form,
            rows=rows,
            discounts=quotes[1].discounts if quotes else (),
            problems=quotes[1].problems if quotes else (),
            page=self.address("change", found.pk),
        )

    def codes(self, request: HttpRequest, promotion_id: UUID) -> HttpResponseBase:
        """Make many coupons, and take them away as a file."""
        found = self.found(request, promotion_id)
        self.require_write(request)
        form = BatchForm(
            request.POST if request.method == "POST" else None, initial={"usage_limit": 1}
        )
        if form.is_valid():
            with form.refusals():
                batch_id = coupons.create_coupons(
                    promotion_id=found.pk, now=clock.now(), **form.terms
                )
                messages.success(request, f"{form.cleaned_data['count']} coupons are made.")
                return HttpResponseRedirect(reverse("admin:pricing_coupon_batch", args=[batch_id]))
        return self.shown(
            request, "infrastructure/one_form.html", title=f"Coupons for {found.name}", form=form
        )


def _compared(quotes: list[Quote], currency: str) -> list[tuple[str, str, str]]:
    """What, without it, with it."""
    if not quotes:
        return []
    names = ("subtotal", "discount", "shipping", "tax", "total")
    return [
        (
            name.capitalize(),
            *(str(Money(getattr(quote, f"{name}_minor"), currency)) for quote in quotes),
        )  # type: ignore[misc]
        for name in names
    ]
