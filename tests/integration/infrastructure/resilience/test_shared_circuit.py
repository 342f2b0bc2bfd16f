"""The circuit that replicas share: real Redis, several processes, and none."""

from __future__ import annotations

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.conf import settings

from infrastructure.resilience.circuit import Circuit, CircuitOpen
from infrastructure.resilience.shared import SharedState
from infrastructure.resilience.states import Policy, Seen
from tests.support.waiting import until


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}"


def replica(prefix: str, *, url: str = "", **policy: float) -> Circuit:
    chosen = Policy(**{"failures": 3, "rest_s": 60.0, "probe_s": 60.0} | policy)  # type: ignore[arg-type]
    state = SharedState(
        "gateway", chosen, url=url or settings.REDIS_URL, prefix=prefix, timeout_s=10
    )
    return Circuit("test", state, look_every_s=0)


def fail(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        circuit.enter().failed()


def test_replicas_count_failures_together_and_open_together(prefix: str) -> None:
    one, other, third = replica(prefix), replica(prefix), replica(prefix)
    fail(one)
    fail(other)
    assert third.wait_s() == 0
    fail(one)
    for each in (one, other, third):
        with pytest.raises(CircuitOpen) as refused:
            each.enter()
        assert 0 < refused.value.retry_after_s <= 60


def test_a_success_anywhere_begins_the_row_anew(prefix: str) -> None:
    one, other = replica(prefix), replica(prefix)
    fail(one, 2)
    other.enter().succeeded()
    fail(one, 2)
    assert other.wait_s() == 0


def test_one_replica_tries_and_closes_it_for_all(prefix: str) -> None:
    one, other = replica(prefix, rest_s=0.05), replica(prefix, rest_s=0.05)
    fail(one, 3)
    until(lambda: one.wait_s() == 0)
    trying = one.enter()
    with pytest.raises(CircuitOpen):
        other.enter()
    trying.succeeded()
    other.enter()
    one.enter()


def test_a_failed_try_opens_it_for_all_again(prefix: str) -> None:
    one, other = replica(prefix, rest_s=0.05), replica(prefix, rest_s=60)
    fail(one, 3)
    until(lambda: other.wait_s() == 0)
    trying = other.enter()
    trying.failed()
    assert 0 < one.wait_s() <= 120


def test_a_dead_replicas_turn_ends(prefix: str) -> None:
    one, other = (replica(prefix, rest_s=0.02, probe_s=0.1) for _ in range(2))
    fail(one, 3)
    until(lambda: one.wait_s() == 0)
    one.enter()  # and is never heard of again

    def may_try() -> bool:
        try:
            other.enter().succeeded()
        except CircuitOpen:
            return False
        return True

    until(may_try)


def test_a_hundred_threads_get_one_turn(prefix: str) -> None:
    circuits = [replica(prefix, rest_s=0.05) for _ in range(4)]
    fail(circuits[0], 3)
    until(lambda: circuits[0].wait_s() == 0)

    def enter(number: int) -> bool:
        try:
            circuits[number % 4].enter()
        except CircuitOpen:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(enter, range(100))) == 1


PROCESS = """
import sys
from infrastructure.resilience.circuit import Circuit, CircuitOpen
from infrastructure.resilience.shared import SharedState
from infrastructure.resilience.states import Policy

url, prefix = sys.argv[1:]
policy = Policy(failures=3, rest_s=0.05, probe_s=60)
state = SharedState("gateway", policy, url=url, prefix=prefix, timeout_s=10)
circuit = Circuit("test", state, look_every_s=0)
for line in sys.stdin:
    try:
        leave = circuit.enter()
    except CircuitOpen:
        print("-> refused", flush=True)
        continue
    if line.strip() == "fail":
        leave.failed()
    elif line.strip() == "succeed":
        leave.succeeded()
    print("-> entered", flush=True)
"""


class Process:
    def __init__(self, prefix: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, settings.REDIS_URL, prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, what: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, "")  # log lines are among them
        return next(line[3:].strip() for line in lines if line.startswith("-> "))

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_several_processes_share_it(prefix: str) -> None:
    processes = [Process(prefix) for _ in range(3)]
    try:
        assert [each.call("fail") for each in processes] == ["entered"] * 3
        until(lambda: processes[0].call("hold") == "entered")
        # It has the turn and says nothing; nobody else may try.
        assert [each.call("succeed") for each in processes[1:]] == ["refused"] * 2
    finally:
        for each in processes:
            each.kill()


def test_what_was_seen_alone_is_forgotten_when_redis_is_back(prefix: str) -> None:
    nowhere = "redis://127.0.0.1:9/0"
    policy = Policy(failures=2, rest_s=60)
    state = SharedState("gateway", policy, url=nowhere, prefix=prefix, timeout_s=10)
    away = state._redis
    assert state.failed(turn=None) == Seen(failures=1)

    state._redis = redis.Redis.from_url(settings.REDIS_URL, protocol=2)
    until(lambda: state.look(turn=None) == Seen())  # that of all, not the one of its own
    state._redis = away

    # Alone again, its own row begins anew.
    assert state.failed(turn=None) == Seen(failures=1)
    assert state.failed(turn=None).wait_s > 0


def test_without_redis_each_goes_by_what_it_sees_itself(prefix: str) -> None:
    nowhere = "redis://127.0.0.1:9/0"
    one, other = replica(prefix, url=nowhere), replica(prefix, url=nowhere)
    fail(one, 3)
    with pytest.raises(CircuitOpen):
        one.enter()
    other.enter().succeeded()
