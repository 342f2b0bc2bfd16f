"""Payments: what is left of one is taken, given back or let go by actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from domains.payments import services
from domains.payments.admin.operations import JournalInline, OperationInline
from domains.payments.admin.receipts import ReceiptForm
from domains.payments.models import Operation, Payment
from domains.payments.rules.operations import refuse_failed, refuse_failed_void
from infrastructure import clock
from infrastructure.money import Money
from infrastructure.previews import Would
from infrastructure.screens import ReadOnlyAdmin


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
        return self.confirmed(
            request,
            queryset,
            _moving(services.capture, request.user.pk),
            title="Capture payments",
            question="Take all the money that is left of these?",
            wants_reason=True,
            preview=_would_capture,
        )

    @admin.action(description="Refund selected payments", permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Payment]) -> TemplateResponse | None:
        actor_id = request.user.pk

        def would_refund(payment: Payment) -> Would:
            amount = services.would_refund(
                payment_id=payment.id, actor_id=actor_id, now=clock.now()
            )
            return Would(amounts={"given back": amount})

        return self.confirmed(
            request,
            queryset,
            _moving(services.refund, request.user.pk),
            title="Refund payments",
            question="Give back all the money that is left of these?",
            wants_reason=True,
            preview=would_refund,
        )

    @admin.action(description="Void selected payments", permissions=["void"])
    def void(self, request: HttpRequest, queryset: QuerySet[Payment]) -> TemplateResponse | None:
        actor_id = request.user.pk

        def void(payment: Payment, reason: str) -> str:
            payment = services.void(
                payment_id=payment.id, reason=reason, actor_id=actor_id, now=clock.now()
            )
            refuse_failed_void(payment.operations)
            return payment.get_status_display()

        return self.confirmed(
            request,
            queryset,
            void,
            title="Void payments",
            question="Let the money of these payments go?",
            wants_reason=True,
            preview=_would_void,
        )

    @admin.action(description="Ask the gateway what became of them", permissions=["capture"])
    def ask_gateway(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        self.run(request, queryset, _resolve)


def _moving(
    move: Callable[..., tuple[Payment, Operation]], actor_id: UUID | None
) -> Callable[[Payment, str], str]:
    """Capturing or giving back all that is left of one payment, by this person."""

    def act(payment: Payment, reason: str) -> str:
        payment, operation = move(
            payment_id=payment.id, reason=reason, actor_id=actor_id, now=clock.now()
        )
        refuse_failed(operation)
        return payment.get_status_display()

    return act


def _would_capture(payment: Payment) -> Would:
    amount = services.would_capture(payment_id=payment.id, now=clock.now())
    return Would(amounts={"captured": amount})


def _would_void(payment: Payment) -> Would:
    amount = services.would_void(payment_id=payment.id, now=clock.now())
    if amount is None:
        return Would()
    if not amount.amount_minor:
        return Would(told="given up, with nothing held yet")
    return Would(amounts={"let go": amount})


def _resolve(payment: Payment, reason: str) -> str:
    return services.resolve(payment_id=payment.id, now=clock.now()).get_status_display()
