"""The Django model as an aggregate: it guards its rules, and remembers what happened to it.

`save()` is one statement: the root with its version check, its new, changed and removed children,
and its events as outbox rows. Nothing is written where the version is stale, and nobody can save
an aggregate and forget its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, NoReturn, Self
from uuid import UUID

from django.db import models, router

from infrastructure.database.contexts import connection_at, note_write
from infrastructure.database.statement import Statement, stored_fields
from infrastructure.database.tracked import Tracked
from infrastructure.errors import StaleVersion
from infrastructure.events.event import Event
from infrastructure.ids import new_id
from infrastructure.observability.correlation import Correlation
from infrastructure.outbox import hint
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import OutboxRow, outbox_rows


class ConcurrentModification(StaleVersion):
    """Somebody else saved the aggregate since it was loaded. Nothing was written."""


class AggregateQuerySet(models.QuerySet[Any]):
    """Refuses writes that would go around an aggregate's methods and its events.

    Commands over many aggregates are named methods of a subclass: one statement, all or nothing,
    that writes its outbox rows too.
    """

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Change an aggregate through its own methods.")

    create = get_or_create = update_or_create = _refuse
    update = delete = bulk_create = bulk_update = _refuse

    def add_all(self, roots: Sequence[AggregateRoot]) -> None:
        """Insert new roots with their children and events in one statement, all or nothing.

        Raises IntegrityError where one of them exists already; then none was written.
        """
        if roots:
            _write(list(roots), (), lambda statement: statement.insert_roots(roots))

    def add_new(
        self, roots: Sequence[AggregateRoot], *, causes: Mapping[Any, Correlation] | None = None
    ) -> set[Any]:
        """Insert those new roots whose ids are not taken, with their children and events, in one
        statement. Returns the ids of those that were written.

        causes: by id, what the events of each are put down to; else to what is running.
        """
        if not roots:
            return set()
        if any(root.__dict__.get("_along") for root in roots):
            raise TypeError("Nothing is written along with roots that may be left out.")
        return _write(
            list(roots),
            (),
            lambda statement: statement.insert_roots(roots, unless_exists=True),
            causes=causes,
            may_leave_out=True,
        )

    def save_all(
        self, roots: Sequence[AggregateRoot], *, causes: Mapping[Any, Correlation] | None = None
    ) -> None:
        """Save many stored roots, each as its own `save()` would, in one statement, all or nothing.

        The columns that changed in any of them are written in all of them, so that the statement is
        the same one for most batches. Their rows are locked in the order of their ids.
        causes: by id, what the events of each are put down to; else to what is running.

        Raises ConcurrentModification where one of them is stale, and IntegrityError as the database
        says it; in both cases nothing was written.
        """
        stored = sorted(roots, key=lambda root: root.pk)
        if any(root._state.adding for root in stored):
            raise TypeError("New aggregates are added, not saved.")
        if len(stored) == 1:
            fields = stored[0].changed_fields
            _write(
                stored,
                (),
                lambda statement: statement.update_root(stored[0], fields()),
                causes=causes,
            )
        elif stored:
            _write(
                stored,
                (),
                lambda statement: statement.update_roots(stored, _changed_in_any(stored)),
                causes=causes,
            )

    def command(self, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run the statement of a named set-based command and return its rows."""
        alias = router.db_for_write(self.model)
        note_write(alias)
        rows = connection_at(alias).fetch(sql, params)
        hint.after_commit(alias)
        return rows


class OwnedQuerySet(models.QuerySet[Any]):
    """Children are written by their root's `save()` only."""

    create = get_or_create = update_or_create = AggregateQuerySet._refuse
    update = delete = bulk_create = bulk_update = AggregateQuerySet._refuse


