"""Every screen of the catalogue: who may open it, and what the browser may not be asked to run."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from domains.products.services import price_lists, types
from infrastructure.screens import ReadOnlyAdmin, ScreenAdmin
from tests.support.factories import products

pytestmark = pytest.mark.django_db

SCREENS = {
    model: screen
    for model, screen in admin.site._registry.items()
    if model._meta.app_label == "products"
}
READ_ONLY = [model for model, screen in SCREENS.items() if not isinstance(screen, ScreenAdmin)]
EDITED = [model for model, screen in SCREENS.items() if isinstance(screen, ScreenAdmin)]
_INLINE = re.compile(
    rb"<script(?![^>]*src=)(?![^>]*application/json)|\sstyle=|\son[a-z]+=\"|<style"
)


@pytest.fixture(autouse=True)
def shop(now: datetime) -> None:
    products.category(name="Home", now=now)
    products.category(name="Lights", parent="home", now=now)
    types.create_type(code="lamp", name="Lamp", attributes=[], now=now)
    price_lists.name_channel(code="web", name="Our own site")
    price_lists.create_price_list(code="trade", name="Trade", currency="GBP", now=now)
    products.product(now=now, sku="A", stock=3, categories=("lights",))
    products.held({"A": 1}, now=now)


def addresses(model: type) -> list[str]:
    name = f"admin:products_{model._meta.model_name}"
    row = model._default_manager.first()
    return [reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[row.pk])]


@pytest.mark.parametrize("model", SCREENS, ids=lambda model: model.__name__)
def test_staff_of_the_catalogue_and_readers_open_every_screen_and_strangers_none(
    clerk: Client, reader: Client, stranger: Client, model: type
) -> None:
    for address in addresses(model):
        assert clerk.get(address).status_code == 200
        assert reader.get(address).status_code == 200
        assert stranger.get(address).status_code == 403


@pytest.mark.parametrize("model", SCREENS, ids=lambda model: model.__name__)
def test_no_screen_has_scripts_or_styles_that_the_browser_would_refuse(
    clerk: Client, model: type
) -> None:
    for address in addresses(model):
        page = clerk.get(address)
        assert _INLINE.findall(page.content.replace(b"<template", b"<div")) == []
        assert "script-src 'self'; style-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("model", EDITED, ids=lambda model: model.__name__)
def test_readers_change_nothing(reader: Client, model: type) -> None:
    listed, address = addresses(model)
    assert reader.post(address, {}).status_code == 403
    assert reader.get(f"{listed}add/").status_code == 403
    assert reader.post(f"{listed}add/", {}).status_code == 403
    assert 'type="submit" class="default"' not in reader.get(address).content.decode()


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model.__name__)
def test_what_is_written_by_commands_alone_is_read_only(clerk: Client, model: type) -> None:
    listed, address = addresses(model)
    assert clerk.post(address, {}).status_code == 403
    assert clerk.get(f"{listed}add/").status_code == 403


@pytest.mark.parametrize("model", SCREENS, ids=lambda model: model.__name__)
def test_nothing_is_deleted_by_a_form(clerk: Client, model: type) -> None:
    assert isinstance(SCREENS[model], ReadOnlyAdmin)
    row = model._default_manager.first()
    name = f"admin:products_{model._meta.model_name}_delete"
    assert clerk.post(reverse(name, args=[row.pk]), {"post": "yes"}).status_code == 403


def test_daily_work_comes_first_and_only_what_one_may_do(
    clerk: Client, reader: Client, stranger: Client
) -> None:
    def shortcuts(client: Client) -> list[str]:
        return [title for title, _ in client.get("/admin/").context["shortcuts"]]

    assert shortcuts(clerk) == [
        *("Products", "New product", "Stock", "Shortages", "Running low", "Categories"),
        *("Import a file", "Export a file"),
    ]
    assert shortcuts(reader) == [
        *("Orders", "To be sent", "Returns", "New order"),
        *("Products", "Stock", "Shortages", "Running low", "Categories", "Export a file"),
    ]
    assert shortcuts(stranger) == ["Orders", "To be sent", "Returns"]
    apps = {app["app_label"]: app for app in clerk.get("/admin/").context["app_list"]}
    assert list(apps) == ["pricing", "products", "platform"]
    assert [model["object_name"] for model in apps["products"]["models"]][:3] == [
        *("Product", "StockItem", "Category"),
    ]


def test_an_anonymous_visitor_is_asked_to_sign_in() -> None:
    for name in ("products_import", "products_export", "products_product_add"):
        answer = Client().get(reverse(f"admin:{name}"))
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")


def test_categories_are_offered_with_the_way_to_them(clerk: Client) -> None:
    answer = clerk.get(
        reverse("admin:autocomplete"),
        {
            "term": "light",
            "app_label": "products",
            "model_name": "productcategory",
            "field_name": "category",
        },
    )
    assert [found["text"] for found in answer.json()["results"]] == ["Home › Lights"]
