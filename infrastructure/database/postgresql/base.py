"""Django's PostgreSQL backend, with the tables of every app in the schema of its context."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from django.db import models
from django.db.backends.postgresql import base, schema
from django.db.backends.utils import CursorWrapper
from django.db.transaction import atomic

from infrastructure.database.contexts import context_of, schemas_on

# How long a connection that worked is believed to work still.
BELIEVED_SECONDS = 1.0


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    def table_sql(self, model: type[models.Model]) -> Any:
        """CREATE TABLE is the one statement that needs a schema: indexes, sequences and
        constraints follow their table, and everything later finds it by the search_path."""
        sql, params = super().table_sql(model)
        if sql is None:
            return sql, params
        context = self.quote_name(context_of(model._meta.app_label))
        return sql.replace("CREATE TABLE ", f"CREATE TABLE {context}.", 1), params


class NumberedCursor(psycopg.RawCursor[Any]):
    """A cursor for texts that are sent over and over: their placeholders are found once.

    psycopg's own looks for them at each execution of a text of more than 4,096 characters, which
    takes it a quarter of a millisecond for that of a list of products.
    """

    # Whether the next statements are prepared, and their plans kept.
    prepares = True

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        text, names = numbered(query)
        if names:
            params = [params[name] for name in names]
        prepare = None if self.prepares else False
        return super().execute(text, params, prepare=prepare, **options)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """The text with `$1`, `$2` … in the places of its `%s` or `%(name)s`, and `%` for `%%`; and the
    names in the order of their numbers.

    Raises ValueError for any other placeholder.
    """
    text, *rest = _PLACEHOLDER.split(sql)
    count, names = 0, list[str]()
    # Placeholders and what comes behind each, by turns.
    for found, part in zip(rest[::2], rest[1::2], strict=True):
        if found == "%s":
            count += 1
            text += f"${count}{part}"
        elif found == "%%":
            text += f"%{part}"
        elif found.startswith("%("):
            name = found[2:-2]
            if name not in names:
                names.append(name)
            text += f"${names.index(name) + 1}{part}"
        else:
            raise ValueError(f"{found!r} is no placeholder of a kept cursor.")
    return text.encode(), tuple(names)


_PLACEHOLDER = re.compile(r"(%(?:\(\w+\)s|.?))", re.DOTALL)


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
    health_check_done: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._believed_until = 0.0
        self._kept_cursor: CursorWrapper | None = None

    def fetch(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any], *, prepared: bool = True
    ) -> list[tuple[Any, ...]]:
        """Execute one statement and return its rows. prepared: whether to keep its plan.

        What `cursor()` does, but with one cursor that is kept: making a new one costs about as much
        as a prepared statement does here.
        """
        if self.queries_logged:
            with self.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetchall()  # type: ignore[no-any-return]
        self.close_if_health_check_failed()
        self.ensure_connection()
        kept = self._kept_cursor
        if kept is None or kept.cursor.connection is not self.connection:
            kept = self._kept_cursor = self._new_kept_cursor()
        kept.cursor.prepares = prepared
        kept.execute(sql, params)
        return kept.fetchall()  # type: ignore[no-any-return]

    def _new_kept_cursor(self) -> CursorWrapper:
        connection: Any = self.connection
        usual, connection.cursor_factory = connection.cursor_factory, NumberedCursor
        try:
            return self.cursor()
        finally:
            connection.cursor_factory = usual

    def close_if_health_check_failed(self) -> None:
        """Django asks a kept connection before its first statement in each request whether it still
        works. The question is a round trip, so under load it is asked once a second, not always.

        A connection that failed is asked in any case, and closed, before the next request.
        """
        if self.health_check_done:
            return
        now = time.monotonic()
        if now < self._believed_until:
            self.health_check_done = True
        else:
            super().close_if_health_check_failed()
            self._believed_until = now + BELIEVED_SECONDS

    def prepare_database(self) -> None:
        """Called by `migrate` before anything else: missing schemas, and the search_path.

        The path is a property of the database, so every role has it at once. Where it already is
        in place nothing is written, so a role without the rights may run `migrate --check`.
        """
        super().prepare_database()
        wanted = schemas_on(self.alias)
        with atomic(using=self.alias), self.cursor() as cursor:
            cursor.execute("SELECT nspname FROM pg_namespace")
            existing = {name for (name,) in cursor.fetchall()}
            for name in wanted:
                if name not in existing:
                    cursor.execute(f"CREATE SCHEMA {self.ops.quote_name(name)}")
            cursor.execute("SELECT current_schemas(false)")
            if cursor.fetchone()[0] == wanted:
                return
            path = ", ".join(map(self.ops.quote_name, wanted))
            cursor.execute("SELECT current_database()")
            database = self.ops.quote_name(cursor.fetchone()[0])
            cursor.execute(f"ALTER DATABASE {database} SET search_path = {path}")
            # ALTER reaches new sessions only.
            cursor.execute(f"SET search_path = {path}")
