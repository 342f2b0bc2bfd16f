"""The staff's view of orders."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from domains.orders import queries
from domains.orders.models import Order, OrderLine
from domains.orders.services import placement, settling
from infrastructure import clock
from infrastructure.money import Money
from infrastructure.screens import ReadOnlyAdmin, ReadOnlyInline

ADDRESS_LINES = ("name", "line1", "line2", "city", "region", "postcode", "country", "phone")


class LineInline(ReadOnlyInline):
    model = OrderLine
    fields = ("sku", "name", "quantity", "unit_price", "amount")
    readonly_fields = fields

    @admin.display(description="unit price")
    def unit_price(self, line: OrderLine) -> str:
        return str(Money(line.unit_price_minor, line.order.currency))

    @admin.display(description="amount")
    def amount(self, line: OrderLine) -> str:
        return str(Money(line.amount_minor, line.order.currency))

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("order")


class Unsettled(admin.SimpleListFilter):
    title = "settling"
    parameter_name = "settling"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unsettled", "Something is left to do")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(unsettled_since__isnull=False) if self.value() else queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("number", "status", "reason", "total", "payment_method", "placed_at")
    list_filter = (Unsettled, "status", "payment_method", "asynchronous")
    search_fields = ("=number", "=id", "=customer_id", "=line_rows__sku")
    search_help_text = "A whole order number, SKU, or the id of an order or a customer."
    date_hierarchy = "placed_at"
    ordering = ("-placed_at", "-id")
    # Without the token: nobody needs to see what a card is called at the gateway.
    fields = (
        "number",
        "id",
        "customer_id",
        ("status", "reason"),
        ("payment_status", "payment_method"),
        "total",
        "address",
        ("placed_at", "decided_at"),
        ("cancel_requested_at", "cancel_reason"),
        "unsettled_since",
        "shortages",
        ("asynchronous", "version"),
    )
    readonly_fields = ("payment_status", "total", "address")
    inlines = (LineInline,)
    actions = ("cancel", "settle")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "orders.cancel")

    def describe(self, selected: Order) -> str:
        return f"{selected}: {selected.status}, {selected.total}"

    @admin.display(ordering="total_minor")
    def total(self, order: Order) -> str:
        return str(order.total)

    @admin.display(description="payment status")
    def payment_status(self, order: Order) -> str:
        return queries.payment_statuses([order])[order.id]

    @admin.display(description="shipping address")
    def address(self, order: Order) -> str:
        return ", ".join(filter(None, map(order.shipping_address.get, ADDRESS_LINES)))

    @admin.action(description="Cancel selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> TemplateResponse | None:
        return self.confirmed(
            request,
            queryset,
            _cancel,
            title="Cancel orders",
            question="Release the goods of these orders and void their payments?",
            wants_reason=True,
        )

    @admin.action(description="Settle selected orders now", permissions=["cancel"])
    def settle(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        self.run(request, queryset, _settle)


def _cancel(order: Order, reason: str) -> str:
    return placement.cancel_order(order_id=order.id, reason=reason, now=clock.now()).status.lower()


def _settle(order: Order, reason: str) -> str:
    return settling.settle(order_id=order.id, now=clock.now()).status.lower()
