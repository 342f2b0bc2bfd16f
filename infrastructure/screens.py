"""The base of every staff screen: state is read-only, and actions call services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from infrastructure.database.contexts import aliases
from infrastructure.errors import DomainError

# What one click may do: each takes a command of its own, some a call to a provider.
MOST_AT_ONCE = 100

# What an action does with one selected object, given the reason that staff wrote; what it says
# afterwards, as the end of a sentence.
Command = Callable[[Any, str], str]


class DatabaseFilter(admin.SimpleListFilter):
    """Every database has tables of the platform of its own; shown where there is more than one."""

    title = "database"
    parameter_name = "database"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(alias, alias) for alias in aliases()] if len(aliases()) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.using(self.value()) if self.value() in aliases() else queryset


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model that is looked at here and changed by services."""

    show_full_result_count = False

    def may(self, request: HttpRequest, scope: str) -> bool:
        """Whether the member of staff holds a scope; services ask for the same one."""
        return bool(request.user.has_scope(scope))  # type: ignore[union-attr]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def describe(self, selected: Any) -> str:
        """What the page that asks once more says of an object."""
        return str(selected)

    def confirmed(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        command: Command,
        *,
        title: str,
        question: str,
        wants_reason: bool = False,
    ) -> TemplateResponse | None:
        """Ask once more, then run the command; for actions that cannot be taken back."""
        if request.POST.get("confirmed") == "yes":
            self.run(request, queryset, command)
            return None
        meta = self.model._meta
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "question": question,
            "selected": [(o.pk, self.describe(o)) for o in queryset[:MOST_AT_ONCE]],
            "action": request.POST["action"],
            "wants_reason": wants_reason,
            "back": reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def run(self, request: HttpRequest, queryset: QuerySet[Any], command: Command) -> None:
        """Run a command on each selected object, and say for each what came of it."""
        reason = request.POST.get("reason", "").strip()
        for selected in queryset[:MOST_AT_ONCE]:
            try:
                done = command(selected, reason)
            except DomainError as refusal:
                messages.error(request, f"{selected}: {refusal.detail}")
            else:
                messages.success(request, f"{selected}: {done}.")