class OwnedModel(Tracked):
    """A part of an aggregate: reached, changed and written through its root."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A part of an aggregate is saved by its root.")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Take the part out of its root's list and save the root.")


class Owned:
    """`lines = Owned("line_rows")`: the children of a root as a plain list.

    Filled from the related manager at first use (`prefetch_related("line_rows")` saves the
    query); append, change or remove, and `save()` writes the difference.
    """

    def __init__(self, related_name: str) -> None:
        self.related_name = related_name

    def __set_name__(self, owner: type[AggregateRoot], name: str) -> None:
        self.name = name
        owner.owned = {**getattr(owner, "owned", {}), name: self.related_name}

    def __get__(self, root: AggregateRoot | None, owner: type[AggregateRoot]) -> Any:
        if root is None:
            return self
        if self.name not in root.__dict__:
            children = [] if root._state.adding else list(getattr(root, self.related_name).all())
            root.__dict__[self.name] = children
            root.__dict__[f"_{self.name}_stored"] = {child.pk for child in children}
        return root.__dict__[self.name]

    def fill(self, root: AggregateRoot, children: Iterable[OwnedModel]) -> None:
        """Give a root the children that were read by the same statement as itself.

        Root and children read by two statements may show two moments. No save is fooled by that,
        because of the version; an answer is.
        """
        root.__dict__[self.name] = list(children)
        root.__dict__[f"_{self.name}_stored"] = {child.pk for child in root.__dict__[self.name]}

    def __set__(self, root: AggregateRoot, children: Iterable[OwnedModel]) -> None:
        if self.name not in root.__dict__ and not root._state.adding:
            self.__get__(root, type(root))
        root.__dict__.setdefault(f"_{self.name}_stored", set())
        root.__dict__[self.name] = list(children)


class AggregateRoot(Tracked):
    """A model that is loaded, changed by its methods and saved whole. Subclasses have an
    `objects` of an AggregateQuerySet.

    version: rises by one with every save; a save from a stale one raises ConcurrentModification.
    events_recorded: the sequence of its last event. Guarded by the version, so without gaps.
    """

    owned: ClassVar[dict[str, str]] = {}

    version = models.PositiveIntegerField(default=0, editable=False)
    events_recorded = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Self] | None = None,
    ) -> None:
        """Whole, unless `fields` are named: unsaved children and events are forgotten as well."""
        super().refresh_from_db(using, fields, from_queryset)
        if fields is None:
            self.__dict__.pop("_events", None)
            self.__dict__.pop("_along", None)
            for name in self.owned:
                self.__dict__.pop(name, None)
                self.__dict__.pop(f"_{name}_stored", None)

    def require_version(self, version: int | None) -> None:
        """version: the one that a change is based on, None for whichever. Raises
        ConcurrentModification."""
        if version is not None and version != self.version:
            raise ConcurrentModification(
                f"The {self._meta.verbose_name} is at version {self.version}, not {version}."
            )

    def record(self, event: Event) -> None:
        """Remember a fact; the next `save()` publishes it."""
        self.__dict__.setdefault("_events", []).append(event)

    def write_along(self, row: models.Model) -> None:
        """A new row of the same database, such as a ledger's, that exists exactly if the next
        `save()` succeeds."""
        self.__dict__.setdefault("_along", []).append(row)

    @property
    def has_changes(self) -> bool:
        """Whether a save would write more than a new version. Children that were not loaded have
        not changed."""
        if self._state.adding or self.__dict__.get("_events") or self.__dict__.get("_along"):
            return True
        if any(not getattr(field, "auto_now", False) for field in self.changed_fields()):
            return True
        return any(
            {child.pk for child in self.__dict__[name]} != self.__dict__[f"_{name}_stored"]
            or any(child.changed_fields() for child in self.__dict__[name])
            for name in self.owned
            if name in self.__dict__
        )

    def save(
        self, *, also: Sequence[models.Model] = (), unless_exists: bool = False, **options: Any
    ) -> None:
        """Write what changed, with the recorded events, in one statement.

        also: further new rows of the same database that exist exactly if the save succeeds, such
        as an idempotency record.
        unless_exists: for a new root whose id the caller was given: a taken id raises
        ConcurrentModification, and no error of the database, which would end a transaction.
        Raises ConcurrentModification, and IntegrityError as the database says it; in both cases
        nothing was written and the events stay recorded.
        """
        if not options.keys() <= {"force_insert"}:
            raise TypeError("An aggregate is saved whole, in its own database.")
        if self._state.adding:
            _write(
                [self],
                also,
                lambda statement: statement.insert_roots([self], unless_exists=unless_exists),
            )
        else:
            fields = self.changed_fields
            _write([self], also, lambda statement: statement.update_root(self, fields()))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An aggregate ends by one of its methods, its row stays.")


def _changed_in_any(roots: Sequence[AggregateRoot]) -> tuple[models.Field[Any, Any], ...]:
    changed = {field for root in roots for field in root.changed_fields()}
    return tuple(field for field in stored_fields(type(roots[0])) if field in changed)


def _write(
    roots: list[AggregateRoot],
    also: Sequence[models.Model],
    write_roots: Callable[[Statement], None],
    *,
    causes: Mapping[Any, Correlation] | None = None,
    may_leave_out: bool = False,
) -> set[Any]:
    """may_leave_out: not all roots have to be written. Returns the ids of those that were."""
    alias = router.db_for_write(type(roots[0]), instance=roots[0])
    note_write(alias)
    statement = Statement(connection_at(alias))
    before = [(root.version, root.events_recorded) for root in roots]
    try:
        events: list[OutboxRow] = []
        for root in roots:
            recorded = root.__dict__.get("_events", ())
            events += outbox_rows(
                recorded,
                key=root.pk,
                first_sequence=root.events_recorded + 1,
                cause=None if causes is None else causes[root.pk],
            )
            root.version += 1
            root.events_recorded += len(recorded)
        write_roots(statement)
        children = _write_children(statement, roots)
        if events:
            many = len(roots) > 1
            statement.insert(
                "events",
                OutboxMessage,
                events,
                root_column="key" if many else "",
                order_by="sequence" if many else "",
            )
        along = [*also, *(row for root in roots for row in root.__dict__.get("_along", ()))]
        for number, (model, rows) in enumerate(groupby(along, type)):
            statement.insert(f"also{number}", model, list(rows), for_all=len(roots) > 1)
        written = {root_id for (root_id,) in statement.execute()}
        if len(written) < len(roots) and not may_leave_out:
            which = roots[0].pk if len(roots) == 1 else f"among {len(roots)}"
            raise ConcurrentModification(
                f"{type(roots[0])._meta.verbose_name} {which} was changed meanwhile."
            )
    except BaseException:
        for root, (version, events_recorded) in zip(roots, before, strict=True):
            root.version, root.events_recorded = version, events_recorded
        raise
    left_out = [root for root in roots if root.pk not in written]
    if left_out:
        for root in left_out:
            root.version, root.events_recorded = 0, 0
        roots = [root for root in roots if root.pk in written]
        children = [child for root in roots for name in root.owned for child in getattr(root, name)]
    for row in (*roots, *children):
        row._state.adding, row._state.db = False, alias
        row.remember()
    for root in roots:
        root.__dict__.pop("_events", None)
        root.__dict__.pop("_along", None)
        for name in root.owned:
            if name in root.__dict__:
                root.__dict__[f"_{name}_stored"] = {child.pk for child in root.__dict__[name]}
    if events:
        hint.after_commit(alias)
    return written


def _write_children(statement: Statement, roots: list[AggregateRoot]) -> list[OwnedModel]:
    """Add the parts that write the roots' children. Returns those that are new or changed."""
    root_class = type(roots[0])
    written: list[OwnedModel] = []
    for name, related_name in root_class.owned.items():
        relation = root_class._meta.get_field(related_name)
        foreign_key = relation.field  # type: ignore[union-attr]
        new, changed, gone = [], [], set[UUID]()
        for root in roots:
            if name not in root.__dict__:
                continue  # not loaded means not changed
            stored: set[UUID] = root.__dict__[f"_{name}_stored"]
            children = root.__dict__[name]
            gone |= stored - {child.pk for child in children}
            for child in children:
                if child.pk not in stored:
                    setattr(child, foreign_key.attname, root.pk)
                    new.append(child)
                elif child.changed_fields():
                    changed.append(child)
        root_column = str(foreign_key.column) if len(roots) > 1 else ""
        if gone:
            statement.delete(f"{name}_gone", relation.related_model, sorted(gone))  # type: ignore[arg-type]
        if changed:
            statement.update(f"{name}_changed", changed, root_column=root_column)
        if new:
            statement.insert(
                f"{name}_new",
                type(new[0]),
                new,
                root_column=root_column,
                # A new row may take the unique position of a removed one.
                after=f"{name}_gone" if gone else "",
            )
        written += new + changed
    return written
