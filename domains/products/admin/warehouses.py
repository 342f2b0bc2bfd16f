"""The places that goods lie in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from domains.products.admin.fields import code_field
from domains.products.models import Warehouse
from domains.products.services import warehouses
from infrastructure import clock
from infrastructure.form_fields import LineField, no_controls
from infrastructure.screens import (
    ScreenAdmin,
    ServiceForm,
)


class WarehouseForm(ServiceForm):
    code = code_field(max_length=32, help_text="Never changes: the ledger names it.")
    name = LineField(max_length=200)
    address = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        validators=[no_controls],
    )
    active = forms.BooleanField(
        required=False, initial=True, help_text="A closed one takes nothing in; empty it first."
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    fields_of_codes = {
        "warehouse_exists": "code",
        "main_warehouse_needed": "active",
        "warehouse_not_empty": "active",
    }


@admin.register(Warehouse)
class WarehouseAdmin(ScreenAdmin):
    rank = 60
    reads, writes = "inventory.read", "inventory.write"
    list_display = ("code", "name", "address", "active")
    ordering = ("code",)

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        form = WarehouseForm(request.POST if request.method == "POST" else None)
        del form.fields["active"]
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                warehouses.open_warehouse(
                    code=said["code"], name=said["name"], address=said["address"], now=clock.now()
                )
                messages.success(request, f"{said['name']} is open.")
                return HttpResponseRedirect(self.address("changelist"))
        return self.shown(request, "infrastructure/one_form.html", title="New warehouse", form=form)

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        fields = ("name", "address", "active", "version")
        form = WarehouseForm(
            request.POST if request.method == "POST" else None,
            initial={name: getattr(found, name) for name in fields},
        )
        del form.fields["code"]
        if form.is_valid():
            said = form.cleaned_data
            with form.refusals():
                warehouses.edit_warehouse(
                    code=found.code,
                    version=said["version"],
                    name=said["name"],
                    address=said["address"],
                    active=said["active"],
                )
                messages.success(request, f"{said['name']} is saved.")
                return HttpResponseRedirect(self.address("changelist"))
        return self.shown(
            request, "infrastructure/one_form.html", title=found.name or found.code, form=form
        )
