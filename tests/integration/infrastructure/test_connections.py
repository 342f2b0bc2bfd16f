"""The database backend: what it keeps, and what it asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DataError

from infrastructure.database.contexts import aliases, connection_at
from infrastructure.database.postgresql.base import DatabaseWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> Iterator[DatabaseWrapper]:
    """A connection that no test holds a transaction on."""
    connection = connection_at(aliases()[0]).copy()
    yield connection
    connection.close()


def test_fetch_returns_the_rows_of_one_statement(connection: DatabaseWrapper) -> None:
    assert connection.fetch("SELECT n, %s FROM generate_series(1, 2) n", ["a"]) == [
        (1, "a"),
        (2, "a"),
    ]


def test_what_fetch_executes_goes_through_the_wrappers(connection: DatabaseWrapper) -> None:
    seen = []

    def note(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        connection.fetch("SELECT 1", [])

    assert seen == ["SELECT 1"]


def test_fetch_raises_the_errors_of_django_and_works_after_them(
    connection: DatabaseWrapper,
) -> None:
    with pytest.raises(DataError):
        connection.fetch("SELECT 1 / %s::int", [0])

    assert connection.fetch("SELECT 1 / %s::int", [1]) == [(1,)]


def test_fetch_connects_anew_after_the_connection_was_closed(connection: DatabaseWrapper) -> None:
    (before,) = connection.fetch("SELECT pg_backend_pid()", [])
    connection.close()

    (after,) = connection.fetch("SELECT pg_backend_pid()", [])

    assert after != before


def test_a_connection_that_worked_a_moment_ago_is_not_asked_again(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def is_usable() -> bool:
        asked.append(clock[0])
        return True

    monkeypatch.setattr(connection, "is_usable", is_usable)
    clock = [1000.0]
    monkeypatch.setattr("infrastructure.database.postgresql.base.time.monotonic", lambda: clock[0])
    connection.connect()
    for second in (1000.0, 1000.5, 1000.9, 1001.1, 1001.2):
        clock[0] = second
        connection.close_if_unusable_or_obsolete()  # as each request begins
        connection.fetch("SELECT 1", [])

    assert asked == [1000.0, 1001.1]


def test_placeholders_are_found_in_texts_of_any_length(connection: DatabaseWrapper) -> None:
    text = "SELECT %s::int, '%%s', '100%%', %s::text" + " " * 5_000

    assert connection.fetch(text, [1, "%s"]) == [(1, "%s", "100%", "%s")]
    named = "SELECT %(b)s::text, %(a)s::int, %(b)s || '%%'"
    assert connection.fetch(named, {"a": 1, "b": "x"}) == [("x", 1, "x%")]
    with pytest.raises(ValueError, match="%d"):
        connection.fetch("SELECT %d", [1])
