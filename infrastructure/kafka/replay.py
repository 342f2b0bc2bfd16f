"""Building read models anew from the first event, or from those of a time range."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from django.db import transaction

from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.events.bus import Broken, Dispatcher, Work
from infrastructure.events.envelope import Message
from infrastructure.events.subscriptions import CLEARS, Clear, subscriptions_of
from infrastructure.kafka.client import client_settings
from infrastructure.kafka.consumer import group_name
from infrastructure.kafka.errors import KafkaUnavailable
from infrastructure.kafka.reader import TopicReader

log = structlog.get_logger("kafka.replay")

# A broker that was never asked for a group makes the topic of all groups before it answers, and
# while it reads that topic it says that another one coordinates the group, or that none does yet.
# A client may go on waiting after that, so each is given up soon, and another one asks.
ANSWER_SECONDS = 60
ASK_SECONDS = 10
_NOT_YET = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)


class CannotReplay(Exception):
    """Why these handlers cannot be replayed now."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Handlers that write the same rows, and what clears these."""

    context: str
    handlers: tuple[str, ...]
    clear: Clear


def rebuild_of(label: str) -> Rebuild:
    """The handlers that have to be replayed together with this one. Raises CannotReplay."""
    context = label.partition(".")[0]
    rebuildable = {s.label for s in subscriptions_of(context) if s.rebuildable}
    for clear, handlers in CLEARS.items():
        if label in handlers:
            missing = sorted(set(handlers) - rebuildable)
            if missing:
                raise CannotReplay(f"{', '.join(missing)} is not declared rebuildable.")
            return Rebuild(context, handlers, clear)
    raise CannotReplay(f"Nothing clears the rows of {label}: see @clears.")


def members_of(context: str) -> int:
    """How many consumers of a context's group are running."""
    group = group_name(context)
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        admin = AdminClient(client_settings())  # kept: its answers die with it
        described = admin.describe_consumer_groups([group], request_timeout=ASK_SECONDS)
        try:
            return len(described[group].result(ASK_SECONDS).members)
        except (KafkaException, TimeoutError) as error:
            if not _is_not_yet(error) or time.monotonic() > deadline:
                raise KafkaUnavailable(
                    f"Nobody says who is in the group {group}: {error!r}"
                ) from error
            time.sleep(0.2)


def _is_not_yet(error: KafkaException | TimeoutError) -> bool:
    return isinstance(error, TimeoutError) or error.args[0].code() in _NOT_YET


def replay(rebuild: Rebuild, *, since: datetime | None, until: datetime | None) -> Iterator[int]:
    """Clear the handlers' rows and hand them the events that occurred in the range, from
    (inclusive) to (exclusive), in their order. Yields how many so far, and ends where the topics
    ended when it began.

    The context's consumers must be stopped, or new events would overtake the old ones. Beginning
    again after an interruption is safe: the rows are cleared first. Raises CannotReplay, and
    NotWholeDays where rows are kept by day and the range is not.
    """
    if members_of(rebuild.context):
        raise CannotReplay(
            f"The group of {rebuild.context} is running: stop its consumers first, so that new"
            " events do not overtake the old ones."
        )
    alias = alias_of(rebuild.context)
    dispatcher = Dispatcher(rebuild.context)
    begun_at = clock.now()
    with transaction.atomic(using=alias):
        rebuild.clear(since, until)
    handled = 0
    topics = sorted(
        {s.event_class.topic for s in dispatcher.subscriptions if s.label in rebuild.handlers}
    )
    with TopicReader(topics) as reader:
        for messages in reader.read_on():
            works = list(_wanted(dispatcher, rebuild, messages, since, until))
            if works:
                handled += dispatcher.handle_anew(works, begun_at=begun_at)
            yield handled


def _wanted(
    dispatcher: Dispatcher,
    rebuild: Rebuild,
    messages: Sequence[Message],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Work]:
    for message in messages:
        for work in dispatcher.read(message):
            if work.subscription.label not in rebuild.handlers:
                continue
            if isinstance(work, Broken):
                log.warning(
                    "broken_message_passed_over",
                    topic=message.topic,
                    partition=message.partition,
                    offset=message.offset,
                    reason=str(work.error),
                )
                continue
            occurred_at = work.envelope.occurred_at
            if (since is None or occurred_at >= since) and (until is None or occurred_at < until):
                yield work
