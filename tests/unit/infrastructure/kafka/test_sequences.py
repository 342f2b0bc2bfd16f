from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from infrastructure.events.envelope import Message
from infrastructure.kafka.sequences import SequenceWatch


def see(watch: SequenceWatch, key: str, *numbers: int, partition: int = 0) -> None:
    for number in numbers:
        headers = [("ce_sequence", str(number).encode())]
        watch.see(Message("sequence-events", partition, number, key.encode(), b"", headers))


def breaks() -> float:
    labels = {"context": "tests", "topic": "sequence-events"}
    return REGISTRY.get_sample_value("kontor_sequence_breaks_total", labels) or 0.0


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ((1, 2, 3), 0),
        ((5, 6), 0),  # the first one seen need not be the first one there is
        ((1, 2, 1, 2, 3), 0),  # twice on the wire
        ((1, 3), 1),
        ((1, 3, 2, 4), 1),  # out of order: seen when the later one comes first
        ((1, 4, 9), 2),
    ],
)
def test_a_number_that_does_not_follow_is_counted(numbers: tuple[int, ...], found: int) -> None:
    before = breaks()
    see(SequenceWatch("tests"), "a", *numbers)
    assert breaks() - before == found


def test_aggregates_are_numbered_apart() -> None:
    before, watch = breaks(), SequenceWatch("tests")
    see(watch, "a", 1, 2)
    see(watch, "b", 1, 2)
    see(watch, "a", 3)
    assert breaks() == before


def test_what_another_consumer_handled_meanwhile_is_no_gap() -> None:
    before, watch = breaks(), SequenceWatch("tests")
    see(watch, "a", 1, 2, partition=3)
    watch.forget(("sequence-events", 3))
    see(watch, "a", 7, 8, partition=3)
    assert breaks() == before


@pytest.mark.parametrize("headers", [[], [("ce_sequence", b"x")], [("ce_sequence", None)]])
def test_messages_without_a_number_are_left_alone(headers: list[tuple[str, bytes | None]]) -> None:
    before = breaks()
    SequenceWatch("tests").see(Message("sequence-events", 0, 0, b"a", b"", headers))
    assert breaks() == before
