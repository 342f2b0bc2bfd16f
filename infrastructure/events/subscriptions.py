"""Who listens to what: the `subscribe` decorator of every context's handlers.py, and the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from infrastructure.events.event import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """One handler of one event type.

    label: `<context>.<function>`, the identity of its inbox marks: renaming the function makes it
        a new subscriber that has handled nothing yet.
    batch: the function takes a list of events instead of one.
    idempotent: runs outside any transaction, and its inbox mark follows its effect, so after a
        crash it may see the same event again. For handlers that call through other doors.
    rebuildable: its rows can be cleared and built anew by replaying the topic. What clears them is
        registered by `@clears`.
    ordered: the order of an aggregate's events matters. When one fails for good, those that follow
        it wait behind it instead of overtaking it.
    """

    label: str
    context: str
    event_class: type[Event]
    function: Callable[[Any], None]
    batch: bool = False
    idempotent: bool = False
    rebuildable: bool = False
    ordered: bool = True


SUBSCRIPTIONS: dict[type[Event], list[Subscription]] = defaultdict(list)

Handler = Callable[[Any], None]


def subscribe(
    *event_classes: type[Event],
    batch: bool = False,
    idempotent: bool = False,
    rebuildable: bool = False,
    ordered: bool = True,
) -> Callable[[Handler], Handler]:
    """Call the decorated function with every event of these types, each event once.

    The context is the package below `domains` that the function lives in.
    """

    def register(function: Handler) -> Handler:
        context, label = context_of_module(function.__module__), label_of(function)
        for event_class in event_classes:
            subscribers = SUBSCRIPTIONS[event_class]
            if any(known.label == label for known in subscribers):
                raise ValueError(f"{label} already listens to {event_class.__name__}.")
            subscribers.append(
                Subscription(
                    label=label,
                    context=context,
                    event_class=event_class,
                    function=function,
                    batch=batch,
                    idempotent=idempotent,
                    rebuildable=rebuildable,
                    ordered=ordered,
                )
            )
        return function

    return register


Clear = Callable[[datetime | None, datetime | None], None]

CLEARS: dict[Clear, tuple[str, ...]] = {}


def clears(*handlers: Handler) -> Callable[[Clear], Clear]:
    """Let the decorated function clear the rows of these rebuildable handlers before a replay.

    It gets the time range of the replay, from (inclusive) to (exclusive), None for an open end, and
    deletes what the handlers wrote for events that occurred within. Handlers that write the same
    rows share one such function, and are replayed together.
    """

    def register(function: Clear) -> Clear:
        CLEARS[function] = tuple(map(label_of, handlers))
        return function

    return register


class NotWholeDays(Exception):
    """What is counted by day can be built anew by whole days (UTC) only: of a day that is cleared
    as a whole and replayed in part, or the other way about, the count would be wrong."""


ClearDays = Callable[[date | None, date | None], None]


def clears_days(*handlers: Handler) -> Callable[[ClearDays], ClearDays]:
    """The same for rows that are kept by day: the decorated function gets days of UTC, from
    (inclusive) to (exclusive). A replay of any other range raises NotWholeDays before it."""

    def register(function: ClearDays) -> ClearDays:
        def clear(since: datetime | None, until: datetime | None) -> None:
            function(since and _day_begun_at(since), until and _day_begun_at(until))

        clears(*handlers)(clear)
        return function

    return register


def _day_begun_at(instant: datetime) -> date:
    instant = instant.astimezone(UTC)
    if instant.time() != time():
        raise NotWholeDays(
            f"{instant.isoformat()} is within a day: the range must begin and end at midnight UTC."
        )
    return instant.date()


def subscriptions_of(context: str) -> list[Subscription]:
    """What the handlers of a context listen to, in the order of their registration."""
    return [
        subscription
        for subscriptions in SUBSCRIPTIONS.values()
        for subscription in subscriptions
        if subscription.context == context
    ]


def label_of(function: Callable[..., None]) -> str:
    """`<context>.<function>`."""
    return f"{context_of_module(function.__module__)}.{function.__name__}"


def context_of_module(module: str) -> str:
    """`orders` for `domains.orders.handlers`."""
    parts = module.split(".")
    return parts[1] if parts[0] == "domains" and len(parts) > 1 else parts[0]
