"""Every consumer can see a loss or a disorder by itself: events are numbered per aggregate."""

from __future__ import annotations

from collections import OrderedDict

import structlog

from infrastructure.events import metrics
from infrastructure.events.envelope import Message

log = structlog.get_logger("kafka.consumer")

KEYS_PER_PARTITION = 50_000


class SequenceWatch:
    """Remembers the last number of the aggregates seen lately, and counts what does not follow.

    A number again, or a lower one, is a message that came twice, which is allowed.
    """

    def __init__(self, context: str) -> None:
        self._context = context
        self._last: dict[tuple[str, int], OrderedDict[bytes, int]] = {}

    def see(self, message: Message) -> None:
        sequence = _sequence_of(message)
        if sequence is None:
            return
        last = self._last.setdefault((message.topic, message.partition), OrderedDict())
        before = last.get(message.key)
        if before is not None and sequence <= before:
            return
        if before is not None and sequence > before + 1:
            metrics.SEQUENCE_BREAKS.labels(self._context, message.topic).inc()
            log.error(
                "sequence_broken",
                context=self._context,
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                key=message.key.decode(errors="replace"),
                sequence=sequence,
                follows=before,
            )
        last[message.key] = sequence
        last.move_to_end(message.key)
        if len(last) > KEYS_PER_PARTITION:
            last.popitem(last=False)

    def forget(self, place: tuple[str, int]) -> None:
        """Another consumer has the partition: what comes after it gave it back follows no more."""
        self._last.pop(place, None)


def _sequence_of(message: Message) -> int | None:
    for name, value in message.headers:
        if name == "ce_sequence" and value is not None:
            try:
                return int(value)
            except ValueError:
                return None
    return None
