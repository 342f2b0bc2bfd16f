"""Where the relay reads on: never past an id at or below which a row may still appear."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from infrastructure.outbox import reading
from infrastructure.outbox.reading import LOOK_SECONDS, REWIND_SECONDS, Reader


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(reading, "time", clock)
    return clock


def writing(*names: str) -> Callable[[], frozenset[str]]:
    return lambda: frozenset(names)


def nobody_is_asked() -> frozenset[str]:
    raise AssertionError("asked who is writing")


def test_the_first_read_begins_at_the_start_of_the_table(clock: Clock) -> None:
    assert Reader().floor(nobody_is_asked) == 0


def test_an_empty_table_asks_nothing_of_the_database(clock: Clock) -> None:
    reader = Reader()
    reader.read(0, full=False)
    clock.now += LOOK_SECONDS
    assert reader.floor(nobody_is_asked) == 0


def test_with_nobody_writing_the_floor_follows_one_read_later(clock: Clock) -> None:
    reader = Reader()
    reader.read(1000, full=False)
    # What was committed before the look is found by the read that follows it.
    assert reader.floor(writing()) == 0
    reader.read(1000, full=False)
    assert reader.floor(nobody_is_asked) == 1000


def test_a_writer_holds_the_floor_down_until_it_is_gone(clock: Clock) -> None:
    reader = Reader()
    reader.read(1000, full=False)
    for _ in range(3):
        assert reader.floor(writing("slow")) == 0
        reader.read(1000, full=False)
        clock.now += LOOK_SECONDS
    assert reader.floor(writing()) == 0
    reader.read(1000, full=False)
    assert reader.floor(nobody_is_asked) == 1000


def test_writers_that_came_later_do_not_hold_the_floor_down(clock: Clock) -> None:
    reader = Reader()
    reader.read(1000, full=False)
    reader.floor(writing("a", "b"))
    reader.read(1500, full=False)
    clock.now += LOOK_SECONDS
    reader.floor(writing("b", "c"))
    reader.read(1600, full=False)
    clock.now += LOOK_SECONDS
    reader.floor(writing("c", "d"))
    reader.read(2000, full=False)
    # c may have drawn any id above 1000, and none below it.
    assert reader.floor(nobody_is_asked) == 1000


def test_a_full_batch_lifts_the_floor_no_higher_than_it_reached(clock: Clock) -> None:
    reader = Reader()
    reader.read(5000, full=False)
    reader.floor(writing("slow"))
    reader.read(5000, full=False)
    clock.now += LOOK_SECONDS
    reader.floor(writing())
    # The slow writer left more rows than one batch holds.
    reader.read(1800, full=True)
    assert reader.floor(nobody_is_asked) == 1800
    reader.read(5000, full=False)
    assert reader.floor(nobody_is_asked) == 5000


def test_the_database_is_not_asked_at_every_read(clock: Clock) -> None:
    reader = Reader()
    reader.read(1000, full=True)
    reader.floor(writing("slow"))
    reader.read(1000, full=True)
    assert reader.floor(nobody_is_asked) == 0
    clock.now += LOOK_SECONDS
    with pytest.raises(AssertionError, match="asked who is writing"):
        reader.floor(nobody_is_asked)


def test_rows_given_back_are_read_from_the_start(clock: Clock) -> None:
    reader = Reader()
    reader.read(1000, full=True)
    reader.floor(writing())
    reader.read(1000, full=True)
    assert reader.floor(nobody_is_asked) == 1000
    reader.rewind()
    assert reader.floor(writing()) == 0
    reader.read(400, full=True)
    assert reader.floor(nobody_is_asked) == 400


def test_once_in_a_while_the_whole_table_is_read(clock: Clock) -> None:
    reader = Reader()
    reader.read(1000, full=False)
    reader.floor(writing())
    reader.read(1000, full=False)
    assert reader.floor(nobody_is_asked) == 1000
    clock.now += REWIND_SECONDS
    assert reader.floor(nobody_is_asked) == 0
    reader.read(1000, full=False)
    assert reader.floor(nobody_is_asked) == 1000
