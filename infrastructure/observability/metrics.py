"""The metrics of HTTP, kept lean: a label lookup and two additions per request.

`http_request_duration_seconds_count` is the number of requests, so there is no counter beside it.
"""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram

# Figures that a database knows and not this process: asked for at every scrape.
ASKED = CollectorRegistry()

_DURATIONS = Histogram(
    "http_request_duration_seconds",
    "Time to answer a request, by route template.",
    ["method", "route", "code_class"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_DECISIONS = Counter(
    "ratelimit_decisions_total",
    "Requests that were held against a rate limit.",
    ["policy", "decision"],
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_finished(method: str, route: str, status: int, seconds: float) -> None:
    _duration(method, route, status // 100).observe(seconds)


def rate_limit_decision(policy: str, decision: str) -> None:
    _decision(policy, decision).inc()


# Labels come from closed sets: route templates, and the methods that exist.
@lru_cache(maxsize=2048)
def _duration(method: str, route: str, code: int) -> Histogram:
    return _DURATIONS.labels(method if method in _METHODS else "other", route, f"{code}xx")


@lru_cache(maxsize=256)
def _decision(policy: str, decision: str) -> Counter:
    return _DECISIONS.labels(policy, decision)
