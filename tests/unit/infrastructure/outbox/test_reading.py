"""Where the relay reads on: ids become visible in the order of the commits, not in their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infrastructure.outbox import relay
from infrastructure.outbox.relay import LOOK_BACK_SECONDS, REWIND_SECONDS, Reader


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(relay, "time", clock)
    return clock


def test_the_first_read_begins_at_the_start_of_the_table(clock: Clock) -> None:
    assert Reader().position() == 0


def test_with_a_backlog_reading_goes_straight_on(clock: Clock) -> None:
    reader = Reader()
    reader.position()
    reader.read(1000, full=True)
    assert reader.position() == 1000
    reader.read(2000, full=True)
    assert reader.position() == 2000


def test_without_a_backlog_the_last_moments_are_read_again(clock: Clock) -> None:
    reader = Reader()
    reader.position()
    reader.read(1000, full=False)
    clock.now += LOOK_BACK_SECONDS / 2
    reader.read(1010, full=False)
    # An id below 1010 may still become visible.
    assert reader.position() < 1000
    clock.now += LOOK_BACK_SECONDS
    reader.read(1020, full=False)
    clock.now += LOOK_BACK_SECONDS
    reader.read(1030, full=False)
    assert 1000 <= reader.position() < 1030


@pytest.mark.parametrize("full", [True, False])
def test_once_in_a_while_the_whole_table_is_read(clock: Clock, full: bool) -> None:
    reader = Reader()
    reader.position()
    reader.read(1000, full=full)
    clock.now += REWIND_SECONDS
    assert reader.rewinds
    assert reader.position() == 0
    assert not reader.rewinds


def test_new_shards_are_read_from_the_start(clock: Clock) -> None:
    reader = Reader()
    reader.position()
    reader.read(1000, full=True)
    reader.rewind()
    assert reader.position() == 0
