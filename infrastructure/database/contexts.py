"""Which context a table belongs to, and which connection a context uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.db import connections, models, transaction

if TYPE_CHECKING:
    from infrastructure.database.postgresql.base import DatabaseWrapper

PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Noted:
    """Aliases of databases that were written to; and of those where what cached pages show has
    changed."""

    written: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)


# Alias of a database -> alias of the standby that its reads go to at the moment.
reading_from: ContextVar[Mapping[str, str] | None] = ContextVar("reading_from", default=None)
_noted: ContextVar[Noted | None] = ContextVar("noted", default=None)


def context_of(app_label: str) -> str:
    """The context that owns an app's tables. Raises KeyError for an app nobody placed."""
    context: str = settings.CONTEXT_OF_APP[app_label]
    return context


def alias_of(context: str) -> str:
    """The database alias of a context: `default` unless its own URL moved it."""
    alias: str = settings.ALIAS_OF_CONTEXT[context]
    return alias


def connection_of(context: str) -> DatabaseWrapper:
    """The connection for the reads of a context; while a standby is being read, that one's."""
    return connection_at(_read_alias(alias_of(context)))


def connection_at(alias: str) -> DatabaseWrapper:
    return cast("DatabaseWrapper", connections[alias])


def contexts_on(alias: str) -> list[str]:
    return [context for context in settings.CONTEXTS if alias_of(context) == alias]


def schemas_on(alias: str) -> list[str]:
    """The schemas of a database in search order. `platform` is first, so that extensions and
    functions that nobody placed land there and not in a context."""
    return [PLATFORM, *contexts_on(alias)]


def aliases() -> list[str]:
    """Every database that holds at least one context, each once."""
    return list(dict.fromkeys(alias_of(context) for context in settings.CONTEXTS))


def atomic(context: str, **options: Any) -> transaction.Atomic:
    """`transaction.atomic` on the database of a context; a decorator or a block."""
    alias = alias_of(context)
    note_write(alias)
    return transaction.atomic(using=alias, **options)


@contextmanager
def noting_writes() -> Iterator[Noted]:
    """What the block writes, as far as it has got."""
    found = Noted()
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def note_write(alias: str) -> None:
    """Called wherever something is about to be written."""
    found = _noted.get()
    if found is not None:
        found.written.add(alias)


def note_shown(alias: str) -> None:
    """Called where something changes that pages in caches show."""
    found = _noted.get()
    if found is not None:
        found.shown.add(alias)


def note_all(found: Noted) -> None:
    """What another thread wrote that did the work of this one as well."""
    for alias in found.written:
        note_write(alias)
    for alias in found.shown:
        note_shown(alias)


def note_repetition(alias: str) -> None:
    """A request was sent again whose first answer may never have arrived: whatever it changed
    here, or of what is cached, counts as if it was changed now."""
    note_write(alias)
    for context in settings.CACHED_CONTEXTS:
        note_shown(alias_of(context))


def _read_alias(alias: str) -> str:
    chosen = reading_from.get()
    return alias if chosen is None else chosen.get(alias, alias)


def on_commit(context: str, action: Callable[[], Any]) -> None:
    transaction.on_commit(action, using=alias_of(context))


class ContextRouter:
    """Sends every model to the database of its context and refuses relations between contexts."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return _read_alias(self.db_for_write(model, **hints))

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        context = context_of(model._meta.app_label)
        if context != PLATFORM:
            return alias_of(context)
        instance = hints.get("instance")
        if instance is not None and instance._state.db:
            return str(instance._state.db)
        if len(aliases()) == 1:
            return aliases()[0]
        raise LookupError(
            f"Every database has its own {model.__name__}: say .using(alias_of(context))."
        )

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        return context_of(one._meta.app_label) == context_of(other._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db in aliases() and context_of(app_label) in schemas_on(db)
