"""Staff screens: state is read-only, actions call services and show their refusals."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from domains.payments import rules, services
from domains.payments.models import (
    JournalEntry,
    Operation,
    Payment,
    ReconciliationDifference,
)
from infrastructure import clock
from infrastructure.money import InvalidMoney, Money
from infrastructure.screens import ReadOnlyAdmin, ReadOnlyInline, ServiceForm


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


class NeedsAttention(admin.SimpleListFilter):
    title = "needs attention"
    parameter_name = "needs_attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(needs_attention_at__isnull=False) if self.value() else queryset


class ReceiptForm(ServiceForm):
    """What the bank's statement says of one transfer."""

    amount = forms.CharField(max_length=20, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    reference = forms.CharField(max_length=200, help_text="The bank's own for this transfer.")
    received_on = forms.DateField(label="Day", help_text="When the money came, such as 2026-03-02.")

    def __init__(self, *args: Any, payment: Payment, **options: Any) -> None:
        super().__init__(*args, **options)
        self._currency = payment.currency
        self.fields["amount"].help_text = f"In {payment.currency}."

    def clean_amount(self) -> Money:
        try:
            return Money.parse(self.cleaned_data["amount"], self._currency)
        except InvalidMoney as error:
            raise ValidationError(str(error), code=error.code) from error

    @property
    def fingerprint(self) -> str:
        """What was looked at is what is written down."""
        said = self.cleaned_data
        return f"{said['amount']} {said['received_on']} {said['reference']}"

    def comes_to(self, payment: Payment) -> str:
        amount: Money = self.cleaned_data["amount"]
        came = payment.captured_minor - payment.refunded_minor + amount.amount_minor
        there = Money(came, payment.currency)
        return f"{amount} are written down. Then {there} of {payment.money} are there."

    def record(self, payment: Payment, *, actor_id: UUID) -> None:
        """Raises what the service refuses."""
        day = datetime.combine(self.cleaned_data["received_on"], time(), UTC)
        services.record_receipt(
            payment_id=payment.id,
            amount=self.cleaned_data["amount"],
            reference=self.cleaned_data["reference"],
            received_at=day,
            actor_id=actor_id,
            now=clock.now(),
        )


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
        "released",
        "method",
        "gateway",
        "decline_code",
        "owed_back",
        "deadline_at",
        "void_requested_at",
        "void_reason",
        "receipts",
        "retry_at",
        "needs_attention_at",
        "disputed_at",
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
    def released(self, payment: Payment) -> str:
        return str(Money(payment.released_minor, payment.currency)) if payment.money else ""

    @admin.display
    def refunded(self, payment: Payment) -> str:
        return str(Money(payment.refunded_minor, payment.currency)) if payment.money else ""

    @admin.display(description="to be given back")
    def owed_back(self, payment: Payment) -> str:
        owed = payment.owed_back_minor
        return str(Money(owed, payment.currency)) if owed else ""

    @admin.display(description="money that came by bank")
    def receipts(self, payment: Payment) -> str:
        if not payment.takes_receipts:
            return ""
        page = reverse("admin:payments_payment_receipt", args=[payment.pk])
        return format_html('<a href="{}">Record a receipt</a>', page)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.record_receipt)
        page = path("<uuid:payment_id>/receipt/", view, name="payments_payment_receipt")
        return [page, *super().get_urls()]

    def record_receipt(self, request: HttpRequest, payment_id: UUID) -> HttpResponseBase:
        """Money that came by bank: entered, looked at once more, and written down."""
        payment = Payment.objects.filter(pk=payment_id).first()
        if payment is None or not payment.takes_receipts:
            raise Http404
        if not self.may(request, "payments.record"):
            raise PermissionDenied
        page = reverse("admin:payments_payment_change", args=[payment.pk])
        form = ReceiptForm(request.POST or None, payment=payment)
        agreed = ""
        if form.is_valid():
            agreed = form.fingerprint
            if request.POST.get("agreed") == agreed:
                with form.refusals():
                    form.record(payment, actor_id=UUID(str(request.user.pk)))
                    messages.success(request, f"{form.cleaned_data['amount']} came in.")
                    return HttpResponseRedirect(page)
                agreed = ""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Money for {payment}",
            "opts": self.model._meta,
            "form": form,
            "agreed": agreed,
            "comes_to": form.comes_to(payment) if agreed else "",
            "back": page,
        }
        return TemplateResponse(request, "payments/receipt.html", context)

    def describe(self, selected: Payment) -> str:
        return f"{selected}: {selected.status}, {selected.money}"

    @admin.display(description="amount", ordering="amount_minor")
    def money(self, payment: Payment) -> str:
        return payment.money

    @admin.action(description="Capture selected payments", permissions=["capture"])
    def capture(self, request: HttpRequest, queryset: QuerySet[Payment]) -> TemplateResponse | None:
        actor_id = request.user.pk

        def capture(payment: Payment, reason: str) -> str:
            payment, capture = services.capture(
                payment_id=payment.id, reason=reason, actor_id=actor_id, now=clock.now()
            )
            rules.refuse_failed(capture)
            return payment.get_status_display()

        return self.confirmed(
            request,
            queryset,
            capture,
            title="Capture payments",
            question="Take all the money that is left of these?",
            wants_reason=True,
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
        actor_id = request.user.pk

        def void(payment: Payment, reason: str) -> str:
            payment = services.void(
                payment_id=payment.id, reason=reason, actor_id=actor_id, now=clock.now()
            )
            rules.refuse_failed_void(payment.operations)
            return payment.get_status_display()

        return self.confirmed(
            request,
            queryset,
            void,
            title="Void payments",
            question="Let the money of these payments go?",
            wants_reason=True,
        )

    @admin.action(description="Ask the gateway what became of them", permissions=["capture"])
    def ask_gateway(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        self.run(request, queryset, _resolve)


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


class IsOpen(admin.SimpleListFilter):
    title = "state"
    parameter_name = "is"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Closed")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReconciliationDifference]
    ) -> QuerySet[ReconciliationDifference]:
        if self.value() not in ("open", "closed"):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "open")


