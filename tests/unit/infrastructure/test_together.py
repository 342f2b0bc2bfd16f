"""Threads that want something at the same time have it done at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from infrastructure.together import Together
from tests.support.waiting import until


class Work:
    """Notes what it was called with, and stays at the first call until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.may_end = threading.Event()

    def __call__(self, items: Sequence[str]) -> None:
        self.calls.append(list(items))
        if len(self.calls) == 1:
            self.may_end.wait()
        if "bad" in items:
            raise ValueError("bad")


def at_once(work: Work, first: str, others: Sequence[str]) -> dict[str, BaseException | None]:
    """What each is told: of `others` that come while the work for `first` is being done."""
    together = Together[str](work)
    found: dict[str, BaseException | None] = {}

    def want(item: str) -> None:
        found[item] = together.do(item)

    def is_waited_by(number: int) -> bool:
        return together.waiting == number

    threads = [threading.Thread(target=want, args=(item,)) for item in (first, *others)]
    try:
        threads[0].start()
        until(lambda: work.calls, "the first is at work")
        for number, thread in enumerate(threads[1:], start=1):
            thread.start()
            until(partial(is_waited_by, number), f"{number} wait")
    finally:
        work.may_end.set()
    for thread in threads:
        thread.join()
    return found


def test_alone_it_is_done_at_once() -> None:
    work = Work()
    work.may_end.set()
    together = Together[str](work)

    assert [together.do("a"), together.do("b")] == [None, None]
    assert work.calls == [["a"], ["b"]]


def test_who_comes_meanwhile_is_done_next_all_at_once() -> None:
    work = Work()

    assert at_once(work, "a", ["b", "c", "d"]) == dict.fromkeys("abcd")
    assert work.calls == [["a"], ["b", "c", "d"]]


def test_a_failure_is_told_to_those_whose_work_it_was_and_stops_nobody_else() -> None:
    work = Work()
    found = at_once(work, "bad", ["b", "c"])

    assert repr(found.pop("bad")) == "ValueError('bad')"
    assert found == dict.fromkeys("bc")
    assert work.calls == [["bad"], ["b", "c"]]
