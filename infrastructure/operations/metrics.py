"""What the databases know of operations, asked when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from infrastructure import clock
from infrastructure.database.contexts import aliases, connection_at
from infrastructure.observability.metrics import ASKED
from infrastructure.operations.models import Operation

log = structlog.get_logger(__name__)

# FAILED ones stay as long as the retention, so of them only the last day's are counted.
_SQL = """
SELECT kind, count(*) FILTER (WHERE state = 'QUEUED'),
       count(*) FILTER (WHERE state = 'RUNNING'),
       count(*) FILTER (WHERE state = 'FAILED'),
       extract(epoch FROM %s::timestamptz - min(created_at) FILTER (WHERE state = 'QUEUED'))::float8
  FROM platform_operation
 WHERE state IN ('QUEUED', 'RUNNING')
    OR (state = 'FAILED' AND finished_at > %s::timestamptz - interval '1 day')
 GROUP BY kind
"""


class OperationsCollector(Collector):
    """Every process that is scraped tells the same, so dashboards take the maximum, not the sum."""

    def describe(self) -> Iterable[Metric]:
        return self._families()

    def collect(self) -> Iterator[Metric]:
        counts, oldest = self._families()
        now = clock.now()
        for alias in aliases():
            try:
                rows = connection_at(alias).fetch(_SQL, [now, now])
            except Exception as error:  # the other figures matter the more when a database is away
                log.warning("operations_not_counted", exc_info=error)
                continue
            for kind, queued, running, failed, age in rows:
                for state, count in (
                    (Operation.State.QUEUED, queued),
                    (Operation.State.RUNNING, running),
                    (Operation.State.FAILED, failed),
                ):
                    counts.add_metric([kind, state.lower()], count)
                oldest.add_metric([kind], max(age or 0.0, 0.0))
        yield from (counts, oldest)

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                "kontor_operations",
                "Operations that wait or run, and those that failed within a day.",
                labels=["kind", "state"],
            ),
            GaugeMetricFamily(
                "kontor_operations_oldest_queued_seconds",
                "How long the oldest operation has waited to be begun.",
                labels=["kind"],
            ),
        )


ASKED.register(OperationsCollector())