@admin.register(ReconciliationDifference)
class DifferenceAdmin(ReadOnlyAdmin):
    list_display = ("kind", "operation_kind", "subject", "ours", "theirs", "at", "closed_at")
    list_filter = (IsOpen, "kind", "gateway")
    search_fields = ("=subject", "=payment_id", "=gateway_reference", "=authorisation")
    search_help_text = "Our key, the payment's id, or the gateway's own name for it."
    ordering = ("-first_seen_at",)
    actions = ("compare_again", "close")

    def has_reconcile_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "payments.reconcile")

    def describe(self, selected: ReconciliationDifference) -> str:
        return f"{selected} ({self.ours(selected)} here, {self.theirs(selected)} there)"

    @admin.display(description="here")
    def ours(self, difference: ReconciliationDifference) -> str:
        return _told(difference.our_state, difference.our_amount_minor, difference.our_currency)

    @admin.display(description="there")
    def theirs(self, difference: ReconciliationDifference) -> str:
        return _told(
            difference.their_state, difference.their_amount_minor, difference.their_currency
        )

    @admin.action(description="Compare selected differences again", permissions=["reconcile"])
    def compare_again(
        self, request: HttpRequest, queryset: QuerySet[ReconciliationDifference]
    ) -> None:
        self.run(request, queryset, _compare_again)

    @admin.action(description="Close selected differences", permissions=["reconcile"])
    def close(
        self, request: HttpRequest, queryset: QuerySet[ReconciliationDifference]
    ) -> TemplateResponse | None:
        actor_id = request.user.pk
        assert actor_id is not None  # nobody else comes here

        def close(difference: ReconciliationDifference, reason: str) -> str:
            services.close_difference(
                difference_id=difference.id, reason=reason, actor_id=actor_id, now=clock.now()
            )
            return "closed"

        return self.confirmed(
            request,
            queryset,
            close,
            title="Close differences",
            question="Are these settled, and how?",
            wants_reason=True,
        )


def _told(state: str, amount_minor: int | None, currency: str) -> str:
    if amount_minor is None or not currency:
        return state or "nothing"
    return f"{state} {Money(amount_minor, currency)}"


def _compare_again(difference: ReconciliationDifference, reason: str) -> str:
    is_gone = services.compare_again(difference_id=difference.id, now=clock.now())
    return "gone" if is_gone else "still there"


def _resolve(payment: Payment, reason: str) -> str:
    return services.resolve(payment_id=payment.id, now=clock.now()).get_status_display()
