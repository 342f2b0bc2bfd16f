"""What is checked of the carts' server when a release starts."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from domains.carts import errors
from domains.carts.apps import carts_are_kept
from domains.carts.models import connection
from tests.support.valkey import DURABLE, own_valkey


@pytest.fixture
def production(settings: Any) -> Any:
    settings.ENVIRONMENT = "production"
    connection.scripts.cache_clear()
    yield settings
    connection.scripts.cache_clear()


def test_production_refuses_a_server_that_forgets(production, tmp_path):
    with own_valkey(tmp_path, ("--appendonly yes", "--appendfsync everysec")) as server:
        production.REDIS_CARTS_URL = server.url
        assert [fault.id for fault in carts_are_kept(databases=["default"])] == ["carts.E001"]
        with pytest.raises(errors.CartsUnavailable):
            connection.scripts()
        with server.client as client:
            client.config_set("appendfsync", "always")
        assert carts_are_kept(databases=["default"]) == []
        assert connection.scripts() is connection.scripts()


@pytest.mark.django_db
def test_migrate_asks_before_it_begins(production, tmp_path):
    with own_valkey(tmp_path, ()) as server:
        production.REDIS_CARTS_URL = server.url
        with pytest.raises(SystemCheckError, match=r"carts\.E001.*appendonly is off"):
            call_command("migrate", "--plan", skip_checks=False)


def test_a_server_that_is_away_does_not_stop_a_release(production, tmp_path):
    with own_valkey(tmp_path, DURABLE) as server:
        production.REDIS_CARTS_URL = server.url
    assert [fault.id for fault in carts_are_kept(databases=["default"])] == ["carts.W001"]


def test_elsewhere_nothing_is_asked(settings):
    settings.REDIS_CARTS_URL = "redis://127.0.0.1:1"
    assert carts_are_kept(databases=["default"]) == []
