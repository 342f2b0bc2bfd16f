"""Who listens to what: the `subscribe` decorator of every context's handlers.py, and the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
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
    rebuildable: its rows can be cleared and built anew by replaying the topic.
    """

    label: str
    context: str
    event_class: type[Event]
    function: Callable[[Any], None]
    batch: bool = False
    idempotent: bool = False
    rebuildable: bool = False


SUBSCRIPTIONS: dict[type[Event], list[Subscription]] = defaultdict(list)

Handler = Callable[[Any], None]


def subscribe(
    *event_classes: type[Event],
    batch: bool = False,
    idempotent: bool = False,
    rebuildable: bool = False,
) -> Callable[[Handler], Handler]:
    """Call the decorated function with every event of these types, each event once.

    The context is the package below `domains` that the function lives in.
    """

    def register(function: Handler) -> Handler:
        context = context_of_module(function.__module__)
        label = f"{context}.{function.__name__}"
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
                )
            )
        return function

    return register


def context_of_module(module: str) -> str:
    """`orders` for `domains.orders.handlers`."""
    parts = module.split(".")
    return parts[1] if parts[0] == "domains" and len(parts) > 1 else parts[0]
