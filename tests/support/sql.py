"""Watches every statement: none touches two contexts, and no transaction writes two."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from django.apps import apps

from infrastructure.database.contexts import PLATFORM, context_of

_WORD = re.compile(r"\w+")
_DATA_STATEMENTS = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "DECLARE")


class CrossContextStatement(AssertionError):
    pass


@cache
def context_by_table() -> dict[str, str]:
    tables = {"django_migrations": PLATFORM}
    for model in apps.get_models(include_auto_created=True):
        tables[model._meta.db_table] = context_of(model._meta.app_label)
    return tables


def tables_of(sql: str) -> set[str]:
    """Those of the contexts that a statement names. Every table has a name that nothing else has
    (`tests/architecture/test_database.py`), so its words tell; to parse it says the same and takes
    a thousand times as long."""
    return context_by_table().keys() & _WORD.findall(sql)


@cache
def contexts_of(sql: str) -> frozenset[str]:
    """The contexts whose tables a statement names; `platform` is every context's own."""
    return frozenset(context_by_table()[name] for name in tables_of(sql)) - {PLATFORM}


def watch(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """An execute_wrapper for every connection of the suite."""
    if isinstance(sql, str) and sql.lstrip("( \n").upper().startswith(_DATA_STATEMENTS):
        touched = contexts_of(sql)
        if len(touched) > 1:
            raise CrossContextStatement(f"{sorted(touched)}: {sql}")
        if touched and not sql.lstrip("( \n").upper().startswith("SELECT"):
            _watch_transaction(touched, sql, context["connection"])
    return execute(sql, params, many, context)


def _watch_transaction(touched: frozenset[str], sql: str, connection: Any) -> None:
    blocks = connection.atomic_blocks
    if blocks and blocks[0]._from_testcase:
        blocks = blocks[1:]
    # The admin opens one transaction around a change and its log entry, which lives with the users.
    if not blocks or "django_admin_log" in sql:
        return
    written: set[str] = blocks[0].__dict__.setdefault("written", set())
    written |= touched
    if len(written) > 1:
        raise CrossContextStatement(f"One transaction over {sorted(written)}: {sql}")
