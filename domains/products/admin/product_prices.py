"""The prices of a product: what is asked now and later, sales, tiers, and what was asked before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from domains.products.admin import products as screens
from domains.products.admin.fields import actor_of
from domains.products.models import Price, PriceEntry, PriceList, Product
from domains.products.queries.prices import PriceNow, price_lists, price_now
from domains.products.services import prices
from domains.products.services.prices import NewPrice
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.form_fields import instant_field
from infrastructure.money import InvalidMoney, Money
from infrastructure.screens import ServiceForm

if TYPE_CHECKING:
    from domains.products.admin.products import ProductAdmin

# Of what was asked before; all of it is in the API.
MOST_OLD = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownEntry:
    entry: PriceEntry
    money: Money
    standing: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPrices:
    """All of one SKU in one list."""

    price: Price
    now: PriceNow
    live: Sequence[ShownEntry]
    old: Sequence[ShownEntry]


class NewPriceForm(ServiceForm):
    skus = forms.MultipleChoiceField(label="Variants", widget=forms.CheckboxSelectMultiple)
    price_list = forms.ChoiceField(required=False)
    amount = forms.CharField(max_length=20, widget=forms.TextInput(attrs={"class": "number"}))
    kind = forms.ChoiceField(
        choices=[("regular", "Regular price"), ("sale", "Sale: shown as a reduction")]
    )
    min_quantity = forms.IntegerField(
        min_value=1, max_value=1_000_000, initial=1, label="From a quantity of"
    )
    valid_from = instant_field(label="From (UTC)", help_text="Empty: from now on.")
    valid_until = instant_field(label="Until (UTC)", help_text="Empty: until it is changed.")

    fields_of_codes = {
        "negative_price": "amount",
        "invalid_validity": "valid_until",
        "invalid_quantity": "min_quantity",
        "unknown_price_list": "price_list",
    }

    def __init__(self, data: Any, *, product: Product, lists: Sequence[PriceList]) -> None:
        sold = [variant.sku for variant in product.variants if variant.retired_at is None]
        super().__init__(data, initial={"skus": sold if len(sold) == 1 else ()})
        self.lists = {one.code: one for one in lists}
        skus: Any = self.fields["skus"]
        skus.choices = [(sku, sku) for sku in sold]
        choice: Any = self.fields["price_list"]
        choice.choices = [
            ("", f"Base ({settings.DEFAULT_CURRENCY})"),
            *((one.code, f"{one.name} ({one.currency})") for one in lists),
        ]

    def clean(self) -> None:
        said = self.cleaned_data
        chosen = self.lists.get(said.get("price_list") or "")
        currency = chosen.currency if chosen else settings.DEFAULT_CURRENCY
        try:
            said["money"] = Money.parse(said.get("amount", "").strip() or "0", currency)
        except InvalidMoney as error:
            self.add_error("amount", str(error))

    @property
    def prices(self) -> list[NewPrice]:
        said = self.cleaned_data
        return [
            NewPrice(
                sku=sku,
                money=said["money"],
                kind=said["kind"],
                min_quantity=said["min_quantity"],
                valid_from=said["valid_from"],
                valid_until=said["valid_until"],
                price_list=said["price_list"] or None,
            )
            for sku in said["skus"]
        ]


def prices_page(screen: ProductAdmin, request: HttpRequest, product_id: UUID) -> HttpResponseBase:
    found = screen.found(request, product_id)
    product = screens.whole(found.pk)
    posted = request.POST if request.method == "POST" else None
    ending = posted is not None and "end" in posted
    form = NewPriceForm(
        None if ending else posted, product=product, lists=list(price_lists().order_by("code"))
    )
    if posted is not None:
        screen.require_write(request)
        if ending:
            _end(request, product, posted["end"])
            return HttpResponseRedirect(request.path)
        if form.is_valid():
            try:
                prices.set_prices(prices=form.prices, actor_id=actor_of(request), now=clock.now())
            except DomainError as refusal:
                form.refuse(refusal)
            else:
                what = f"{form.cleaned_data['money']} for {', '.join(form.cleaned_data['skus'])}"
                messages.success(request, f"{what} is set.")
                return HttpResponseRedirect(request.path)
    return screen.shown(
        request,
        "products/prices.html",
        title=product.name,
        product=product,
        tabs=screens.tabs(product, "prices"),
        prices=_shown(product, clock.now()),
        form=form,
        most_old=MOST_OLD,
        may_write=screen.has_write_permission(request)
        and product.status != Product.Status.ARCHIVED,
    )


def _end(request: HttpRequest, product: Product, entry_id: str) -> None:
    entries = PriceEntry.objects.filter(price__variant__product_id=product.pk)
    known = {str(pk) for pk in entries.values_list("pk", flat=True)}
    entry = entries.select_related("price").get(pk=entry_id) if entry_id in known else None
    if entry is None:
        messages.error(request, "That price is not there.")
        return
    try:
        prices.cancel_price(
            sku=entry.price.sku, entry_id=entry.pk, actor_id=actor_of(request), now=clock.now()
        )
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        money = Money(entry.amount_minor, entry.price.currency)
        messages.success(request, f"{money} for {entry.price.sku} is taken back.")


def _shown(product: Product, now: datetime) -> list[ShownPrices]:
    """Two statements."""
    places = {variant.pk: place for place, variant in enumerate(product.variants)}
    found = Price.objects.filter(variant_id__in=list(places)).prefetch_related("entry_rows")
    shown = []
    for price in sorted(found, key=lambda one: (places[one.variant_id], one.list_code)):
        entries = sorted(price.entries, key=lambda entry: -entry.number)
        told = [_entry(entry, price.currency, now) for entry in entries]
        # In memory only: readers see what has turned before it is written.
        price.advance(now=now)
        shown.append(
            ShownPrices(
                price=price,
                now=price_now(price),
                live=[one for one in told if one.entry.is_live(now)],
                old=[one for one in told if not one.entry.is_live(now)][:MOST_OLD],
            )
        )
    return shown


def _entry(entry: PriceEntry, currency: str, now: datetime) -> ShownEntry:
    if not entry.is_live(now):
        standing = entry.get_ending_display() if entry.ending else "over"
    else:
        standing = "scheduled" if entry.from_at > now else "in force"
    return ShownEntry(entry=entry, money=Money(entry.amount_minor, currency), standing=standing)
