"""One data-modifying statement from several tables' rows.

Each table's rows travel as ONE JSON parameter through `json_populate_recordset(NULL::"table", %s)`:
PostgreSQL takes names and types from the table, so the text depends only on which tables and
columns are written, not on how many rows or which values. It can be prepared, and it is one entry
in pg_stat_statements. Every part after the first selects FROM the first one's RETURNING, so where
that finds nothing (a stale version) nothing at all is written.

An update of one row takes `json_populate_record`. Of the other one the planner expects 100 rows;
for so many it would read a table that is still small from end to end, and a prepared plan stays
when the table has grown. Of a few rows it is told by a LIMIT that there are no more. How more of
them are found best changes with their tables, so the update of those is planned each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import msgspec
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import BaseExpression, DatabaseDefault
from psycopg import Binary
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.json import Json, Jsonb

from infrastructure.database.postgresql.base import DatabaseWrapper

Row = dict[str, Any]
Fields = tuple["models.Field[Any, Any]", ...]
Converter = Callable[[Any, BaseDatabaseWrapper], Any]

# Updates of at most so many rows look each of them up, and their plans are kept.
FEW = 8

# Fields whose Python value is what JSON shall carry: no conversion call per value.
_PLAIN_FIELDS = {
    models.BigIntegerField,
    models.BooleanField,
    models.CharField,
    models.IntegerField,
    models.PositiveBigIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.SlugField,
    models.SmallIntegerField,
    models.TextField,
    models.UUIDField,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """The text of one part, made once, and what its JSON holds: column, attribute, conversion."""

    text: str
    columns: tuple[tuple[str, str, Converter | None], ...]


class Statement:
    """Collects the parts of a WITH statement and runs it once.

    A row is an instance of the model, or anything that has the attributes of its columns.
    """

    def __init__(self, connection: DatabaseWrapper) -> None:
        self._connection = connection
        self._parts: list[str] = []
        self._params: list[Any] = []
        self._updates_many = False

    def insert_roots(self, roots: Sequence[models.Model], *, unless_exists: bool = False) -> None:
        """unless_exists: a root whose id is taken is left out, and all that belongs to it."""
        self._add_many("root", _insert_roots(type(roots[0]), unless_exists), roots)

    def update_root(self, root: models.Model, fields: Fields) -> None:
        """Write these fields of the root if its stored version is the one before its own."""
        self._add_one("root", _update_root(type(root), fields), root)

    def update_roots(self, roots: Sequence[models.Model], fields: Fields) -> None:
        """As `update_root` for several: none of them unless all of them, locked in key order."""
        self._add_many("root", _update_roots(type(roots[0]), fields, self._are_few(roots)), roots)

    def insert(
        self,
        name: str,
        model: type[models.Model],
        rows: Sequence[Any],
        *,
        root_column: str = "",
        order_by: str = "",
        after: str = "",
        for_all: bool = False,
    ) -> None:
        """Insert rows because the root was written.

        root_column: the column that names the row's root, where there are several roots.
        for_all: there are several roots, and the rows belong to all of them together.
        after: the part that must have run before, since its rows may hold the same unique values.
        """
        self._add_many(name, _insert(model, root_column, order_by, after, for_all), rows)

    def update(self, name: str, rows: Sequence[models.Model], *, root_column: str = "") -> None:
        """root_column: the column that names the row's root, where there are several roots."""
        if len(rows) == 1:
            self._add_one(name, _update(type(rows[0]), _record, root_column), rows[0])
        else:
            source = _few_records if self._are_few(rows) else _recordset
            self._add_many(name, _update(type(rows[0]), source, root_column), rows)

    def delete(self, name: str, model: type[models.Model], ids: Sequence[Any]) -> None:
        pk = _pk(model)
        self._parts.append(
            f'{name} AS (DELETE FROM "{model._meta.db_table}" t '
            f'WHERE (SELECT count(*) FROM root) > 0 AND t."{pk.column}" = ANY(%s::uuid[]) '
            f"RETURNING 1)"
        )
        self._params.append("{" + ",".join(map(str, ids)) + "}")

    def execute(self) -> list[tuple[Any, ...]]:
        """Run it. The rows of the root that were written: none means the version was stale."""
        return self._connection.fetch(
            f"WITH {', '.join(self._parts)} SELECT id FROM root",
            self._params,
            prepared=not self._updates_many,
        )

    def _are_few(self, rows: Sequence[Any]) -> bool:
        are_few = len(rows) <= FEW
        self._updates_many = self._updates_many or not are_few
        return are_few

    def _add_one(self, name: str, part: _Part, row: Any) -> None:
        self._parts.append(f"{name} AS ({part.text})")
        self._params.append(_encode(_as_dict(row, part.columns, self._connection)))

    def _add_many(self, name: str, part: _Part, rows: Sequence[Any]) -> None:
        self._parts.append(f"{name} AS ({part.text})")
        self._params.append(_encode([_as_dict(r, part.columns, self._connection) for r in rows]))


