"""Where a group begins that has no committed place.

A broker forgets the offsets of a group that nobody ran for a while, and the topics go back to the
first event. The inbox remembers for 30 days only; what it has forgotten must not be handled again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from confluent_kafka import OFFSET_INVALID, Consumer, TopicPartition

from infrastructure.inbox import marks

log = logging.getLogger("kafka.consumer")

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
    """The partitions of a new assignment, each with an offset where the committed one is lost.

    While the inbox still knows everything that was handled, the beginning of the topic does, and
    what was handled is passed over. Otherwise it is what was published since the oldest mark.
    """
    committed = consumer.committed(list(partitions), timeout=ANSWER_SECONDS)
    lost = [partition for partition in committed if partition.offset == OFFSET_INVALID]
    if not lost:
        return list(partitions)
    oldest = marks.oldest(alias, handlers)
    if oldest is None or oldest > now - marks.RETENTION + MARGIN:
        return list(partitions)
    log.warning("the group's place was lost: beginning at what was published since %s", oldest)
    at = int(oldest.timestamp() * 1000)
    found = consumer.offsets_for_times(
        [TopicPartition(p.topic, p.partition, at) for p in lost], timeout=ANSWER_SECONDS
    )
    return [
        *(partition for partition in committed if partition.offset != OFFSET_INVALID),
        *found,
    ]
