"""Every list of the admin, asked for what no page of it asks for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from infrastructure.screens import DateRangeFilter, ReadOnlyAdmin
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

SCREENS = {
    model: screen
    for model, screen in admin.site._registry.items()
    if isinstance(screen, ReadOnlyAdmin)
}


@pytest.fixture
def owner(now: datetime) -> Client:
    products.product(now=now, sku="A", stock=3)
    return users.admin_client_of(users.staff())


def address(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def parameters(screen: Any) -> list[str]:
    found = ["q", "o", "p", "all", "parent", "id__exact"]
    for each in screen.list_filter:
        name = each[0] if isinstance(each, tuple) else each
        if isinstance(name, str):
            found.append(f"{name}__exact")
        elif issubclass(name, DateRangeFilter):
            found += [f"{name.field}_since", f"{name.field}_until"]
        else:
            found.append(name.parameter_name)
    return found


@pytest.mark.parametrize("model", SCREENS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("value", ["a\0b", "9" * 30])
def test_no_parameter_breaks_a_list(owner: Client, model: Any, value: str) -> None:
    for name in parameters(SCREENS[model]):
        answer = owner.get(address(model), {name: value})
        assert (name, answer.status_code) in {(name, 200), (name, 302)}


@pytest.mark.parametrize("model", SCREENS, ids=lambda model: model._meta.label)
def test_no_selection_breaks_a_list(owner: Client, model: Any) -> None:
    page = owner.get(address(model))
    for action in SCREENS[model].get_actions(page.wsgi_request):
        for chosen in ("zzz", "\0", "9" * 30, ""):
            sent = {"action": action, "index": "0", "_selected_action": chosen}
            answer = owner.post(address(model), sent)
            assert (action, chosen, answer.status_code) == (action, chosen, 400)