@cache
def stored_fields(model: type[models.Model]) -> Fields:
    """The fields that have a column which the application writes."""
    return tuple(f for f in model._meta.concrete_fields if not f.generated)


@cache
def insertable_fields(model: type[models.Model]) -> Fields:
    """The stored fields that do not get their value from the database. One with a default of both
    has the database's for processes only that do not know the column yet."""
    return tuple(
        f
        for f in stored_fields(model)
        if not isinstance(f, models.AutoField | models.BigAutoField | models.SmallAutoField)
        and (f.db_default is models.NOT_PROVIDED or f.has_default())
    )


def as_json_rows(
    model: type[models.Model], rows: Sequence[Any], connection: BaseDatabaseWrapper
) -> str:
    """Rows of one model as the JSON parameter of `json_populate_recordset`."""
    columns = _insert(model, "", "", "", False).columns
    return _encode([_as_dict(row, columns, connection) for row in rows])


@cache
def _insert_roots(model: type[models.Model], unless_exists: bool) -> _Part:
    fields, pk = insertable_fields(model), _pk(model).column
    text = _insert_text(model, fields, source="", where="")
    if unless_exists:
        text += f' ON CONFLICT ("{pk}") DO NOTHING'
    return _Part(f'{text} RETURNING "{pk}" AS id', _columns(fields))


@lru_cache(maxsize=512)
def _update_root(model: type[models.Model], fields: Fields) -> _Part:
    pk = _pk(model)
    text = (
        f'UPDATE "{model._meta.db_table}" t SET {_assignments(fields)} FROM {_record(model)} '
        f'WHERE t."{pk.column}" = r."{pk.column}" AND t."version" = r."version" - 1 '
        f'RETURNING t."{pk.column}" AS id'
    )
    return _Part(text, _columns((pk, *fields)))


@lru_cache(maxsize=512)
def _update_roots(model: type[models.Model], fields: Fields, are_few: bool) -> _Part:
    pk, table = _pk(model), model._meta.db_table
    given = _few_records(model) if are_few else _recordset(model)
    current = f'"{table}" t, given r WHERE t."{pk.column}" = r."{pk.column}"'
    text = (
        f"WITH given AS MATERIALIZED (SELECT * FROM {given}), "
        # Who waits for a lock here sees the row as it is then: a stale one does not match any more.
        f'current AS MATERIALIZED (SELECT t."{pk.column}" FROM {current} '
        f'AND t."version" = r."version" - 1 ORDER BY t."{pk.column}" FOR NO KEY UPDATE) '
        f'UPDATE "{table}" t SET {_assignments(fields)} FROM given r '
        f'WHERE t."{pk.column}" = r."{pk.column}" '
        f"AND (SELECT count(*) FROM current) = (SELECT count(*) FROM given) "
        f'RETURNING t."{pk.column}" AS id'
    )
    return _Part(text, _columns((pk, *fields)))


