"""Stock: what there is and what is promised, and everything that staff do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from domains.products.admin.fields import (
    actor_of,
    code_field,
    quantity_field,
    thumbnail,
    warehouse_choices,
)
from domains.products.errors import StockChanged
from domains.products.models import (
    MAIN_WAREHOUSE,
    Reservation,
    ReservationLine,
    StockItem,
    StockLevel,
    StockMovement,
    Warehouse,
)
from domains.products.queries.media import thumbnails
from domains.products.rules import stock as rules
from domains.products.services import inventory, warehouses
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError
from infrastructure.http.idempotency import Duplicate, IdempotencyKey, find, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.screens import (
    MOST_AT_ONCE,
    SHORTCUTS,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ScreenAdmin,
    ServiceForm,
    Shortcut,
)

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
            ("backorder", "Sold beyond the stock"),
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


class AdjustmentForm(ServiceForm):
    delta = forms.IntegerField(
        min_value=-rules.MAX_QUANTITY,
        max_value=rules.MAX_QUANTITY,
        label="Add or take away",
        help_text="How many to add; below zero to take away.",
    )
    warehouse = forms.ChoiceField(required=False)
    reason = forms.CharField(max_length=200)
    # Sending the page twice adjusts once.
    token = forms.UUIDField(widget=forms.HiddenInput)

    fields_of_codes = {
        "negative_stock": "delta",
        "invalid_quantity": "delta",
        "warehouse_inactive": "warehouse",
    }

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **{"initial": {"token": new_id()}} | options)
        _offer_warehouses(self, "warehouse")


class CountForm(ServiceForm):
    on_hand = quantity_field(label="Counted")
    warehouse = forms.ChoiceField()
    change_from = quantity_field(widget=forms.HiddenInput)
    reason = forms.CharField(max_length=200, initial="count")

    fields_of_codes = {"warehouse_inactive": "warehouse"}


class TransferForm(ServiceForm):
    quantity = quantity_field(min_value=1)
    from_warehouse = forms.ChoiceField(label="From")
    to_warehouse = forms.ChoiceField(label="To")
    reason = forms.CharField(max_length=200)
    token = forms.UUIDField(widget=forms.HiddenInput)

    fields_of_codes = {
        "negative_stock": "quantity",
        "invalid_quantity": "quantity",
        "same_warehouse": "to_warehouse",
    }

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **{"initial": {"token": new_id()}} | options)
        _offer_warehouses(self, "from_warehouse", "to_warehouse")
        to: Any = self.fields["to_warehouse"]
        to.initial = next((code for code, _ in to.choices if code != MAIN_WAREHOUSE), None)


class SettingsForm(ServiceForm):
    backorder_limit = quantity_field(
        label="Backorders", help_text="How many more may be promised than there are."
    )
    low_stock_threshold = quantity_field(
        required=False,
        label="Running low at",
        help_text="Staff are told when no more than this can be promised. Empty: never.",
    )
    reason = forms.CharField(max_length=200)
    seen_limit = quantity_field(widget=forms.HiddenInput)
    seen_threshold = quantity_field(required=False, widget=forms.HiddenInput)


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
        doings = _doings(found, what, posted)
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
        return self.shown(
            request,
            "products/stock.html",
            title=f"Stock of {found.sku}",
            item=found,
            levels=sorted(found.levels, key=lambda level: level.warehouse_id),
            doings=doings,
            movements=movements[:MOVEMENTS_SHOWN],
            holds=holds.order_by("-reservation__created_at")[:HOLDS_SHOWN],
            ledger=f"{reverse('admin:products_stockmovement_changelist')}?q={found.sku}",
        )

    # Several SKUs

    @admin.action(description="Adjust the stock of selected SKUs", permissions=["write"])
    def adjust(
        self, request: HttpRequest, queryset: QuerySet[StockItem]
    ) -> TemplateResponse | None:
        sent = "token" in request.POST
        form = AdjustmentForm(request.POST if sent else None)
        if sent and form.is_valid():
            self.run(
                request,
                queryset,
                lambda item, _: _adjust(item.sku, form.cleaned_data, request),
            )
            return None
        return self.shown(
            request,
            "products/adjust_stock.html",
            title="Adjust the stock",
            form=form,
            selected=queryset[:MOST_AT_ONCE],
            back=reverse(_STOCK),
        )


def _offer_warehouses(form: forms.Form, *names: str) -> None:
    choices = warehouse_choices()
    for name in names:
        field: Any = form.fields[name]
        field.choices = choices
        field.initial = MAIN_WAREHOUSE
        if len(choices) == 1 and len(names) == 1:
            field.widget = forms.HiddenInput()


@dataclass(frozen=True, kw_only=True, slots=True)
class Doing:
    """Something that can be done with a SKU. command: given its SKU and what the form says."""

    what: str
    title: str
    button: str
    form: ServiceForm
    command: Callable[[str, dict[str, Any], HttpRequest], str]


def _doings(item: StockItem, what: str, posted: Any) -> list[Doing]:
    """The one that was sent is filled with what was sent."""

    def sent(name: str) -> Any:
        return posted if what == name else None

    adjust = AdjustmentForm(sent("adjust"), prefix="adjust")
    found = [
        Doing(
            what="adjust",
            title="Add or take away",
            button="Adjust",
            form=adjust,
            command=_adjust,
        )
    ]
    levels = {level.warehouse_id: level.on_hand for level in item.levels}
    choices = warehouse_choices()
    for code, name in choices:
        key, there = f"count-{code}", levels.get(code, 0)
        initial = {"on_hand": there, "change_from": there, "warehouse": code}
        count = CountForm(sent(key), prefix=key, initial=initial)
        place: Any = count.fields["warehouse"]
        place.choices, place.widget = [(code, name)], forms.HiddenInput()
        title = "Record a count" if len(choices) == 1 else f"Record a count in {name}"
        found.append(Doing(what=key, title=title, button="Record", form=count, command=_count))
    if len(choices) > 1:
        transfer = TransferForm(sent("transfer"), prefix="transfer")
        found.append(
            Doing(
                what="transfer",
                title="Transfer",
                button="Transfer",
                form=transfer,
                command=_transfer,
            )
        )
    settings = SettingsForm(
        sent("settings"),
        prefix="settings",
        initial={
            "backorder_limit": item.backorder_limit,
            "low_stock_threshold": item.low_stock_threshold,
            "seen_limit": item.backorder_limit,
            "seen_threshold": item.low_stock_threshold,
        },
    )
    found.append(
        Doing(
            what="settings",
            title="Settings",
            button="Save",
            form=settings,
            command=_configure,
        )
    )
    return found


def _adjust(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    with _once(request, f"admin adjust {sku}", asked) as key:
        adjusted = inventory.adjust_stock(
            sku=sku,
            delta=asked["delta"],
            reason=asked["reason"],
            warehouse=asked["warehouse"] or MAIN_WAREHOUSE,
            actor_id=actor_of(request),
            now=clock.now(),
            idempotency=key,
        )
    return f"{asked['delta']:+}, now {adjusted.on_hand} on hand"


def _count(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    counted = inventory.count_stock(
        sku=sku,
        on_hand=asked["on_hand"],
        change_from=asked["change_from"],
        reason=asked["reason"],
        warehouse=asked["warehouse"],
        actor_id=actor_of(request),
        now=clock.now(),
    )
    return f"counted {asked['on_hand']}, now {counted.on_hand} on hand in all"


def _transfer(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    with _once(request, f"admin transfer {sku}", asked) as key:
        inventory.transfer_stock(
            sku=sku,
            quantity=asked["quantity"],
            from_warehouse=asked["from_warehouse"],
            to_warehouse=asked["to_warehouse"],
            reason=asked["reason"],
            actor_id=actor_of(request),
            now=clock.now(),
            idempotency=key,
        )
    return f"{asked['quantity']} carried to {asked['to_warehouse']}"


def _configure(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    inventory.configure_stock(
        sku=sku,
        settings={
            "backorder_limit": asked["backorder_limit"],
            "low_stock_threshold": asked["low_stock_threshold"],
        },
        change_from={
            "backorder_limit": asked["seen_limit"],
            "low_stock_threshold": asked["seen_threshold"],
        },
        reason=asked["reason"],
        actor_id=actor_of(request),
        now=clock.now(),
    )
    return "the settings are saved"


@contextmanager
def _once(request: HttpRequest, route: str, asked: dict[str, Any]) -> Iterator[IdempotencyKey]:
    """Around a command, for a form that may be sent twice. Raises Duplicate the second time, also
    where by then the command itself would be refused."""
    key = _key(request, route, asked)
    try:
        yield key
    except DomainError as refusal:
        if find(alias_of("products"), key) is not None:
            raise Duplicate("That was recorded already.") from refusal
        raise


def _key(request: HttpRequest, route: str, asked: dict[str, Any]) -> IdempotencyKey:
    said = sorted((name, str(value)) for name, value in asked.items() if name != "token")
    return IdempotencyKey(
        client=f"user:{request.user.pk}",
        route=route,
        key=str(asked["token"]),
        fingerprint=fingerprint_of(said),
    )


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    rank = 70
    list_display = (
        *("created_at", "stock_item", "kind", "on_hand_delta", "held_delta", "backorder_delta"),
        *("warehouse", "order_id", "cart_id", "reason"),
    )
    list_filter = ("kind",)
    list_select_related = ("stock_item", "warehouse")
    search_fields = ("=stock_item__sku",)
    search_help_text = "A whole SKU."
    ordering = ("-id",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and self.may(request, "inventory.read")

    has_module_permission = has_view_permission


class ReservationLineInline(ReadOnlyInline):
    model = ReservationLine
    fields = readonly_fields = ("stock_item", "quantity")


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    rank = 75
    list_display = ("id", "holder", "status", "created_at", "expires_at", "released_at")
    list_filter = ("holder", "status")
    search_fields = ("=id",)
    search_help_text = "The id of an order or a cart."
    ordering = ("-id",)
    fields = ("id", "holder", "status", "created_at", "expires_at", "released_at", "version")
    inlines = (ReservationLineInline,)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and self.may(request, "inventory.read")

    has_module_permission = has_view_permission


class WarehouseForm(ServiceForm):
    code = code_field(max_length=32, help_text="Never changes: the ledger names it.")
    name = forms.CharField(max_length=200)
    address = forms.CharField(
        required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
    active = forms.BooleanField(
        required=False, initial=True, help_text="A closed one takes nothing in; empty it first."
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    fields_of_codes = {
        "warehouse_exists": "code",
        "main_warehouse_needed": "active",
        "warehouse_not_empty": "active",
    }


@admin.register(Warehouse)
class WarehouseAdmin(ScreenAdmin):
    rank = 60
    reads, writes = "inventory.read", "inventory.write"
    list_display = ("code", "name", "address", "active")
    ordering = ("code",)

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = WarehouseForm(request.POST if request.method == "POST" else None)
        del form.fields["active"]
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                warehouses.open_warehouse(
                    code=said["code"], name=said["name"], address=said["address"], now=clock.now()
                )
                messages.success(request, f"{said['name']} is open.")
                return HttpResponseRedirect(self.address("changelist"))
        return self.shown(request, "infrastructure/one_form.html", title="New warehouse", form=form)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        fields = ("name", "address", "active", "version")
        form = WarehouseForm(
            request.POST if request.method == "POST" else None,
            initial={name: getattr(found, name) for name in fields},
        )
        del form.fields["code"]
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                warehouses.edit_warehouse(
                    code=found.code,
                    version=said["version"],
                    name=said["name"],
                    address=said["address"],
                    active=said["active"],
                )
                messages.success(request, f"{said['name']} is saved.")
                return HttpResponseRedirect(self.address("changelist"))
        return self.shown(
            request, "infrastructure/one_form.html", title=found.name or found.code, form=form
        )
