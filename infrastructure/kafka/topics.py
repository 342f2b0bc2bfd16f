"""The topics of the event registry, made where they are missing."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from django.conf import settings

from infrastructure.events.event import PUBLISHED
from infrastructure.kafka.client import (
    MESSAGE_BYTES,
    client_settings,
    dead_letter_topic,
    topic_name,
)
from infrastructure.kafka.errors import KafkaUnavailable, Refused, reason

PARTITIONS = 6
ANSWER_SECONDS = 3
CREATION_SECONDS = 10


def published_topics() -> list[str]:
    """The topics of all events of the contexts that are installed here."""
    return sorted(
        {
            event_class.topic
            for (name, _), event_class in PUBLISHED.items()
            if name.partition(".")[0] in settings.CONTEXTS
        }
    )


def ensure_topics(topics: Iterable[str]) -> list[str]:
    """Make these topics, and a dead letter topic beside each, where they are missing.

    Events are kept for ever, since read models are built from the first one. Returns the topics
    that were made. Raises KafkaUnavailable, and Refused where the broker will not have a topic.
    """
    wanted = {
        topic_name(name): name for topic in topics for name in (topic, dead_letter_topic(topic))
    }
    admin = AdminClient(client_settings())
    try:
        existing = admin.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException as error:
        raise KafkaUnavailable(str(error)) from error
    missing = [name for name in wanted if name not in existing]
    if not missing:
        return []
    answers = admin.create_topics(
        [
            NewTopic(
                name,
                num_partitions=PARTITIONS,
                replication_factor=settings.KAFKA_REPLICATION_FACTOR,
                config={"retention.ms": "-1", "max.message.bytes": str(_limit(MESSAGE_BYTES))},
            )
            for name in missing
        ],
        operation_timeout=CREATION_SECONDS,
        request_timeout=CREATION_SECONDS,
    )
    made = []
    for name, future in answers.items():
        try:
            future.result()
            made.append(wanted[name])
        except KafkaException as error:
            _judge(name, error)
    return made


def _limit(message_bytes: int) -> int:
    """A batch of one message is larger than the message by its own header."""
    return message_bytes + 1024


def _judge(name: str, error: KafkaException) -> None:
    code = reason(error).code()
    if code == KafkaError.TOPIC_ALREADY_EXISTS:
        return  # somebody else was faster
    if code in (KafkaError.TOPIC_EXCEPTION, KafkaError.INVALID_CONFIG, KafkaError.POLICY_VIOLATION):
        raise Refused(f"The broker refuses the topic {name}: {reason(error).str()}") from error
    raise KafkaUnavailable(f"{name}: {reason(error).str()}") from error
