"""Operations, and the journal of what they moved."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from domains.payments.models import (
    JournalEntry,
    Operation,
)
from infrastructure.money import Money
from infrastructure.screens import ReadOnlyAdmin, ReadOnlyInline


class OperationInline(ReadOnlyInline):
    model = Operation
    fields = readonly_fields = (
        "id",
        "kind",
        "amount",
        "state",
        "asked_elsewhere",
        "reason",
        "actor_id",
        "decline_code",
        "gateway_reference",
        "attempts",
        "sent_at",
        "finished_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        return super().get_queryset(request).select_related("payment")

    @admin.display
    def amount(self, operation: Operation) -> str:
        return str(Money(operation.amount_minor, operation.payment.currency))


class JournalInline(ReadOnlyInline):
    model = JournalEntry
    fields = readonly_fields = (
        "operation_id",
        "debit_account",
        "credit_account",
        "amount",
        "booked_at",
    )

    @admin.display
    def amount(self, entry: JournalEntry) -> str:
        return str(Money(entry.amount_minor, entry.currency))


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = ("payment", "kind", "amount", "state", "asked_elsewhere", "sent_at")
    list_filter = ("state", "kind", "asked_elsewhere")
    list_select_related = ("payment",)
    search_fields = ("=id", "=payment__reference")
    search_help_text = "The whole reference of the payment, or the operation's id."
    ordering = ("-id",)
    fields = ("payment", *OperationInline.fields)

    @admin.display(ordering="amount_minor")
    def amount(self, operation: Operation) -> str:
        return str(Money(operation.amount_minor, operation.payment.currency))


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ("booked_at", "payment", "debit_account", "credit_account", "amount")
    list_filter = ("debit_account", "credit_account", "currency")
    list_select_related = ("payment",)
    search_fields = ("=operation_id", "=payment__reference")
    search_help_text = "The whole reference of the payment, or the operation's id."
    ordering = ("-id",)
    fields = ("payment", *JournalInline.fields)

    @admin.display(ordering="amount_minor")
    def amount(self, entry: JournalEntry) -> str:
        return str(Money(entry.amount_minor, entry.currency))
