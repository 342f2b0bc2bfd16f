"""From the client library's messages to ours."""

from __future__ import annotations

from typing import cast

from confluent_kafka import Message as KafkaMessage

from infrastructure.events.envelope import Headers, Message
from infrastructure.kafka.client import topic_of


def message_from(raw: KafkaMessage) -> Message:
    """A message that was read, so one that has a place."""
    return Message(
        topic=topic_of(cast(str, raw.topic())),
        partition=cast(int, raw.partition()),
        offset=cast(int, raw.offset()),
        key=raw.key() or b"",
        value=raw.value() or b"",
        headers=cast(Headers, raw.headers() or []),
    )
