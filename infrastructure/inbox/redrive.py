"""Handing dead letters to the handler that failed on them, and to no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.events.bus import Broken, Dispatcher
from infrastructure.inbox.dead_letters import message_of
from infrastructure.inbox.models import BlockedKey, DeadLetter
from infrastructure.observability.logging import scrub


@dataclass(frozen=True, slots=True)
class Redriven:
    """`failed` letters stay open, and so do those that wait behind them."""

    handled: list[UUID]
    failed: dict[UUID, str]


def open_letters(
    alias: str, *, handler: str = "", key: str = "", event_id: UUID | None = None
) -> QuerySet[DeadLetter]:
    """Letters that nobody has resolved, in the order in which they must be handled."""
    letters = DeadLetter.objects.using(alias).filter(resolution="")
    if handler:
        letters = letters.filter(handler=handler)
    if key:
        letters = letters.filter(key=key)
    if event_id:
        letters = letters.filter(event_id=event_id)
    return letters.order_by("id")


def redrive(
    context: str,
    *,
    handler: str = "",
    key: str = "",
    now: Callable[[], datetime] = clock.now,
) -> Redriven:
    """Hand the open letters of a context to their handlers again, key by key, in order.

    At a letter that fails again its key stops and stays blocked, if the handler minds the order;
    other keys go on. A key without open letters left is no longer blocked.
    """
    alias = alias_of(context)
    dispatcher = Dispatcher(context, now=now)
    result = Redriven(handled=[], failed={})
    handlers = {s.label: s.ordered for s in dispatcher.subscriptions}
    queues: dict[tuple[str, str, str], None] = {}
    for letter in open_letters(alias, handler=handler, key=key):
        if letter.handler in handlers:
            queues[letter.handler, letter.topic, letter.key] = None
    for queue in queues:
        _redrive_key(alias, dispatcher, *queue, ordered=handlers[queue[0]], result=result, now=now)
    return result


def _redrive_key(
    alias: str,
    dispatcher: Dispatcher,
    handler: str,
    topic: str,
    key: str,
    *,
    ordered: bool,
    result: Redriven,
    now: Callable[[], datetime],
) -> None:
    letters = DeadLetter.objects.using(alias).filter(
        handler=handler, topic=topic, key=key, resolution=""
    )
    last = 0
    while (letter := letters.filter(id__gt=last).order_by("id").first()) is not None:
        last = letter.id
        try:
            _hand_over(alias, dispatcher, letter, now)
            result.handled.append(letter.event_id)
        except Exception as error:  # a handler may raise anything; it is shown to the operator
            result.failed[letter.event_id] = f"{type(error).__qualname__}: {error}"
            letters.filter(pk=letter.pk).update(
                error_class=type(error).__qualname__,
                error=scrub(str(error))[:500].replace("\x00", "�"),
                attempts=letter.attempts + 1,
            )
            if ordered:
                return
        else:
            # Locked against the consumer, which adds followers as long as the key is blocked.
            unblock_if_empty(alias, handler, topic, key)


def _hand_over(
    alias: str, dispatcher: Dispatcher, letter: DeadLetter, now: Callable[[], datetime]
) -> None:
    work = next(
        work
        for work in dispatcher.read(message_of(letter))
        if work.subscription.label == letter.handler
    )
    if isinstance(work, Broken):
        raise work.error
    letters = DeadLetter.objects.using(alias).filter(pk=letter.pk, resolution="")
    if work.subscription.idempotent:
        dispatcher.handle_again(work)
        letters.update(resolution=DeadLetter.Resolution.REDRIVEN, resolved_at=now())
        return
    with transaction.atomic(using=alias):
        if letters.select_for_update(no_key=True).first() is None:
            return  # somebody else was faster
        dispatcher.handle_again(work)
        letters.update(resolution=DeadLetter.Resolution.REDRIVEN, resolved_at=now())


def unblock_if_empty(alias: str, handler: str, topic: str, key: str) -> bool:
    """Unblock a key that nothing waits for any more. Returns whether it is unblocked."""
    with transaction.atomic(using=alias):
        blocked = BlockedKey.objects.using(alias).filter(handler=handler, topic=topic, key=key)
        blocked.select_for_update().first()
        if (
            DeadLetter.objects.using(alias)
            .filter(handler=handler, topic=topic, key=key, resolution="")
            .exists()
        ):
            return False
        blocked.delete()
        return True
