from __future__ import annotations

from infrastructure.cache.breaker import Breaker


def test_after_a_failure_one_caller_tries_per_rest() -> None:
    now = 100.0
    breaker = Breaker(rest_s=1.0, clock=lambda: now)
    assert breaker.allows()
    assert breaker.failed()
    assert not breaker.allows()
    now = 101.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    assert not breaker.failed()
    assert breaker.is_open
    now = 102.0
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]
    assert not breaker.is_open
