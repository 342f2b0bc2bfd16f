"""Staff screens of operations: how far they have come, what was wrong, cancel, download."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from infrastructure import clock
from infrastructure.database.contexts import aliases
from infrastructure.operations import registry, services
from infrastructure.operations.downloads import file_response
from infrastructure.operations.errors import NoResult
from infrastructure.operations.models import Operation, OperationFault
from infrastructure.screens import DatabaseFilter, ReadOnlyAdmin, ReadOnlyInline

# Of more faults the page of an operation shows the first; the API and their own list have all.
FAULTS_SHOWN = 50


class FaultInline(ReadOnlyInline):
    model = OperationFault
    fields = readonly_fields = ("pointer", "code", "detail")
    ordering = ("row_number", "pointer")
    verbose_name_plural = f"faults (the first {FAULTS_SHOWN})"

    def get_queryset(self, request: HttpRequest) -> QuerySet[OperationFault]:
        match = request.resolver_match
        operation = _find(request, match.kwargs.get("object_id", "")) if match else None
        if operation is None:
            return OperationFault.objects.none()
        faults = services.faults_of(operation).order_by("row_number", "pointer")
        return services.faults_of(operation).filter(pk__in=faults.values("pk")[:FAULTS_SHOWN])

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    """One's own operations, and those of the kinds that one's scopes are about."""

    rank = 900

    list_display = ("kind", "standing", "progress", "failed", "created_at", "file")
    list_filter = (DatabaseFilter, "state", "kind", "dry_run")
    search_fields = ("=id", "=created_by")
    ordering = ("-id",)
    fields = (
        *("kind", "standing", "progress", "failed", "faults_left_out"),
        *("error_code", "error_detail", "result", "file"),
        *("params", "checkpoint", "created_by"),
        *("created_at", "started_at", "cancel_requested_at", "finished_at"),
    )
    readonly_fields = ("standing", "progress", "file")
    inlines = (FaultInline,)
    actions = ("cancel",)

    # Not the operators' own: a kind's scope is that of its context.

    def has_view_permission(self, request: HttpRequest, obj: Operation | None = None) -> bool:
        held = _scopes(request)
        if obj is None:
            return bool(held & registry.scopes()) or "operations.read" in held
        return _may_see(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        return _visible(request, aliases()[0])

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        return _find(request, object_id)

    @admin.display(description="state", ordering="state")
    def standing(self, operation: Operation) -> str:
        notes = []
        if operation.cancel_requested_at is not None and not operation.is_finished:
            notes.append("to be cancelled")
        if operation.dry_run:
            notes.append("dry run")
        state = operation.get_state_display()
        return f"{state} ({', '.join(notes)})" if notes else state

    @admin.display
    def progress(self, operation: Operation) -> str:
        if operation.total is None:
            return f"{operation.done:,}"
        return format_html(
            '<progress max="{}" value="{}"></progress> {} of {}',
            max(operation.total, 1),
            operation.done,
            f"{operation.done:,}",
            f"{operation.total:,}",
        )

    @admin.display
    def file(self, operation: Operation) -> str:
        if not operation.result_file:
            return "–"
        address = reverse("admin:platform_operation_result", args=[operation.pk])
        what = PurePosixPath(operation.result_file).suffix.lstrip(".").upper()
        return format_html('<a href="{}">{}</a>', address, what or "Download")

    @admin.action(description="Cancel these")
    def cancel(
        self, request: HttpRequest, queryset: QuerySet[Operation]
    ) -> TemplateResponse | None:
        return self.confirmed(
            request,
            queryset,
            _cancel,
            title="Cancel",
            question="What runs stops after its current batch; what it has done stays done.",
        )

    def get_urls(self) -> list[Any]:
        download = self.admin_site.admin_view(self.download)
        own = path("<uuid:operation_id>/result", download, name="platform_operation_result")
        return [own, *super().get_urls()]

    def download(self, request: HttpRequest, operation_id: Any) -> HttpResponseBase:
        operation = _find(request, str(operation_id))
        if operation is None:
            raise Http404
        try:
            return file_response(operation)
        except NoResult as nothing:
            raise Http404 from nothing


def _scopes(request: HttpRequest) -> frozenset[str]:
    user: Any = request.user
    return frozenset(user.scopes) if user.is_active and user.is_staff else frozenset()


def _may_see(request: HttpRequest, operation: Operation) -> bool:
    user: Any = request.user
    return services.may_see(
        operation.created_by, operation.scope, actor_id=user.pk, scopes=_scopes(request)
    )


def _visible(request: HttpRequest, alias: str) -> QuerySet[Operation]:
    user: Any = request.user
    found = services.visible_to(alias, actor_id=user.pk, scopes=_scopes(request))
    return found.order_by("-id")


def _find(request: HttpRequest, object_id: str) -> Operation | None:
    for alias in aliases():
        found = _visible(request, alias).filter(pk=object_id).first()
        if found is not None:
            return found
    return None


def _cancel(operation: Operation, reason: str) -> str:
    cancelled = services.cancel(operation, now=clock.now())
    if cancelled.state == Operation.State.CANCELLED:
        return "is cancelled"
    return "stops after its current batch"