@cache
def _insert(
    model: type[models.Model], root_column: str, order_by: str, after: str, for_all: bool
) -> _Part:
    fields = insertable_fields(model)
    where = []
    if root_column:
        where.append(f'r."{root_column}"::uuid = root.id')
    if for_all:
        where.append("(SELECT count(*) FROM root) > 0")
    if after:
        where.append(f"(SELECT count(*) FROM {after}) >= 0")
    source = "" if for_all else "root, "
    text = _insert_text(model, fields, source=source, where=" AND ".join(where))
    if order_by:
        text += f' ORDER BY r."{order_by}"'
    return _Part(text, _columns(fields))


@cache
def _update(
    model: type[models.Model], source: Callable[[type[models.Model]], str], root_column: str
) -> _Part:
    pk = _pk(model)
    fields = tuple(f for f in stored_fields(model) if f is not pk)
    text = (
        f'UPDATE "{model._meta.db_table}" t SET {_assignments(fields)} '
        f'FROM root, {source(model)} WHERE t."{pk.column}" = r."{pk.column}"'
    )
    if root_column:
        text += f' AND r."{root_column}" = root.id'
    return _Part(text, _columns((pk, *fields)))


def _insert_text(model: type[models.Model], fields: Fields, *, source: str, where: str) -> str:
    columns = ", ".join(f'"{f.column}"' for f in fields)
    values = ", ".join(f'r."{f.column}"' for f in fields)
    condition = f" WHERE {where}" if where else ""
    return (
        f'INSERT INTO "{model._meta.db_table}" ({columns}) '
        f"SELECT {values} FROM {source}{_recordset(model)}{condition}"
    )


def _assignments(fields: Fields) -> str:
    return ", ".join(f'"{f.column}" = r."{f.column}"' for f in fields)


def _recordset(model: type[models.Model]) -> str:
    return f'json_populate_recordset(NULL::"{model._meta.db_table}", %s) r'


def _few_records(model: type[models.Model]) -> str:
    return f"(SELECT * FROM {_recordset(model)} LIMIT {FEW}) r"


def _record(model: type[models.Model]) -> str:
    return f'json_populate_record(NULL::"{model._meta.db_table}", %s) r'


def _pk(model: type[models.Model]) -> models.Field[Any, Any]:
    pk = model._meta.pk
    assert pk is not None
    return pk


def _columns(fields: Fields) -> tuple[tuple[str, str, Converter | None], ...]:
    return tuple((str(f.column), f.attname, _converter(f)) for f in fields)


def _converter(field: models.Field[Any, Any]) -> Converter | None:
    target = field
    while isinstance(target, models.ForeignKey):
        target = target.target_field
    if type(target) in _PLAIN_FIELDS:
        return None
    if type(target) is models.DateTimeField and not (target.auto_now or target.auto_now_add):
        return None

    def convert(row: models.Model, connection: BaseDatabaseWrapper) -> Any:
        value = field.pre_save(row, row._state.adding)
        return field.get_db_prep_save(value, connection)

    return convert


def _as_dict(
    row: Any,
    columns: tuple[tuple[str, str, Converter | None], ...],
    connection: BaseDatabaseWrapper,
) -> Row:
    return {
        column: getattr(row, attname) if convert is None else convert(row, connection)
        for column, attname, convert in columns
    }


def _encode(value: Row | list[Row]) -> str:
    return msgspec.json.encode(value, enc_hook=_encode_other).decode()


def _encode_other(value: Any) -> Any:
    """What msgspec does not know: psycopg's wrappers and the types that psycopg can write."""
    if isinstance(value, Json | Jsonb):
        return value.obj
    if isinstance(value, BaseExpression | DatabaseDefault | models.F):
        raise TypeError(f"An aggregate holds values, not expressions: {value!r}")
    if isinstance(value, Binary):
        # Never by psycopg's dumper: without a connection it escapes for a literal, doubling quotes.
        return "\\x" + bytes(value.obj).hex()
    if isinstance(value, str):
        return str(value)
    return bytes(Transformer().get_dumper(value, PyFormat.TEXT).dump(value) or b"").decode()
