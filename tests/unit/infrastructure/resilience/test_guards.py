"""Bulkheads and retries."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY

from infrastructure.resilience.bulkhead import Bulkhead, BulkheadFull
from infrastructure.resilience.retry import Retry


def test_no_more_than_so_many_at_a_time_and_the_rest_is_refused_at_once() -> None:
    bulkhead = Bulkhead("full", places=2, waiting=1, wait_s=0)
    with bulkhead.entered(), bulkhead.entered():
        assert REGISTRY.get_sample_value("bulkhead_in_use", {"bulkhead": "full"}) == 2
        with pytest.raises(BulkheadFull), bulkhead.entered():
            pass
    with bulkhead.entered():
        pass
    assert REGISTRY.get_sample_value("bulkhead_refused_total", {"bulkhead": "full"}) == 1
    assert REGISTRY.get_sample_value("bulkhead_in_use", {"bulkhead": "full"}) == 0


def test_a_place_is_given_back_whatever_happens() -> None:
    bulkhead = Bulkhead("raising", places=1, waiting=0, wait_s=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"), bulkhead.entered():
            raise ValueError("inside")


def test_a_call_waits_a_moment_for_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    bulkhead = Bulkhead("waiting", places=1, waiting=1, wait_s=30)
    inside, leave, came = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with bulkhead.entered():
            inside.set()
            leave.wait(30)

    def second() -> None:
        with bulkhead.entered():
            came.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(30)
    asking = threading.Event()
    acquire = bulkhead._places.acquire

    def ask(**asked: float) -> bool:
        if "timeout" in asked:
            asking.set()
        return acquire(**asked)

    monkeypatch.setattr(bulkhead._places, "acquire", ask)
    threads[1].start()
    assert asking.wait(30)
    assert not came.is_set()
    with pytest.raises(BulkheadFull), bulkhead.entered():  # no more than one waits
        pass
    leave.set()
    assert came.wait(30)
    for thread in threads:
        thread.join()


class Flaky:
    def __init__(self, *outcomes: BaseException | str) -> None:
        self.outcomes, self.calls = list(outcomes), 0

    def __call__(self) -> str:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def retry(name: str = "test", **policy: float) -> Retry:
    return Retry(
        name,
        when=lambda error: isinstance(error, ConnectionError),
        first_pause_s=0.001,
        **policy,  # type: ignore[arg-type]
    )


def test_what_passes_is_tried_again() -> None:
    call = Flaky(ConnectionError(), ConnectionError(), "done")
    assert retry("counted").call(call) == "done"
    assert REGISTRY.get_sample_value("retries_total", {"call": "counted"}) == 2


def test_the_last_failure_is_told() -> None:
    call = Flaky(ConnectionError("1"), ConnectionError("2"), ConnectionError("3"), "done")
    with pytest.raises(ConnectionError, match="3"):
        retry().call(call)
    assert call.calls == 3


def test_what_does_not_pass_is_tried_once() -> None:
    call = Flaky(TimeoutError(), "done")
    with pytest.raises(TimeoutError):
        retry().call(call)
    assert call.calls == 1


def test_no_try_begins_after_the_time_is_over() -> None:
    call = Flaky(ConnectionError(), "done")
    with pytest.raises(ConnectionError):
        retry(within_s=0).call(call)
    assert call.calls == 1
