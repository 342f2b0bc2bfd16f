"""Rows that know what they were when they were read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from operator import itemgetter
from typing import Any, Self

from django.db import models

from infrastructure.database.statement import stored_fields


class Tracked(models.Model):
    """Knows which of its fields differ from what the database holds."""

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row.remember()
        return row

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Self] | None = None,
    ) -> None:
        super().refresh_from_db(using, fields, from_queryset)
        before = self.__dict__.get("_stored", {})
        self.remember()
        if fields is not None:  # as when a deferred field is read: other changes stay changes
            read = set(fields)
            self.__dict__["_stored"] |= {n: old for n, old in before.items() if n not in read}

    def remember(self) -> None:
        """The database holds what the row has now."""
        # Only columns: copying __dict__ whole would copy the loaded children as well.
        values = self.__dict__
        names, get_all, may_change = _remembered(type(self))
        try:
            stored = dict(zip(names, get_all(values), strict=True))
        except KeyError:  # some are deferred
            stored = {name: values[name] for name in names if name in values}
        for name in may_change:
            if isinstance(value := stored.get(name), _MUTABLE):
                # Most of them are empty, and a deep copy finds that out slowly.
                stored[name] = deepcopy(value) if value else type(value)()
        values["_stored"] = stored

    def changed_fields(self) -> tuple[models.Field[Any, Any], ...]:
        """What an update has to write; a field that was not read has not changed."""
        values, stored = self.__dict__, self.__dict__["_stored"]
        for field in _computed_fields(type(self)):
            if field.attname in values:
                field.pre_save(self, add=False)  # follows another field, as a blind index does
        return tuple(
            field
            for field, name, always in _written_fields(type(self))
            if name in values  # else deferred, so not changed
            and (
                always
                # Mostly it is the very same object.
                or ((old := stored.get(name, _MISSING)) is not values[name] and old != values[name])
            )
        )


_MISSING = object()
_MUTABLE = (list, dict)
# Fields whose values cannot be changed in place.
_SCALAR = {
    models.BigIntegerField,
    models.BooleanField,
    models.CharField,
    models.DateTimeField,
    models.ForeignKey,
    models.IntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.TextField,
    models.UUIDField,
}


@cache
def _remembered(
    model: type[models.Model],
) -> tuple[tuple[str, ...], Callable[[dict[str, Any]], tuple[Any, ...]], tuple[str, ...]]:
    """The attributes of the columns, what gets them all, and those whose values may change in
    place."""
    fields = model._meta.concrete_fields
    names = tuple(field.attname for field in fields)
    may_change = tuple(field.attname for field in fields if type(field) not in _SCALAR)
    return names, itemgetter(*names), may_change


@cache
def _computed_fields(model: type[models.Model]) -> tuple[models.Field[Any, Any], ...]:
    return tuple(f for f in stored_fields(model) if getattr(f, "computed", False))


@cache
def _written_fields(
    model: type[models.Model],
) -> tuple[tuple[models.Field[Any, Any], str, bool], ...]:
    """Each field, its attribute, and whether every save writes it."""
    return tuple((f, f.attname, getattr(f, "auto_now", False)) for f in stored_fields(model))
