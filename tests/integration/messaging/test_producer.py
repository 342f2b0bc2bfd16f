"""What is sent to a topic that has just been made is all there, in its order."""

from __future__ import annotations

from collections import defaultdict

import pytest
from confluent_kafka import KafkaError

from infrastructure.kafka.producer import EventProducer, _report
from tests.support.messaging import make_topics, read_topic

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("broker")]

TOPICS = [f"newborn{number}-events" for number in range(8)]
KEYS = "abcdefgh"
MESSAGES = 20


def test_a_new_partition_loses_nothing_of_a_producer_that_it_does_not_know() -> None:
    """Before a broker leads a partition it refuses, and a moment later it takes whatever number a
    producer begins with: with two requests under way, the first message would be gone."""
    producer = EventProducer()
    answers: list[KafkaError | None] = []
    for topic in TOPICS:
        make_topics([topic])
        for number in range(MESSAGES):
            for key in KEYS:
                producer.send(topic, key, str(number), [], answers.append)
            producer.poll(0.003)
    assert producer.flush(60) == 0
    assert answers == [None] * len(TOPICS) * len(KEYS) * MESSAGES
    for topic in TOPICS:
        arrived: dict[bytes, list[int]] = defaultdict(list)
        for message in read_topic(topic):
            arrived[message.key].append(int(message.value))
        assert arrived == {key.encode(): list(range(MESSAGES)) for key in KEYS}


def test_an_acknowledgement_without_a_place_in_the_log_is_none() -> None:
    answers: list[KafkaError | None] = []
    _report(answers.append, None, Acknowledged(offset=None))
    _report(answers.append, None, Acknowledged(offset=0))
    unplaced, placed = answers
    assert unplaced is not None
    assert unplaced.str() == "acknowledged without a place in the log"
    assert placed is None


class Acknowledged:
    def __init__(self, *, offset: int | None) -> None:
        self._offset = offset

    def offset(self) -> int | None:
        return self._offset
