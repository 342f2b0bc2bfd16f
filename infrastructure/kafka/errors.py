"""What the broker's errors mean for a message."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from infrastructure.errors import Unavailable

# The broker looked at the message and will refuse it again.
_PERMANENT = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_EXCEPTION,
    }
)


class Refused(Exception):
    """Kafka will never take this message as it is."""


class KafkaUnavailable(Unavailable):
    """The broker cannot be reached, or did not answer in time."""


def is_permanent(error: KafkaError) -> bool:
    return error.code() in _PERMANENT


def reason(error: KafkaException) -> KafkaError:
    """The broker's or the library's error inside the exception."""
    found = error.args[0]
    assert isinstance(found, KafkaError)
    return found
