"""The statements of a placement, taken from a real one, as a script for pgbench.

One order is placed in this process, through the same WSGI application that the server runs, and
every statement is noted with its parameters. In the script each of them is a transaction of its own
with the very text that the application sends; the parameters are those that were noted, with fresh
ids, other SKUs and another order number put in their places.

pgbench cannot put texts together, so the first statement (the read of prices, the only one that is
wrapped into something) makes all parameters of the order and pgbench keeps them: the others are
exactly the application's. What the wrapping costs is measured, and taken off.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any
from uuid import UUID

from django.db import connections

from benchmarks.placement.client import Requests
from infrastructure.database.contexts import alias_of

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHARD = re.compile(r'"shard":\d+')


@dataclass(frozen=True)
class Recorded:
    """A placement: its statements, how often it waited for the database, and what it answered."""

    statements: list[tuple[str, tuple[str | None, ...]]]
    round_trips: int
    answer: dict[str, Any]


def record(
    application: Callable[..., Any],
    *,
    token: str,
    skus: int,
    lines: int = 3,
    asynchronous: bool = False,
) -> Recorded:
    """Note what a placement does, or the acceptance of an order, once caches are filled and all its
    statements are prepared."""
    requests = Requests(
        port=80, token=token, skus=skus, hot=False, lines=lines, asynchronous=asynchronous
    )
    status = "202 Accepted" if asynchronous else "201 Created"
    for _ in range(5):
        _place(application, requests, status)
    statements: list[tuple[str, tuple[str | None, ...]]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, tuple(_text(value) for value in params or ())))
        return execute(sql, params, many, context)

    connection = connections[alias_of("orders")]
    with (
        connection.execute_wrapper(note),
        _round_trips(connection) as round_trips,
    ):
        answer = _place(application, requests, status)
    return Recorded(statements, round_trips[0], answer)


@dataclass(frozen=True)
class Scripts:
    """For pgbench. order: the whole order; bare: only its read of prices, as the application sends
    it; wrapped: that read as it stands in `order`, with the making of parameters around it."""

    order: str
    bare: str
    wrapped: str


def scripts(recorded: Recorded, *, skus: int, hot: bool, fresh_id: str) -> Scripts:
    """fresh_id: the SQL function that makes an id."""
    (first, first_params), *others = recorded.statements
    if not first.lstrip().startswith("SELECT v.sku, v.id"):
        raise RuntimeError("The first statement of a placement is no longer the read of offers.")
    template = _Templates(recorded)
    third = skus // 3
    variables = [
        "\\set shard :client_id % 12",
        "\\set a 0" if hot else f"\\set a random(0, {third - 1})",
        f"\\set b random({third}, {2 * third - 1})",
        f"\\set c random({2 * third}, {3 * third - 1})",
    ]
    wanted = ", ".join(f"'S' || lpad(:{name}::text, 5, '0')" for name in "abc")
    bare = _inline(first, [_first_parameter(value, wanted) for value in first_params])
    made, commands = [], []
    for number, (sql, params) in enumerate(others, start=2):
        names = [f"p{number}_{position}" for position in range(1, len(params) + 1)]
        made += [
            f"{template.expression(value)} AS {name}"
            for name, value in zip(names, params, strict=True)
        ]
        commands.append(_one_line(_inline(sql, [f":{name}" for name in names])) + ";")
    # Different in their last two digits, which is random otherwise.
    ids = ", ".join(f"left(id, 34) || '{n:02x}' AS u{n}" for n in range(template.fresh_ids))
    wrapped = (
        f"WITH offered (sku, id) AS MATERIALIZED ({bare}), "
        "chosen AS MATERIALIZED (SELECT array_agg(id::text) AS v, array_agg(sku) AS s"
        " FROM offered), "
        f"drawn AS MATERIALIZED (SELECT {fresh_id}::text AS id), "
        f"fresh AS MATERIALIZED (SELECT {ids}, :shard::text AS shard FROM drawn) "
        f"SELECT {', '.join(made)} FROM chosen, fresh"
    )
    keep = _one_line(wrapped) + " \\gset"
    return Scripts(
        order=_lines(*variables, keep, *commands),
        bare=_lines(*variables, _one_line(bare) + ";"),
        wrapped=_lines(*variables, keep),
    )


class _Templates:
    """Finds in noted parameters what must be another for every order."""

    def __init__(self, recorded: Recorded) -> None:
        line_skus = [line["sku"] for line in recorded.answer["lines"]]
        with connections[alias_of("products")].cursor() as cursor:
            cursor.execute("SELECT sku, id FROM products_variant WHERE sku = ANY(%s)", [line_skus])
            variants = {str(found): sku for sku, found in cursor.fetchall()}
        customer = self._customer(recorded)
        self._replacements = {sku: f"s[{n}]" for n, sku in enumerate(line_skus, start=1)}
        for variant_id, sku in variants.items():
            self._replacements[variant_id] = f"v[{line_skus.index(sku) + 1}]"
        self.fresh_ids = 0
        for _, params in recorded.statements:
            for value in params:
                for found in _UUID.findall(value or ""):
                    if found != customer and found not in self._replacements:
                        self._replacements[found] = f"u{self.fresh_ids}"
                        self.fresh_ids += 1
        order = self._replacements[recorded.answer["id"]]
        # As long as a number may be, so that random digits do not meet; the last two are no such.
        digits = f"left(right(replace({order}, '-', ''), 14), 12)"
        self._replacements[recorded.answer["number"]] = f"upper({digits})"
        self._pattern = re.compile("|".join([_SHARD.pattern, *map(re.escape, self._replacements)]))

    @staticmethod
    def _customer(recorded: Recorded) -> str:
        for _, params in recorded.statements:
            for value in params:
                if found := re.search(r'"customer_id":"([^"]+)"', value or ""):
                    return found[1]
        raise RuntimeError("No statement of a placement names its customer.")

    def expression(self, value: str | None) -> str:
        """SQL for a parameter like the noted one."""
        if value is None:
            return "NULL::text"
        arguments: list[str] = []

        def put(match: re.Match[str]) -> str:
            found = match[0]
            shard = found.startswith('"shard"')
            argument = "shard" if shard else self._replacements[found]
            if argument not in arguments:
                arguments.append(argument)
            place = f"\0{arguments.index(argument) + 1}$s"
            return f'"shard":{place}' if shard else place

        template = self._pattern.sub(put, value).replace("%", "%%").replace("\0", "%")
        if not arguments:
            return f"{_literal(value)}::text"
        return f"format({', '.join([_literal(template), *arguments])})"


def _place(application: Callable[..., Any], requests: Requests, status: str) -> dict[str, Any]:
    head, _, body = requests.next().partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    statuses: list[str] = []
    answer = application(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/api/v1/orders",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": headers.pop("Content-Type"),
            "CONTENT_LENGTH": headers.pop("Content-Length"),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            **{f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()},
        },
        lambda answered, _: statuses.append(answered),
    )
    content = b"".join(answer)
    answer.close()
    if statuses != [status]:
        raise RuntimeError(f"The order was not placed: {statuses} {content[:400]!r}")
    placed: dict[str, Any] = json.loads(content)
    return placed


@contextmanager
def _round_trips(connection: Any) -> Iterator[list[int]]:
    """Counts the waits for the database, by what libpq says it sends: also those that Django makes
    without a cursor."""
    counted = [0]
    connection.ensure_connection()
    with tempfile.TemporaryFile() as trace:
        connection.connection.pgconn.trace(trace.fileno())
        try:
            yield counted
        finally:
            connection.connection.pgconn.untrace()
        trace.seek(0)
        sent = [line.split(b"\t") for line in trace.read().splitlines()]
        ends = (b"Sync", b"Query")
        counted[0] = sum(len(f) > 3 and f[1] == b"F" and f[3].startswith(ends) for f in sent)


def _text(value: Any) -> str | None:
    """A parameter as PostgreSQL reads it."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | int | UUID):
        return str(value)
    if isinstance(value, list):
        return "{" + ",".join(str(_text(one)) for one in value) + "}"
    raise TypeError(f"A parameter of a placement is a {type(value).__name__}: {value!r}")


def _first_parameter(value: str | None, wanted: str) -> str:
    """The noted list of SKUs gives way to the order's; currency, instant and buyer stay."""
    if value is None:
        return "NULL"
    return f"ARRAY[{wanted}]" if value.startswith("{") else _literal(value)


def _inline(sql: str, values: list[str]) -> str:
    """The statement with these in the places of its parameters."""
    first, *rest = re.split(r"(?<!%)%s", sql)
    parts = [first, *(value + part for value, part in zip(values, rest, strict=True))]
    return "".join(parts).replace("%%", "%")


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


def _literal(text: str) -> str:
    """A literal without a colon or a line's end, which would mean something to pgbench."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    return f"E'{escaped}'"
