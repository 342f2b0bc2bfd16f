"""Where a group begins with its partitions, also those that it has no committed place in.

A broker forgets the offsets of a group that nobody ran for a while, and the topics go back to the
first event. The inbox remembers for 30 days only; what it has forgotten must not be handled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from confluent_kafka import OFFSET_END, OFFSET_INVALID, Consumer, TopicPartition

from infrastructure.inbox import marks
from infrastructure.inbox.hearing import Place
from infrastructure.kafka.client import topic_of

log = structlog.get_logger("kafka.consumer")

ANSWER_SECONDS = 10
# Marks this close to the end of their time may have older ones that are gone already.
MARGIN = timedelta(days=1)


def starting_points(
    consumer: Consumer,
    partitions: Sequence[TopicPartition],
    *,
    alias: str,
    handlers: Sequence[str],
    now: datetime,
) -> list[TopicPartition]:
    """The partitions of a new assignment, each with the offset to begin at: the committed one, or
    another where that is lost.

    While the inbox still knows everything that was handled, the beginning of the topic does, and
    what was handled is passed over. Otherwise it is what was published since the oldest mark.
    """
    committed = consumer.committed(list(partitions), timeout=ANSWER_SECONDS)
    lost = [partition for partition in committed if partition.offset == OFFSET_INVALID]
    if not lost:
        return committed
    oldest = marks.oldest(alias, handlers)
    if oldest is None or oldest > now - marks.RETENTION + MARGIN:
        return committed
    log.warning("place_of_group_lost", begins_at=oldest.isoformat())
    at = int(oldest.timestamp() * 1000)
    found = consumer.offsets_for_times(
        [TopicPartition(p.topic, p.partition, at) for p in lost], timeout=ANSWER_SECONDS
    )
    return [
        *(partition for partition in committed if partition.offset != OFFSET_INVALID),
        *found,
    ]


def places_of(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[Place]:
    """The first message that comes of each of these starting points."""
    return [
        Place(topic_of(one.topic), one.partition, _first_offset(consumer, one))
        for one in partitions
    ]


def _first_offset(consumer: Consumer, partition: TopicPartition) -> int:
    if partition.offset == OFFSET_INVALID:
        return 0  # at the beginning, whatever that is by now
    if partition.offset == OFFSET_END:
        _, end = consumer.get_watermark_offsets(partition, timeout=ANSWER_SECONDS)
        return int(end)
    return int(partition.offset)
