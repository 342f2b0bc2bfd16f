"""Files in and out: what an import would change is shown before it changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from domains.products.admin.fields import actor_of
from domains.products.models import ProductType, Warehouse
from domains.products.queries.prices import price_lists
from domains.products.rules.imports.columns import COLUMNS
from domains.products.services import exports
from domains.products.services.imports import files as imports
from domains.products.services.imports.terms import Mode
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.form_fields import instant_field
from infrastructure.operations import services as operations
from infrastructure.operations.models import Operation
from infrastructure.screens import SHORTCUTS, ServiceForm, Shortcut

if TYPE_CHECKING:
    from domains.products.admin.products import ProductAdmin

SHORTCUTS += [
    Shortcut(title="Import a file", url="admin:products_import", scope="catalogue.write", rank=40),
    Shortcut(title="Export a file", url="admin:products_export", scope="catalogue.read", rank=41),
]
FAULTS_SHOWN = 50
_KINDS = {
    "products": "Products and variants",
    "categories": "Categories",
    "product-types": "Product types",
    "prices": "Prices",
    "stock": "Stock",
}
_COUNTS = ("created", "changed", "unchanged", "failed")
_SUFFIXES = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl"}


class ImportForm(ServiceForm):
    kind = forms.ChoiceField(label="What is in it", choices=list(_KINDS.items()))
    file = forms.FileField(
        help_text="CSV (.csv) or JSON Lines (.jsonl), as it is or packed with gzip (.gz). Nothing"
        " is changed yet: first you see what would be."
    )
    mode = forms.ChoiceField(
        label="What to do",
        choices=[
            ("upsert", "Create what is new, change what is there"),
            ("create", "Only create; what is there already is an error"),
            ("update", "Only change; what is not there yet is an error"),
        ],
    )
    fields_of_codes = {
        "invalid_header": "file",
        "unreadable_file": "file",
        "body_too_large": "file",
    }

    def fault(self, place: str, code: str, detail: str) -> None:
        self.add_error("file", detail)

    def clean(self) -> None:
        file = self.cleaned_data.get("file")
        if file is None:
            return
        name = file.name.lower()
        self.cleaned_data["is_gzip"] = name.endswith(".gz")
        suffix = name.removesuffix(".gz").rpartition(".")[2]
        if suffix not in _SUFFIXES:
            self.add_error("file", "Its name has to end with .csv or .jsonl, or with .gz behind.")
        else:
            self.cleaned_data["file_format"] = _SUFFIXES[suffix]


class ExportForm(ServiceForm):
    kind = forms.ChoiceField(label="What", choices=list(_KINDS.items()))
    file_format = forms.ChoiceField(
        label="Format", choices=[("csv", "CSV, for spreadsheets"), ("jsonl", "JSON Lines")]
    )
    status = forms.MultipleChoiceField(
        required=False,
        label="Products: status",
        choices=[("draft", "Draft"), ("active", "On sale"), ("archived", "Archived")],
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all but archived.",
    )
    product_type = forms.ChoiceField(required=False, label="Products: type")
    updated_since = instant_field(label="Products: changed since (UTC)")
    price_list = forms.ChoiceField(required=False, label="Prices: list")
    warehouse = forms.ChoiceField(required=False, label="Stock: warehouse")

    def __init__(self, data: Any, *, kinds: list[tuple[str, str]]) -> None:
        super().__init__(data)
        choices: Any = self.fields
        choices["kind"].choices = kinds
        types = ProductType.objects.order_by("name").values_list("code", "name")
        choices["product_type"].choices = [("", "All"), *types]
        lists = price_lists().order_by("code").values_list("code", "name")
        choices["price_list"].choices = [("", "All, the base among them"), *lists]
        places = Warehouse.objects.order_by("code").values_list("code", "name")
        choices["warehouse"].choices = [("", "All"), *places]

    @property
    def filters(self) -> dict[str, Any]:
        """Those that are filled in and that this kind of file has."""
        said = self.cleaned_data
        since = said["updated_since"]
        given = {**said, "updated_since": since.isoformat() if since else None}
        return {name: given[name] for name in exports.FILTERS[said["kind"]] if given.get(name)}


def import_page(screen: ProductAdmin, request: HttpRequest) -> HttpResponseBase:
    """A file is received and tried out by an operation; see `operation_page`."""
    screen.require_write(request)
    kinds = _kinds(screen, request, "inventory.write")
    sent = request.method == "POST"
    form = ImportForm(request.POST if sent else None, request.FILES if sent else None)
    choice: Any = form.fields["kind"]
    choice.choices = kinds
    if sent and form.is_valid():
        said = form.cleaned_data
        try:
            received = imports.receive(
                said["file"].file,
                kind=said["kind"],
                file_format=said["file_format"],
                is_gzip=said["is_gzip"],
                limit=settings.IMPORT_MAX_BYTES,
                now=clock.now(),
            )
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            return HttpResponseRedirect(_address(_tried(received, said["mode"], request)))
    return screen.shown(
        request,
        "products/import.html",
        title="Import a file",
        form=form,
        columns=[(_KINDS[kind], _columns(kind)) for kind, _ in kinds],
    )


def export_page(screen: ProductAdmin, request: HttpRequest) -> HttpResponseBase:
    if not screen.has_view_permission(request):
        raise PermissionDenied
    form = ExportForm(
        request.POST if request.method == "POST" else None,
        kinds=_kinds(screen, request, "inventory.read"),
    )
    if request.method == "POST" and form.is_valid():
        with form.refusals():
            started = exports.start(
                kind=form.cleaned_data["kind"],
                file_format=form.cleaned_data["file_format"],
                filters=form.filters,
                actor_id=actor_of(request),
                now=clock.now(),
            )
            return HttpResponseRedirect(_address(started))
    return screen.shown(request, "products/export.html", title="Export a file", form=form)


def operation_page(
    screen: ProductAdmin, request: HttpRequest, operation_id: UUID
) -> HttpResponseBase:
    """How far it has come; what a try would change, and the way to really do it."""
    if not screen.has_view_permission(request):
        raise PermissionDenied
    operation = _found(request, operation_id)
    if request.method == "POST":
        if "cancel" in request.POST:
            try:
                operations.cancel(operation, now=clock.now())
            except DomainError as refusal:
                messages.error(request, refusal.detail)
            return HttpResponseRedirect(request.path)
        screen.require_write(request)
        if operation.params["kind"] == "stock" and not screen.may(request, "inventory.write"):
            raise PermissionDenied
        try:
            started = imports.confirm(operation, actor_id=actor_of(request), now=clock.now())
        except DomainError as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(request.path)
        return HttpResponseRedirect(_address(started))
    faults = operations.faults_of(operation).order_by("row_number", "pointer")
    result = operation.result or {}
    is_import = operation.kind == imports.KIND
    return screen.shown(
        request,
        "products/operation.html",
        title=_title(operation),
        operation=operation,
        kind=_KINDS[operation.params["kind"]],
        counts=[(name, result.get(name, 0)) for name in _COUNTS] if is_import else [],
        changes=result.get("created", 0) + result.get("changed", 0),
        changes_told=result.get("changes", []),
        faults=list(faults[:FAULTS_SHOWN]),
        faults_shown=FAULTS_SHOWN,
        is_import=is_import,
        all_of_it=reverse("admin:platform_operation_change", args=[operation.pk]),
        result_address=reverse("admin:platform_operation_result", args=[operation.pk])
        if operation.result_file
        else None,
    )


def _found(request: HttpRequest, operation_id: UUID) -> Operation:
    """Raises Http404 also for one that is not for these eyes."""
    user: Any = request.user
    operation = operations.find(operation_id)
    if operation is None or operation.kind not in (imports.KIND, exports.KIND):
        raise Http404
    if not operations.may_see(
        operation.created_by, operation.scope, actor_id=user.pk, scopes=frozenset(user.scopes)
    ):
        raise Http404
    return operation


def _title(operation: Operation) -> str:
    if operation.kind == exports.KIND:
        return "Export"
    return "What the import would change" if operation.dry_run else "Import"


def _address(operation: Operation) -> str:
    return reverse("admin:products_file", args=[operation.pk])


def _tried(received: imports.Received, mode: Mode, request: HttpRequest) -> Operation:
    """A small file at once, so that nobody has to wait for a worker to see what it says."""
    actor_id = actor_of(request)
    if received.byte_size <= settings.IMPORT_SYNC_BYTES:
        return imports.run_now(received, mode=mode, dry_run=True, actor_id=actor_id)
    return imports.start(received, mode=mode, dry_run=True, actor_id=actor_id, now=clock.now())


def _kinds(screen: ProductAdmin, request: HttpRequest, scope: str) -> list[tuple[str, str]]:
    """For stock one needs the scope of the inventory as well."""
    return [
        (kind, name)
        for kind, name in _KINDS.items()
        if kind != "stock" or screen.may(request, scope)
    ]


def _columns(kind: str) -> str:
    return ", ".join(column.name for column in COLUMNS[kind])
