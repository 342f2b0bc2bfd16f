"""Staff screens: figures to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from domains.reporting.models import SalesDay
from infrastructure.money import Money


@admin.register(SalesDay)
class SalesDayAdmin(admin.ModelAdmin):
    list_display = ("day", "currency", "confirmed", "rejected", "cancelled", "turnover", "net")
    list_filter = ("currency",)
    date_hierarchy = "day"
    ordering = ("-day", "currency")
    show_full_result_count = False

    @admin.display(description="Turnover", ordering="confirmed_minor")
    def turnover(self, sales: SalesDay) -> str:
        return str(Money(sales.confirmed_minor, sales.currency))

    @admin.display(description="Less cancelled")
    def net(self, sales: SalesDay) -> str:
        return str(Money(sales.confirmed_minor - sales.cancelled_minor, sales.currency))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
