"""Contexts share a connection exactly where they share a database."""

from __future__ import annotations

import pytest

from infrastructure.database.urls import databases_from, replicas_from

MAIN = "postgresql://app:secret@db:5432/shop"


def test_without_more_urls_everything_is_on_one_database() -> None:
    databases, alias_of = databases_from(MAIN, {}, ["users", "orders"])
    assert list(databases) == ["default"]
    assert alias_of == {"users": "default", "orders": "default"}
    assert databases["default"]["ENGINE"] == "infrastructure.database.postgresql"
    assert databases["default"]["NAME"] == "shop"


def test_a_context_moves_alone_and_equal_urls_share_an_alias() -> None:
    moved = "postgresql://app:secret@other:5432/shop"
    databases, alias_of = databases_from(
        MAIN,
        {"ORDERS_DATABASE_URL": moved, "PAYMENTS_DATABASE_URL": moved, "USERS_DATABASE_URL": MAIN},
        ["users", "products", "payments", "orders"],
        CONN_MAX_AGE=5,
        OPTIONS={"connect_timeout": 3},
    )
    assert alias_of == {
        "users": "default",
        "products": "default",
        "payments": "payments",
        "orders": "payments",
    }
    assert set(databases) == {"default", "payments"}
    assert databases["payments"]["HOST"] == "other"
    assert databases["payments"]["CONN_MAX_AGE"] == 5
    assert databases["payments"]["OPTIONS"] == {"connect_timeout": 3}


@pytest.mark.parametrize("url", ["", "mysql://a/b", "shop"])
def test_only_postgresql_is_understood(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        databases_from(url, {}, ["users"])


def test_standbys_are_further_databases_beside_the_one_they_follow():
    databases, _ = databases_from(MAIN, {}, ["users", "orders"])
    found, aliases = replicas_from(databases, {"default": [f"{MAIN}1", f"{MAIN}2"], "orders": []})
    assert aliases == {"default": ("default_replica_1", "default_replica_2")}
    assert [(name, one["NAME"], one["TEST"]) for name, one in found.items()] == [
        ("default_replica_1", databases["default"]["NAME"] + "1", {"MIRROR": "default"}),
        ("default_replica_2", databases["default"]["NAME"] + "2", {"MIRROR": "default"}),
    ]
