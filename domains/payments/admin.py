"""Staff screens: state is read-only, actions call services and show their refusals."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from domains.payments import rules, services
from domains.payments.models import JournalEntry, Operation, Payment
from infrastructure import clock
from infrastructure.money import Money
from infrastructure.screens import ReadOnlyAdmin, ReadOnlyInline


class OperationInline(ReadOnlyInline):
    model = Operation
    fields = readonly_fields = (
        "id",
        "kind",
        "amount_minor",
        "state",
        "reason",
        "actor_id",
        "decline_code",
        "gateway_reference",
        "attempts",
        "sent_at",
        "finished_at",
    )


class JournalInline(ReadOnlyInline):
    model = JournalEntry
    fields = readonly_fields = (
        "operation_id",
        "debit_account",
        "credit_account",
        "amount_minor",
        "currency",
        "booked_at",
    )


class NeedsAttention(admin.SimpleListFilter):
    title = "needs attention"
    parameter_name = "needs_attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(needs_attention_at__isnull=False) if self.value() else queryset


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("reference", "status", "money", "method", "needs_attention_at", "created_at")
    list_filter = (NeedsAttention, "status", "method")
    search_fields = ("=id", "=reference")
    search_help_text = "The whole reference, or the id."
    ordering = ("-id",)  # ids are ordered by time
    # Without the token: nobody needs to see what a card is called at the gateway.
    fields = (
        "id",
        "reference",
        "customer_id",
        "status",
        "money",
        "authorised",
        "captured",
        "refunded",
        "method",
        "gateway",
        "decline_code",
        "void_requested_at",
        "retry_at",
        "needs_attention_at",
        "created_at",
        "updated_at",
        "version",
    )
    inlines = (OperationInline, JournalInline)
    actions = ("capture", "refund", "void", "ask_gateway")

    def has_capture_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "payments.capture")

    def has_void_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "payments.void")

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "payments.refund")

    @admin.display
    def authorised(self, payment: Payment) -> str:
        return str(Money(payment.authorised_minor, payment.currency)) if payment.money else ""

    @admin.display
    def captured(self, payment: Payment) -> str:
        return str(Money(payment.captured_minor, payment.currency)) if payment.money else ""

    @admin.display
    def refunded(self, payment: Payment) -> str:
        return str(Money(payment.refunded_minor, payment.currency)) if payment.money else ""

    def describe(self, selected: Payment) -> str:
        return f"{selected}: {selected.status}, {selected.money}"

    @admin.display(description="amount", ordering="amount_minor")
    def money(self, payment: Payment) -> str:
        return payment.money

    @admin.action(description="Capture selected payments", permissions=["capture"])
    def capture(self, request: HttpRequest, queryset: QuerySet[Payment]) -> TemplateResponse | None:
        return self.confirmed(
            request,
            queryset,
            _capture,
            title="Capture payments",
            question="Take all the money that is left of these?",
        )

    @admin.action(description="Refund selected payments", permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Payment]) -> TemplateResponse | None:
        actor_id = request.user.pk

        def refund(payment: Payment, reason: str) -> str:
            payment, refund = services.refund(
                payment_id=payment.id, reason=reason, actor_id=actor_id, now=clock.now()
            )
            rules.refuse_failed(refund)
            return payment.get_status_display()

        return self.confirmed(
            request,
            queryset,
            refund,
            title="Refund payments",
            question="Give back all the money that is left of these?",
            wants_reason=True,
        )

    @admin.action(description="Void selected payments", permissions=["void"])
    def void(self, request: HttpRequest, queryset: QuerySet[Payment]) -> TemplateResponse | None:
        return self.confirmed(
            request,
            queryset,
            _void,
            title="Void payments",
            question="Let the money of these payments go?",
        )

    @admin.action(description="Ask the gateway what became of them", permissions=["capture"])
    def ask_gateway(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        self.run(request, queryset, _resolve)


def _capture(payment: Payment, reason: str) -> str:
    payment, capture = services.capture(payment_id=payment.id, now=clock.now())
    rules.refuse_failed(capture)
    return payment.get_status_display()


def _void(payment: Payment, reason: str) -> str:
    payment = services.void(payment_id=payment.id, now=clock.now())
    rules.refuse_failed_void(payment.operations)
    return payment.get_status_display()


def _resolve(payment: Payment, reason: str) -> str:
    return services.resolve(payment_id=payment.id, now=clock.now()).get_status_display()
