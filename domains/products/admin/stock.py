"""Stock: what there is and what is promised, in a list and of one SKU."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from domains.products.admin.bulk import ask_and_do
from domains.products.admin.fields import thumbnail
from domains.products.admin.stock_bulk import Adjusting
from domains.products.admin.stock_doings import doings_of
from domains.products.errors import StockChanged
from domains.products.models import (
    ReservationLine,
    StockItem,
    StockLevel,
    StockMovement,
    Warehouse,
)
from domains.products.queries.media import thumbnails
from infrastructure.errors import DomainError
from infrastructure.http.idempotency import Duplicate
from infrastructure.screens import SHORTCUTS, ScreenAdmin, Shortcut

_STOCK = "admin:products_stockitem_changelist"
SHORTCUTS += [
    Shortcut(title="Stock", url=_STOCK, scope="inventory.read", rank=20),
    Shortcut(
        title="Shortages",
        url=_STOCK,
        scope="inventory.read",
        rank=21,
        query="?availability=short",
    ),
    Shortcut(
        title="Running low",
        url=_STOCK,
        scope="inventory.read",
        rank=22,
        query="?availability=low",
    ),
]
# Of the ledger and of the holds; their own lists have all of them.
MOVEMENTS_SHOWN = HOLDS_SHOWN = 25


class Availability(admin.SimpleListFilter):
    title = "availability"
    parameter_name = "availability"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("short", "More held than there is"),
            ("low", "Running low"),
            ("none", "Nothing left"),
            ("some", "Available"),
            ("backordered", "Backordered"),
            ("backorder", "Backorders allowed"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> QuerySet[StockItem]:
        possible = F("on_hand") + F("backorder_limit")
        match self.value():
            case "short":
                return queryset.filter(held__gt=possible)
            case "low":
                return queryset.filter(
                    Q(low_stock_threshold__isnull=False),
                    held__gte=possible - F("low_stock_threshold"),
                )
            case "none":
                return queryset.filter(held__gte=possible)
            case "some":
                return queryset.filter(held__lt=possible)
            case "backordered":
                return queryset.filter(held__gt=F("on_hand"))
            case "backorder":
                return queryset.filter(backorder_limit__gt=0)
            case _:
                return queryset


class LyingIn(admin.SimpleListFilter):
    title = "warehouse"
    parameter_name = "warehouse"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = Warehouse.objects.order_by("code").values_list("code", "name")
        return [(code, name or code) for code, name in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> QuerySet[StockItem]:
        if not self.value():
            return queryset
        there = StockLevel.objects.filter(
            stock_item_id=OuterRef("pk"), warehouse_id=self.value(), on_hand__gt=0
        )
        return queryset.filter(Exists(there))


class OfProduct(admin.SimpleListFilter):
    """Where the page of a product leads to; to be left again."""

    title = "product"
    parameter_name = "product"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get("product")
        return [(chosen, "This product")] if chosen else []

    def has_output(self) -> bool:
        return bool(self.lookup_choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> QuerySet[StockItem]:
        chosen = self.value()
        if not chosen:
            return queryset
        try:
            return queryset.filter(variant__product_id=UUID(chosen))
        except ValueError:
            return queryset.none()


class StockList(ChangeList):
    """A page with its pictures and levels in a few statements."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        products = {item.variant.product_id for item in self.result_list}
        pictures = thumbnails(sorted(products)) if products else {}
        for item in self.result_list:
            item.thumbnail = pictures.get(item.variant.product_id)


@admin.register(StockItem)
class StockItemAdmin(ScreenAdmin):
    rank = 20
    reads, writes = "inventory.read", "inventory.write"
    list_display = (
        *("picture", "sku", "product", "on_hand", "held", "available", "places"),
        *("backorder_limit", "low_stock_threshold"),
    )
    list_display_links = ("picture", "sku")
    list_filter = (Availability, LyingIn, OfProduct)
    list_per_page = 50
    search_fields = ("=sku", "^sku", "variant__product__name")
    search_help_text = "A SKU or its beginning, or words of the product's name."
    ordering = ("sku",)
    actions = ("adjust",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return StockList

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockItem]:
        found = super().get_queryset(request)
        return found.select_related("variant__product").prefetch_related("level_rows")

    @admin.display(description="")
    def picture(self, item: Any) -> str:
        return thumbnail(item.thumbnail)

    @admin.display(ordering="variant__product__name")
    def product(self, item: StockItem) -> str:
        return format_html(
            '<a href="{}">{}</a>{}',
            reverse("admin:products_product_change", args=[item.variant.product_id]),
            item.variant.product.name,
            f", {item.variant.name}" if item.variant.name else "",
        )

    @admin.display(description="available")
    def available(self, item: StockItem) -> str:
        if item.left < 0:
            return format_html('<span class="bad">{} missing</span>', f"{-item.left:,}")
        return format_html('<span class="{}">{}</span>', "bad" if item.is_low else "", item.left)

    @admin.display(description="where")
    def places(self, item: StockItem) -> str:
        levels = sorted(item.levels, key=lambda level: level.warehouse_id)
        return ", ".join(f"{one.warehouse_id} {one.on_hand:,}" for one in levels if one.on_hand)

    # One SKU

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        posted = request.POST if request.method == "POST" else None
        what = "" if posted is None else posted.get("do", "")
        doings = doings_of(found, what, posted)
        doing = next((one for one in doings if one.what == what), None)
        if doing is not None and doing.form.is_valid():
            form = doing.form
            try:
                done = doing.command(found.sku, form.cleaned_data, request)
            except Duplicate as twice:
                messages.success(request, twice.detail)
                return HttpResponseRedirect(request.path)
            except StockChanged as changed:
                messages.error(request, f"{changed.detail} Nothing was saved; look again.")
                return HttpResponseRedirect(request.path)
            except DomainError as refusal:
                form.refuse(refusal)
            else:
                messages.success(request, f"{found.sku}: {done}.")
                return HttpResponseRedirect(request.path)
        movements = StockMovement.objects.filter(stock_item_id=found.pk).order_by("-id")
        holds = ReservationLine.objects.filter(
            stock_item_id=found.pk, reservation__status="HELD"
        ).select_related("reservation")
        its_movements = urlencode({"q": found.sku})
        return self.shown(
            request,
            "products/stock.html",
            title=f"Stock of {found.sku}",
            item=found,
            levels=sorted(found.levels, key=lambda level: level.warehouse_id),
            doings=doings,
            movements=movements[:MOVEMENTS_SHOWN],
            holds=holds.order_by("-reservation__created_at")[:HOLDS_SHOWN],
            ledger=f"{reverse('admin:products_stockmovement_changelist')}?{its_movements}",
        )

    # Several SKUs

    @admin.action(description="Adjust the stock of selected SKUs", permissions=["write"])
    def adjust(
        self, request: HttpRequest, queryset: QuerySet[StockItem]
    ) -> TemplateResponse | None:
        return ask_and_do(self, request, queryset, Adjusting())
