"""Staff screens: state is read-only, actions call services and show their refusals."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from domains.products.models import (
    Category,
    Price,
    PriceEntry,
    PriceList,
    Product,
    ProductCategory,
    Reservation,
    ReservationLine,
    StockItem,
    StockLevel,
    StockMovement,
    Variant,
    Warehouse,
)
from domains.products.rules import stock as rules
from domains.products.services import inventory, prices, products
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.http.idempotency import IdempotencyKey, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.screens import MOST_AT_ONCE, ReadOnlyAdmin, ReadOnlyInline


class VariantInline(ReadOnlyInline):
    model = Variant
    fields = readonly_fields = ("sku", "name", "options", "unit", "prices", "stock")

    @admin.display
    def prices(self, variant: Variant) -> str:
        found = Price.objects.filter(sku=variant.sku, price_list=None).order_by("currency")
        return ", ".join(str(price.money or "none") for price in found)

    @admin.display(description="left to promise")
    def stock(self, variant: Variant) -> int | None:
        item = StockItem.objects.filter(pk=variant.pk).first()
        return None if item is None else item.left


class ProductCategoryInline(ReadOnlyInline):
    model = ProductCategory
    fields = readonly_fields = ("category",)
    verbose_name = "category"
    verbose_name_plural = "categories"


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "status", "created_at", "updated_at")
    list_filter = ("status",)
    search_fields = ("name", "=slug", "=variant_rows__sku")
    search_help_text = "A part of the name, or a whole slug or SKU."
    ordering = ("name", "id")
    fields = (
        "id",
        "name",
        "slug",
        "status",
        "description",
        ("created_at", "updated_at"),
        "version",
    )
    inlines = (VariantInline, ProductCategoryInline)
    actions = ("archive",)

    def has_write_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "catalogue.write")

    @admin.action(description="Archive selected products", permissions=["write"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Product]) -> TemplateResponse | None:
        return self.confirmed(
            request,
            queryset,
            _archive,
            title="Archive products",
            question="Take these products out of the catalogue for good?",
        )


def _archive(product: Product, reason: str) -> str:
    products.archive_product(product_id=product.id, version=None, now=clock.now())
    return "archived"


@admin.register(Category)
class CategoryAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "parent")
    list_select_related = ("parent",)
    search_fields = ("name", "=slug")
    ordering = ("name", "id")
    fields = ("id", "name", "slug", "parent", "created_at", "version")


class PercentForm(forms.Form):
    percent = forms.DecimalField(
        min_value=-100,
        max_value=1000,
        decimal_places=2,
        help_text="10 raises by a tenth, -10 lowers by a tenth.",
    )


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
    list_display = ("sku", "list_code", "money", "changes_at", "updated_at")
    list_filter = ("currency", "list_code")
    search_fields = ("=sku",)
    search_help_text = "A whole SKU."
    ordering = ("sku", "currency", "list_code")
    fields = ("id", "sku", "list_code", "money", "changes_at", "updated_at", "version")
    inlines = (PriceEntryInline,)
    actions = ("change_by_percent",)

    @admin.display(description="price", ordering="amount_minor")
    def money(self, price: Price) -> str:
        return str(price.money or "none")

    def has_write_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "catalogue.write")

    @admin.action(description="Change selected prices by percent", permissions=["write"])
    def change_by_percent(
        self, request: HttpRequest, queryset: QuerySet[Price]
    ) -> TemplateResponse | None:
        """Shows what would come of it, and does that or nothing once it is confirmed."""
        sent = "percent" in request.POST
        form = PercentForm(request.POST if sent else None)
        selected = list(queryset[: prices.BATCH])
        price_ids = [price.pk for price in selected]
        changes: list[prices.PercentChange] = []
        if sent and form.is_valid():
            percent = form.cleaned_data["percent"]
            if "change" in request.POST:
                try:
                    changed = prices.change_prices_by_percent(
                        price_ids=price_ids,
                        percent=percent,
                        previewed=request.POST.get("previewed", ""),
                        actor_id=request.user.pk,
                        now=clock.now(),
                    )
                except DomainError as refusal:
                    messages.error(request, refusal.detail)
                else:
                    said = f"{len(changed)} prices changed by {percent} percent."
                    messages.success(request, said)
                    return None
            changes = prices.preview_percent_change(
                price_ids=price_ids, percent=percent, now=clock.now()
            )
        context = {
            **self.admin_site.each_context(request),
            "title": "Change prices by percent",
            "form": form,
            "selected": selected,
            "changes": changes,
            "previewed": prices.digest_of(changes),
            "back": reverse("admin:products_price_changelist"),
        }
        return TemplateResponse(request, "products/change_prices.html", context)


@admin.register(PriceList)
class PriceListAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "currency", "channel", "customer_group", "priority", "active")
    list_filter = ("active", "currency", "channel")
    list_select_related = ("channel",)
    search_fields = ("=code", "name")
    ordering = ("-priority", "code")
    fields = (
        "id",
        "code",
        "name",
        "currency",
        "channel",
        "customer_group",
        "priority",
        "valid_from",
        "valid_until",
        "active",
        "version",
    )


class StockLevelInline(ReadOnlyInline):
    model = StockLevel
    fields = readonly_fields = ("warehouse", "on_hand")


class Availability(admin.SimpleListFilter):
    title = "availability"
    parameter_name = "availability"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("short", "More held than there is"),
            ("none", "Nothing left"),
            ("some", "Available"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> QuerySet[StockItem]:
        possible = F("on_hand") + F("backorder_limit")
        match self.value():
            case "short":
                return queryset.filter(held__gt=possible)
            case "none":
                return queryset.filter(held__gte=possible)
            case "some":
                return queryset.filter(held__lt=possible)
            case _:
                return queryset


class AdjustmentForm(forms.Form):
    delta = forms.IntegerField(
        min_value=-rules.MAX_QUANTITY,
        max_value=rules.MAX_QUANTITY,
        help_text="How many to add; below zero to take away.",
    )
    reason = forms.CharField(max_length=200)
    # Sending the page twice adjusts once.
    token = forms.UUIDField(widget=forms.HiddenInput)


@admin.register(StockItem)
class StockItemAdmin(ReadOnlyAdmin):
    list_display = ("sku", "on_hand", "held", "left", "backorder_limit", "low_stock_threshold")
    list_filter = (Availability,)
    search_fields = ("=sku", "^sku")
    search_help_text = "A SKU or its beginning."
    ordering = ("sku",)
    fields = (
        "variant_id",
        "sku",
        "on_hand",
        "held",
        "left",
        "backorder_limit",
        "low_stock_threshold",
        "version",
    )
    readonly_fields = ("left",)
    inlines = (StockLevelInline,)
    actions = ("adjust",)

    def has_write_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "inventory.write")

    @admin.display(description="left to promise")
    def left(self, item: StockItem) -> int:
        return item.left

    @admin.action(description="Adjust the stock of selected SKUs", permissions=["write"])
    def adjust(
        self, request: HttpRequest, queryset: QuerySet[StockItem]
    ) -> TemplateResponse | None:
        sent = "token" in request.POST
        form = AdjustmentForm(request.POST if sent else None, initial={"token": new_id()})
        if sent and form.is_valid():
            self.run(request, queryset, lambda item, _: _adjust(item, request, form.cleaned_data))
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Adjust the stock",
            "form": form,
            "selected": queryset[:MOST_AT_ONCE],
            "back": reverse("admin:products_stockitem_changelist"),
        }
        return TemplateResponse(request, "products/adjust_stock.html", context)


def _adjust(item: StockItem, request: HttpRequest, asked: dict[str, Any]) -> str:
    key = IdempotencyKey(
        client=f"user:{request.user.pk}",
        route=f"admin adjust {item.pk}",
        key=str(asked["token"]),
        fingerprint=fingerprint_of((asked["delta"], asked["reason"])),
    )
    adjusted = inventory.adjust_stock(
        sku=item.sku,
        delta=asked["delta"],
        reason=asked["reason"],
        actor_id=request.user.pk,
        now=clock.now(),
        idempotency=key,
    )
    return f"{asked['delta']:+}, now {adjusted.on_hand} on hand"


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "stock_item",
        "kind",
        "on_hand_delta",
        "held_delta",
        "warehouse",
        "order_id",
        "cart_id",
        "reason",
    )
    list_filter = ("kind",)
    list_select_related = ("stock_item", "warehouse")
    search_fields = ("=stock_item__sku",)
    search_help_text = "A whole SKU."
    ordering = ("-id",)


class ReservationLineInline(ReadOnlyInline):
    model = ReservationLine
    fields = readonly_fields = ("stock_item", "quantity")


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ("id", "holder", "status", "created_at", "expires_at", "released_at")
    list_filter = ("holder", "status")
    search_fields = ("=id",)
    search_help_text = "The id of an order or a cart."
    ordering = ("-id",)
    fields = ("id", "holder", "status", "created_at", "expires_at", "released_at", "version")
    inlines = (ReservationLineInline,)


@admin.register(Warehouse)
class WarehouseAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "active")
