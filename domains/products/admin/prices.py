"""Price lists with the grid of their prices, channels, and the history of single prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path

from domains.products.admin.fields import actor_of, code_field
from domains.products.models import Channel, Price, PriceEntry, PriceList, Variant
from domains.products.queries.prices import price_now
from domains.products.services import price_lists, prices
from domains.products.services.prices import PriceEdit
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.form_fields import AmountField, CurrencyField, LineField, instant_field
from infrastructure.money import Money
from infrastructure.screens import ReadOnlyAdmin, ReadOnlyInline, ScreenAdmin, ServiceForm

ROWS_SHOWN = 50


class PriceEntryInline(ReadOnlyInline):
    model = PriceEntry
    fields = readonly_fields = (
        "number",
        "amount",
        "kind",
        "min_quantity",
        "from_at",
        "until_at",
        "ended_at",
        "ending",
        "recorded_at",
        "actor_id",
    )
    ordering = ("-number",)

    @admin.display(description="price")
    def amount(self, entry: PriceEntry) -> str:
        return str(Money(entry.amount_minor, entry.price.currency))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceEntry]:
        return super().get_queryset(request).select_related("price")


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    rank = 80
    list_display = ("sku", "list_code", "money", "changes_at", "updated_at")
    list_filter = ("currency", "list_code")
    search_fields = ("=sku",)
    search_help_text = "A whole SKU."
    ordering = ("sku", "currency", "list_code")
    fields = ("id", "sku", "list_code", "money", "changes_at", "updated_at", "version")
    inlines = (PriceEntryInline,)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and self.may(request, "catalogue.read")

    has_module_permission = has_view_permission

    @admin.display(description="price", ordering="amount_minor")
    def money(self, price: Price) -> str:
        return str(price.money or "none")


class PriceListForm(ServiceForm):
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    code = code_field(help_text="Never changes: files and the API name it.")
    currency = CurrencyField(help_text="Three letters such as EUR. Never changes.")
    name = LineField(max_length=200)
    channel = forms.ChoiceField(required=False)
    customer_group = forms.CharField(
        required=False, max_length=40, help_text="The code of a group of customers; empty: for all."
    )
    priority = forms.IntegerField(
        initial=0,
        min_value=-1_000_000,
        max_value=1_000_000,
        help_text="The highest of those that hold is asked first.",
    )
    valid_from = instant_field(label="Holds from (UTC)")
    valid_until = instant_field(label="Holds until (UTC)")
    active = forms.BooleanField(required=False, initial=True)

    fields_of_codes = {
        "price_list_taken": "code",
        "unknown_channel": "channel",
        "invalid_validity": "valid_until",
    }

    def __init__(self, data: Any, **options: Any) -> None:
        super().__init__(data, **options)
        choice: Any = self.fields["channel"]
        found = Channel.objects.order_by("code").values_list("code", "name")
        choice.choices = [("", "All"), *found]

    @property
    def terms(self) -> dict[str, Any]:
        said = self.cleaned_data
        names = ("name", "customer_group", "priority", "valid_from", "valid_until", "active")
        return {name: said[name] for name in names} | {"channel": said["channel"] or None}


@dataclass(frozen=True, kw_only=True, slots=True)
class GridRow:
    """A SKU with what it costs in the base and in the list."""

    variant: Variant
    base: Money | None
    tiers: str
    field: Any


@admin.register(PriceList)
class PriceListAdmin(ScreenAdmin):
    rank = 50
    reads, writes = "catalogue.read", "catalogue.write"
    list_display = ("code", "name", "currency", "channel", "customer_group", "priority", "active")
    list_filter = ("active", "currency", "channel")
    list_select_related = ("channel",)
    search_fields = ("=code", "name")
    ordering = ("-priority", "code")

    def get_urls(self) -> list[Any]:
        grid = self.admin_site.admin_view(self.grid)
        own = path("<uuid:list_id>/prices/", grid, name="products_pricelist_prices")
        return [own, *super().get_urls()]

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = PriceListForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            with form.refusals():
                list_id = price_lists.create_price_list(
                    code=form.cleaned_data["code"],
                    currency=form.cleaned_data["currency"],
                    now=clock.now(),
                    **form.terms,
                )
                messages.success(request, f"{form.cleaned_data['name']} is created.")
                return HttpResponseRedirect(self.address("prices", list_id))
        return self.shown(
            request, "infrastructure/one_form.html", title="New price list", form=form
        )

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        names = (
            *("version", "name", "customer_group", "priority", "valid_from", "valid_until"),
            "active",
        )
        initial = {name: getattr(found, name) for name in names} | {"channel": found.channel_id}
        form = PriceListForm(request.POST if request.method == "POST" else None, initial=initial)
        del form.fields["code"], form.fields["currency"]
        if form.is_valid():
            with form.refusals():
                price_lists.edit_price_list(
                    code=found.code,
                    version=form.cleaned_data["version"],
                    now=clock.now(),
                    **form.terms,
                )
                messages.success(request, f"{form.cleaned_data['name']} is saved.")
                return HttpResponseRedirect(request.get_full_path())
        return self.shown(
            request,
            "products/price_list.html",
            title=f"{found.name} ({found.currency})",
            form=form,
            grid=self.address("prices", found.pk),
        )

    def grid(self, request: HttpRequest, list_id: UUID) -> HttpResponseBase:
        """The prices of the list beside those of the base, a page of SKUs at a time."""
        found = self.found(request, list_id)
        words = request.GET.get("q", "").strip()
        only = "priced" in request.GET
        variants = _variants(found, words, only)
        shown = Paginator(variants, ROWS_SHOWN).get_page(request.GET.get("p"))
        page = list(shown.object_list)
        known = _known(found, page, clock.now())
        form = _GridForm(
            request.POST if request.method == "POST" else None,
            price_list=found,
            variants=page,
            known=known,
        )
        if request.method == "POST":
            self.require_write(request)
            if form.is_valid():
                try:
                    count = form.set(actor_of(request), clock.now())
                except DomainError as refusal:
                    form.refuse(refusal)
                else:
                    messages.success(request, f"{count} prices of {found.name} are set.")
                    return HttpResponseRedirect(request.get_full_path())
        return self.shown(
            request,
            "products/price_grid.html",
            title=f"Prices of {found.name} ({found.currency})",
            price_list=found,
            form=form,
            rows=form.rows,
            page=shown,
            words=words,
            only=only,
            settings_page=self.address("change", found.pk),
        )


class _GridForm(ServiceForm):
    """An amount per SKU; those that were changed are set."""

    def __init__(
        self,
        data: Any,
        *,
        price_list: PriceList,
        variants: Sequence[Variant],
        known: dict[tuple[UUID, str], Any],
    ) -> None:
        super().__init__(data)
        self.price_list, self.variants, self.known = price_list, variants, known
        for variant in variants:
            price = known.get((variant.pk, price_list.code))
            now = None if price is None else _regular(price)
            for name, widget in (("p", None), ("s", forms.HiddenInput)):
                options: dict[str, Any] = {} if widget is None else {"widget": widget}
                self.fields[f"{name}{variant.pk.hex}"] = AmountField(
                    currency=price_list.currency,
                    required=False,
                    initial=now,
                    label=f"Price of {variant.sku}",
                    **options,
                )

    @property
    def rows(self) -> list[GridRow]:
        rows = []
        for variant in self.variants:
            base = self.known.get((variant.pk, ""))
            price = self.known.get((variant.pk, self.price_list.code))
            tiers = [] if price is None else price.shown.tiers
            rows.append(
                GridRow(
                    variant=variant,
                    base=None if base is None else base.shown.price,
                    tiers=", ".join(f"from {one.min_quantity}: {one.price}" for one in tiers),
                    field=self[f"p{variant.pk.hex}"],
                )
            )
        return rows

    def clean(self) -> None:
        for variant in self.variants:
            key, said = variant.pk.hex, self.cleaned_data
            if said.get(f"s{key}") is not None and said.get(f"p{key}", 0) is None:
                self.add_error(
                    f"p{key}", "To ask for nothing any more, end it under the product's prices."
                )

    def set(self, actor_id: UUID, now: datetime) -> int:
        """Raises DomainError; then nothing is set."""
        edits = []
        for variant in self.variants:
            wanted = self.cleaned_data[f"p{variant.pk.hex}"]
            seen = self.cleaned_data[f"s{variant.pk.hex}"]
            if wanted is not None and wanted != seen:
                code = self.price_list.code
                edits.append(PriceEdit(sku=variant.sku, money=wanted, seen=seen, price_list=code))
        prices.edit_prices(edits=edits, actor_id=actor_id, now=now)
        return len(edits)


def _regular(price: Any) -> Money | None:
    reduction = price.shown.reduction
    found: Money | None = price.shown.price if reduction is None else reduction.regular_price
    return found


def _variants(price_list: PriceList, words: str, only: bool) -> QuerySet[Any]:
    found = Variant.objects.filter(retired_at=None).exclude(product__status="archived")
    if words:
        found = found.filter(Q(sku__istartswith=words) | Q(product__name__icontains=words))
    if only:
        found = found.filter(price_rows__price_list=price_list)
    return found.select_related("product").order_by("sku")


def _known(
    price_list: PriceList, variants: Sequence[Variant], now: datetime
) -> dict[tuple[UUID, str], Any]:
    """What they cost in the list and in the base, in two statements."""
    found = Price.objects.filter(
        Q(price_list=price_list) | Q(price_list=None, currency=price_list.currency),
        variant_id__in=[variant.pk for variant in variants],
    ).prefetch_related("entry_rows")
    known = {}
    for price in found:
        # In memory only: readers see what has turned before it is written.
        price.advance(now=now)
        known[price.variant_id, price.list_code] = price_now(price)
    return known


class ChannelForm(ServiceForm):
    code = code_field(help_text="What storefronts name it by. Never changes.")
    name = LineField(max_length=200)

    fields_of_codes = {"invalid_code": "code"}


@admin.register(Channel)
class ChannelAdmin(ScreenAdmin):
    rank = 65
    reads, writes = "catalogue.read", "catalogue.write"
    list_display = ("code", "name")
    ordering = ("code",)

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = ChannelForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            if Channel.objects.filter(pk=form.cleaned_data["code"]).exists():
                form.add_error("code", "There is a channel with this code.")
            else:
                return self._named(request, form, form.cleaned_data["code"])
        return self.shown(request, "infrastructure/one_form.html", title="New channel", form=form)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        form = ChannelForm(
            request.POST if request.method == "POST" else None, initial={"name": found.name}
        )
        del form.fields["code"]
        if form.is_valid():
            return self._named(request, form, found.code)
        return self.shown(request, "infrastructure/one_form.html", title=found.name, form=form)

    def _named(self, request: HttpRequest, form: ChannelForm, code: str) -> HttpResponseBase:
        price_lists.name_channel(code=code, name=form.cleaned_data["name"])
        messages.success(request, f"{form.cleaned_data['name']} is saved.")
        return HttpResponseRedirect(self.address("changelist"))
