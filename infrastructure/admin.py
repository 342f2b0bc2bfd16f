"""The operator's screens: facts on their way, and those that are stuck."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

import infrastructure.operations.admin  # noqa: F401  (registers its screens)
from infrastructure.database.contexts import aliases
from infrastructure.errors import DomainError
from infrastructure.inbox.models import DeadLetter
from infrastructure.inbox.redrive import redrive
from infrastructure.outbox import parking
from infrastructure.outbox.models import OutboxMessage, ParkedMessage
from infrastructure.screens import DatabaseFilter, ReadOnlyAdmin


class PlatformAdmin(ReadOnlyAdmin):
    """The list is of the chosen database; a row's own page is of the first one that has it."""

    rank = 900

    def has_write_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "operations.write")

    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = self.model._default_manager.using(aliases()[0])
        return found.order_by("-id")

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        for alias in aliases():
            found = self.model._default_manager.using(alias).filter(pk=object_id).first()
            if found is not None:
                return found
        return None


@admin.register(OutboxMessage)
class OutboxMessageAdmin(PlatformAdmin):
    list_display = ("id", "name", "key", "sequence", "topic", "occurred_at")
    list_filter = (DatabaseFilter, "topic")
    search_fields = ("=key", "=event_id")


@admin.register(ParkedMessage)
class ParkedMessageAdmin(PlatformAdmin):
    list_display = ("id", "name", "key", "sequence", "reason", "parked_at")
    list_filter = (DatabaseFilter, "topic")
    search_fields = ("=key", "=event_id")
    actions = ("release",)

    @admin.action(description="Let the relay try the keys of these again", permissions=["write"])
    def release(self, request: HttpRequest, queryset: QuerySet[ParkedMessage]) -> None:
        self.run(request, queryset, _release)


@admin.register(DeadLetter)
class DeadLetterAdmin(PlatformAdmin):
    list_display = ("id", "handler", "key", "error_class", "attempts", "failed_at", "resolution")
    list_filter = (DatabaseFilter, "resolution", "handler")
    search_fields = ("=key", "=event_id")
    exclude = ("payload",)
    actions = ("redrive",)

    @admin.action(
        description="Hand the keys of these to their handlers again", permissions=["write"]
    )
    def redrive(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        self.run(request, queryset, _redrive)


class StillFailing(DomainError):
    """The handler failed on it once more."""

    code, title = "still_failing", "The event cannot be handled yet"


def _release(row: ParkedMessage, reason: str) -> str:
    count = parking.release(row._state.db or "", topic=row.topic, key=row.key)
    return f"{count} messages of the key are back in the outbox"


def _redrive(letter: DeadLetter, reason: str) -> str:
    """With one letter goes its whole key, since its events are handled in their order."""
    context = letter.handler.partition(".")[0]
    result = redrive(context, handler=letter.handler, key=letter.key)
    if result.failed:
        raise StillFailing("; ".join(result.failed.values()))
    return f"{len(result.handled)} events of the key were handled"
