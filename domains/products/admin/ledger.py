"""What happened to the stock, and who holds it: written by commands, looked at here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from domains.products.models import (
    Reservation,
    ReservationLine,
    StockMovement,
)
from infrastructure.screens import (
    ReadOnlyAdmin,
    ReadOnlyInline,
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
