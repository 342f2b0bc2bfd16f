"""Where the books of a gateway and ours differ: compared again, or closed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from domains.payments import services
from domains.payments.models import ReconciliationDifference
from infrastructure import clock
from infrastructure.money import Money
from infrastructure.screens import ReadOnlyAdmin


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
        told = _told(
            difference.their_state, difference.their_amount_minor, difference.their_currency
        )
        return f"{told} in all" if difference.their_amount_is_total else told

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
