"""Product types and their attributes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from domains.products.admin.fields import NamesField, code_field, other_locales
from domains.products.models import Attribute, ProductType
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import MAX_ATTRIBUTES, AttributeTerms, ChoiceTerms
from domains.products.services import types
from infrastructure import clock
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.form_fields import LineField
from infrastructure.screens import ScreenAdmin, ServiceForm, version_in

_KINDS = [
    ("text", "Text"),
    ("number", "Number"),
    ("choice", "One of several"),
    ("multi_choice", "Some of several"),
    ("boolean", "Yes or no"),
    ("date", "Date"),
]


class TypeForm(ServiceForm):
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    code = code_field(help_text="Never changes: files and the API name it.")
    name = LineField(max_length=200)

    fields_of_codes = {"product_type_taken": "code"}


class AttributeForm(ServiceForm):
    place = forms.IntegerField(required=False, min_value=0, max_value=1000, label="Place")
    code = forms.CharField(max_length=64)
    name = LineField(max_length=200)
    kind = forms.ChoiceField(choices=_KINDS)
    unit = LineField(required=False, max_length=20)
    level = forms.ChoiceField(
        choices=[("product", "The product"), ("variant", "Each variant")], label="Told of"
    )
    required = forms.BooleanField(required=False)
    filterable = forms.BooleanField(required=False)
    remove = forms.BooleanField(required=False, label="Take it away")
    choices = NamesField(
        help_text="A line such as steel: Stainless steel for each, in the order shown."
    )

    def __init__(self, data: Any, *, prefix: str, known: Attribute | None = None) -> None:
        initial = {"kind": "text", "level": "product"} if known is None else _initial(known)
        super().__init__(data, prefix=prefix, initial=initial)
        for locale in other_locales():
            self.fields[f"name_{locale}"] = LineField(
                required=False, max_length=200, label=f"Name ({locale})"
            )
            self.fields[f"choices_{locale}"] = NamesField(label=f"Choices ({locale})")

    @property
    def details(self) -> list[Any]:
        several = [self[f"name_{locale}"] for locale in other_locales()]
        choices = [self[f"choices_{locale}"] for locale in other_locales()]
        return [self["choices"], self["remove"], *several, *choices]

    @property
    def has_details(self) -> bool:
        return bool(self["choices"].value()) or any(field.errors for field in self.details)

    @property
    def terms(self) -> AttributeTerms:
        said = self.cleaned_data
        translated = {locale: said[f"choices_{locale}"] for locale in other_locales()}
        return AttributeTerms(
            code=said["code"],
            name=said["name"],
            kind=Kind(said["kind"]),
            unit=said["unit"],
            level=Level(said["level"]),
            required=said["required"],
            filterable=said["filterable"],
            names={
                locale: said[f"name_{locale}"]
                for locale in other_locales()
                if said[f"name_{locale}"]
            },
            choices=tuple(
                ChoiceTerms(
                    code=code,
                    name=name,
                    names={
                        locale: names[code] for locale, names in translated.items() if code in names
                    },
                )
                for code, name in said["choices"].items()
            ),
        )


def _initial(known: Attribute) -> dict[str, Any]:
    names = ("code", "name", "kind", "unit", "level", "required", "filterable")
    translated = {
        f"choices_{locale}": {
            choice["code"]: choice["names"][locale]
            for choice in known.choices
            if locale in choice["names"]
        }
        for locale in other_locales()
    }
    return {
        **{name: getattr(known, name) for name in names},
        "place": known.position + 1,
        "choices": {choice["code"]: choice["name"] for choice in known.choices},
        **{f"name_{locale}": known.names.get(locale, "") for locale in other_locales()},
        **translated,
    }


class TypeSheet:
    """A type with the rows of its attributes; a row without a code and a name is none."""

    def __init__(self, data: Any, *, known: ProductType | None = None) -> None:
        initial = (
            {}
            if known is None
            else {"version": known.version, "code": known.code, "name": known.name}
        )
        self.form = TypeForm(data, initial=initial)
        if known is not None:
            del self.form.fields["code"]
        if data is None:
            attributes = list(known.attributes) if known is not None else []
            self.rows = [
                AttributeForm(None, prefix=f"a{place}", known=attribute)
                for place, attribute in enumerate(attributes)
            ]
        else:
            prefixes = data.getlist("rows")[:MAX_ATTRIBUTES]
            self.rows = [
                AttributeForm(data, prefix=prefix)
                for prefix in prefixes
                if data.get(f"{prefix}-code") or data.get(f"{prefix}-name")
            ]
        self.blank = AttributeForm(None, prefix="a__n__")
        self.next_number = 1 + max(
            (int(prefix) for row in self.rows if (prefix := str(row.prefix)[1:]).isdecimal()),
            default=-1,
        )

    def is_valid(self) -> bool:
        return {form.is_valid() for form in (self.form, *self.rows)} == {True}

    @property
    def has_errors(self) -> bool:
        return any(form.errors for form in (self.form, *self.rows) if form.is_bound)

    @property
    def in_order(self) -> list[AttributeForm]:
        """Those that stay, by the places they were given; others behind."""
        staying = [row for row in self.rows if not row.cleaned_data["remove"]]
        return sorted(staying, key=lambda row: row.cleaned_data["place"] or 10_000)

    def refuse(self, refusal: DomainError) -> None:
        rows = self.in_order
        if not refusal.errors:
            self.form.refuse(refusal)
        for error in refusal.errors:
            parts = error.pointer.strip("/").split("/")
            if parts[0] == "attributes" and len(parts) > 2 and int(parts[1]) < len(rows):
                rows[int(parts[1])].fault("/".join(parts[2:]), error.code, error.detail)
            else:
                self.form.fault("", error.code, error.detail)


@admin.register(ProductType)
class ProductTypeAdmin(ScreenAdmin):
    rank = 40
    reads, writes = "catalogue.read", "catalogue.write"
    list_display = ("name", "code", "attribute_names")
    search_fields = ("name", "=code")
    ordering = ("name", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductType]:
        return super().get_queryset(request).prefetch_related("attribute_rows")

    @admin.display(description="attributes")
    def attribute_names(self, product_type: ProductType) -> str:
        return ", ".join(attribute.name for attribute in product_type.attributes)

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        sheet = TypeSheet(request.POST if request.method == "POST" else None)
        if request.method == "POST" and sheet.is_valid():
            said = sheet.form.cleaned_data
            try:
                types.create_type(
                    code=said["code"],
                    name=said["name"],
                    attributes=[row.terms for row in sheet.in_order],
                    now=clock.now(),
                )
            except DomainError as refusal:
                sheet.refuse(refusal)
            else:
                messages.success(request, f"{said['name']} is created.")
                return HttpResponseRedirect(self.address("changelist"))
        return self.shown(request, "products/type.html", title="New product type", sheet=sheet)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        sheet = TypeSheet(request.POST if request.method == "POST" else None, known=found)
        stale = False
        if "remove" in request.POST:
            try:
                types.remove_type(code=found.code, version=version_in(request.POST))
            except DomainError as refusal:
                messages.error(request, refusal.detail)
                return HttpResponseRedirect(request.path)
            messages.success(request, f"{found.name} is removed.")
            return HttpResponseRedirect(self.address("changelist"))
        if request.method == "POST" and sheet.is_valid():
            said = sheet.form.cleaned_data
            try:
                types.edit_type(
                    code=found.code,
                    version=said["version"],
                    name=said["name"],
                    attributes=[row.terms for row in sheet.in_order],
                    now=clock.now(),
                )
            except DomainError as refusal:
                stale = isinstance(refusal, ConcurrentModification)
                sheet.refuse(refusal)
            else:
                messages.success(request, f"{said['name']} is saved.")
                return HttpResponseRedirect(request.get_full_path())
        return self.shown(
            request, "products/type.html", title=found.name, sheet=sheet, stale=stale, known=found
        )
