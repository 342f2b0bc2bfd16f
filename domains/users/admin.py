"""Staff screens: state is read-only, actions call services and show their refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from domains.users import services
from domains.users.models import Session, User
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.form_fields import LineField
from infrastructure.screens import Command, ReadOnlyAdmin


class SignInForm(AdminAuthenticationForm):
    """Tells staff why they are not let in when it is not the password, such as too many tries."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except DomainError as refusal:
            raise ValidationError(f"{refusal.title}: {refusal.detail}", code=refusal.code) from None


class CustomerGroupForm(forms.Form):
    customer_group = LineField(
        max_length=40,
        required=False,
        label="Group",
        help_text="The code that price lists name. Empty: no group.",
    )


admin.site.login_form = SignInForm


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff", "customer_group")
    search_fields = ("id",)
    search_help_text = "The whole e-mail address, or the id."
    ordering = ("-id",)
    most_at_once = 500
    fields = (
        "id",
        "email",
        "name",
        "is_active",
        "is_staff",
        "is_superuser",
        "roles",
        "customer_group",
        "created_at",
    )
    actions = ("deactivate", "reactivate", "end_sessions", "set_customer_group")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """By equality only: addresses are found by their blind index, names not at all."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(email_index=term), False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            return queryset.none(), False

    def describe(self, selected: User) -> str:
        group = selected.customer_group
        return f"{selected}, now in {group}" if group else str(selected)

    def has_write_permission(self, request: HttpRequest) -> bool:
        """For customers; of staff the services demand another scope."""
        return self.may(request, "users.write")

    def has_group_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "users.set_group")

    @admin.action(description="Deactivate selected users", permissions=["write"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self.run(request, queryset, _command(request, services.deactivate, "deactivated"))

    @admin.action(description="Reactivate selected users", permissions=["write"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self.run(request, queryset, _command(request, services.reactivate, "reactivated"))

    @admin.action(description="End all sessions of selected users", permissions=["write"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        command = _command(request, services.end_sessions, "signed out everywhere")
        self.run(request, queryset, command)

    @admin.action(description="Set the customer group of selected users", permissions=["group"])
    def set_customer_group(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> TemplateResponse | None:
        sent = request.POST.get("confirmed") == "yes"
        form = CustomerGroupForm(request.POST if sent else None)
        if sent and form.is_valid():
            group = form.cleaned_data["customer_group"]

            def join(user: User, reason: str) -> str:
                services.set_customer_group(
                    user_id=user.id,
                    customer_group=group,
                    scopes=_scopes_of(request),
                    now=clock.now(),
                )
                return f"in group {group}" if group else "in no group"

            self.run(request, queryset, join)
            return None
        selected = self.chosen(request, queryset)
        if selected is None:
            return None
        context = {
            **self.admin_site.each_context(request),
            **self.named(selected),
            "title": "Set the customer group",
            "form": form,
            "back": reverse("admin:users_user_changelist"),
        }
        return TemplateResponse(request, "users/set_customer_group.html", context)


def _scopes_of(request: HttpRequest) -> frozenset[str]:
    return cast(User, request.user).scopes


def _command(request: HttpRequest, service: Callable[..., object], done: str) -> Command:
    def run(user: User, reason: str) -> str:
        service(user_id=user.id, scopes=_scopes_of(request), now=clock.now())
        return done

    return run


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "created_at", "expires_at", "ended_at", "end_reason")
    list_filter = ("end_reason",)
    list_select_related = ("user",)
    ordering = ("-id",)
    fields = ("id", "user", "created_at", "expires_at", "ended_at", "end_reason")
