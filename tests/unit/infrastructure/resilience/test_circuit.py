"""When another system is called, and when it is left alone: on a clock of the test's own."""

from __future__ import annotations

import pytest

from infrastructure.resilience.circuit import Circuit, CircuitOpen
from infrastructure.resilience.states import LocalState, Policy

POLICY = Policy(failures=3, within_s=60, rest_s=5, longest_rest_s=15, probe_s=10)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit("test", LocalState(POLICY, clock=clock), clock=clock)


def fail(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        circuit.enter().failed()


def refused_for(circuit: Circuit) -> float:
    with pytest.raises(CircuitOpen) as refused:
        circuit.enter()
    return refused.value.retry_after_s


def test_failures_in_a_row_open_it(circuit: Circuit) -> None:
    fail(circuit, 2)
    assert circuit.wait_s() == 0
    fail(circuit)
    assert refused_for(circuit) == circuit.wait_s() == 5


def test_a_success_begins_the_row_anew(circuit: Circuit) -> None:
    fail(circuit, 2)
    circuit.enter().succeeded()
    fail(circuit, 2)
    assert circuit.wait_s() == 0


def test_failures_far_apart_are_none_in_a_row(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 2)
    clock.now += 60
    fail(circuit, 2)
    assert circuit.wait_s() == 0


def test_after_its_rest_one_at_a_time_may_try(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.now += 5

    trying = circuit.enter()
    assert refused_for(circuit) == 10
    trying.succeeded()

    circuit.enter()
    circuit.enter()


def test_a_failed_try_rests_twice_as_long_up_to_a_limit(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    rests = []
    for _ in range(3):
        clock.now += circuit.wait_s()
        fail(circuit)
        rests.append(refused_for(circuit))
    assert rests == [10, 15, 15]

    clock.now += 15
    circuit.enter().succeeded()
    fail(circuit, 3)
    assert refused_for(circuit) == 5


def test_a_try_that_is_never_heard_of_again_gives_way(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.now += 5
    circuit.enter()
    clock.now += 10
    circuit.enter().succeeded()
    assert circuit.wait_s() == 0


def test_a_try_that_was_not_made_is_anothers(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.now += 5
    circuit.enter().leave()
    circuit.enter().succeeded()


def test_looking_takes_nobodys_turn(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.now += 5
    assert circuit.wait_s() == circuit.wait_s() == 0
    circuit.enter().succeeded()


def test_what_was_under_way_when_it_opened_changes_nothing(circuit: Circuit, clock: Clock) -> None:
    slow, slower = circuit.enter(), circuit.enter()
    fail(circuit, 3)
    clock.now += 4
    slow.failed()
    slower.succeeded()
    assert refused_for(circuit) == 1


def test_a_late_success_here_does_not_hide_that_others_opened_it(clock: Clock) -> None:
    state = LocalState(POLICY, clock=clock)
    here, there = (Circuit("test", state, clock=clock) for _ in range(2))
    fail(here)
    late = here.enter()
    fail(there, 2)

    late.succeeded()

    assert refused_for(here) == refused_for(there) == 5


def test_a_pass_tells_of_several_calls_and_tries_once(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.now += 5
    leave = circuit.enter()
    leave.succeeded()
    leave.failed()
    leave.leave()
    assert circuit.wait_s() == 0
    fail(circuit, 2)
    assert circuit.wait_s() == 5


def test_a_healthy_one_looks_into_its_state_twice_a_second(clock: Clock) -> None:
    looks = []

    class Counted(LocalState):
        def look(self, *, turn: str | None) -> object:  # type: ignore[override]
            looks.append(turn)
            return super().look(turn=turn)

    circuit = Circuit("test", Counted(POLICY, clock=clock), clock=clock)
    for _ in range(100):
        circuit.enter().succeeded()
    assert len(looks) == 1
    clock.now += 0.5
    circuit.enter().succeeded()
    assert len(looks) == 2
