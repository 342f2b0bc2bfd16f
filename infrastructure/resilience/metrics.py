"""What the guards of outside calls count. Names of guards are a closed set."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

CALLS = Counter(
    "circuit_calls_total",
    "Calls to another system: succeeded, failed, or refused before they were sent.",
    ["circuit", "outcome"],
)
OPENED = Counter("circuit_opened_total", "How often a process opened the circuit.", ["circuit"])
IS_OPEN = Gauge(
    "circuit_is_open",
    "Whether the circuit refuses calls, as a process last saw it.",
    ["circuit"],
    multiprocess_mode="livemax",
)
IN_USE = Gauge(
    "bulkhead_in_use",
    "Calls that are under way.",
    ["bulkhead"],
    multiprocess_mode="livesum",
)
FULL = Counter(
    "bulkhead_refused_total", "Calls refused since too many were under way.", ["bulkhead"]
)
RETRIES = Counter("retries_total", "Calls that were repeated after a failure.", ["call"])
