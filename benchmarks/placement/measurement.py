"""What was measured in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Times in seconds. orders: or requests of another kind. application_cpu: of the web server's
    processes; None for pgbench. statuses: how many answers had each."""

    orders: int
    per_second: float
    latencies: list[float]
    client_cpu: float
    database_cpu: float | None
    application_cpu: float | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000

    def per_order_us(self, seconds: float | None) -> str:
        return "–" if seconds is None else f"{seconds / self.orders * 1e6:,.0f}"
