"""What imports cannot show: where tables lie, and what points where."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections, transaction

from domains.reporting.queries.events import EVENT_COUNTS
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot
from infrastructure.database.contexts import PLATFORM, alias_of, aliases, context_of, schemas_on
from tests.support.sql import CrossContextStatement, context_by_table
from tests.support.sql import tables_of as named_by

pytestmark = pytest.mark.django_db


def tables_of(alias: str) -> dict[str, str]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT relname, nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind IN ('r', 'p') AND nspname !~ '^(pg_|information_schema)'"
        )
        return dict(cursor.fetchall())


@pytest.mark.parametrize("alias", aliases())
def test_every_table_lies_in_the_schema_of_its_context_and_nothing_else_does(alias: str) -> None:
    wanted = {"django_migrations": PLATFORM}
    for model in apps.get_models(include_auto_created=True):
        schema = context_of(model._meta.app_label)
        if schema in schemas_on(alias):
            wanted[model._meta.db_table] = schema
    assert tables_of(alias) == wanted


def test_nothing_else_has_the_name_of_a_table() -> None:
    """So the words of a statement tell which tables it touches."""
    others = {field.column for model in apps.get_models() for field in model._meta.local_fields}
    for alias in aliases():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT nspname FROM pg_namespace")
            others |= {name for (name,) in cursor.fetchall()}
    assert others & context_by_table().keys() == set()


def test_a_statement_that_touches_two_contexts_fails_its_test() -> None:
    with (
        pytest.raises(CrossContextStatement, match="'orders', 'payments'"),
        connections[alias_of("orders")].cursor() as cursor,
    ):
        cursor.execute(
            "SELECT 1 FROM orders_order o JOIN payments_payment ON reference = o.id::text"
        )


def test_a_transaction_that_writes_two_contexts_fails_its_test() -> None:
    alias = alias_of("orders")
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM orders_order WHERE false")
        with pytest.raises(CrossContextStatement, match="'orders', 'payments'"):
            cursor.execute("DELETE FROM payments_payment WHERE false")


@pytest.mark.parametrize("alias", aliases())
def test_no_foreign_key_leaves_its_schema(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint "
            "JOIN pg_class here ON here.oid = conrelid "
            "JOIN pg_class there ON there.oid = confrelid "
            "WHERE contype = 'f' AND here.relnamespace <> there.relnamespace"
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize("alias", aliases())
def test_a_new_session_searches_platform_first_and_then_the_contexts(alias: str) -> None:
    connection = connections[alias].copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW search_path")
            (path,) = cursor.fetchone()
    finally:
        connection.close()
    assert [name.strip(' "') for name in path.split(",")] == schemas_on(alias)
    assert schemas_on(alias)[0] == PLATFORM


def test_every_context_has_an_alias_and_every_app_a_context() -> None:
    assert set(settings.ALIAS_OF_CONTEXT) == set(settings.CONTEXTS)
    for app in apps.get_app_configs():
        if list(app.get_models(include_auto_created=True)):
            assert context_of(app.label) in {PLATFORM, *settings.CONTEXTS}


def test_the_audit_counts_the_events_of_every_aggregate_that_records_any() -> None:
    """To the audit, events of an aggregate that it does not ask are invented."""
    asked: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with ExitStack() as noting:
        for alias in aliases():
            noting.enter_context(connections[alias].execute_wrapper(note))
        for event_counts in EVENT_COUNTS:
            assert list(event_counts()) == []
    counted = {table for sql in asked for table in named_by(sql)}
    recording = {
        model._meta.db_table
        for model in apps.get_models()
        if model.__module__.startswith("domains.")
        and issubclass(model, AggregateRoot)
        and ".record(" in inspect.getsource(model)
    }
    assert {"orders_order", "products_pricelist", "users_user"} <= recording
    assert recording - counted == set()


def test_nobody_listens_to_the_signals_that_aggregates_do_not_send() -> None:
    from django.db.models import signals

    for model in apps.get_models():
        if issubclass(model, AggregateRoot):
            for name in ("pre_save", "post_save", "pre_delete", "post_delete"):
                signal = getattr(signals, name)
                assert not signal.has_listeners(model), f"{name} of {model.__name__}"


def test_no_aggregate_has_a_manager_that_writes_around_it() -> None:
    for model in apps.get_models():
        if issubclass(model, AggregateRoot):
            for manager in model._meta.managers:
                assert issubclass(type(manager.get_queryset()), AggregateQuerySet), model
