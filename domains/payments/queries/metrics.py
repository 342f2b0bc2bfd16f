"""What staff have to look at, asked when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domains.payments.queries import waiting as queries
from infrastructure.observability.metrics import ASKED

log = structlog.get_logger(__name__)


class PaymentsCollector(Collector):
    """Every process that is scraped tells the same, so dashboards take the maximum, not the sum."""

    def describe(self) -> Iterable[Metric]:
        return self._families()

    def collect(self) -> Iterator[Metric]:
        differences, attention = self._families()
        try:
            for (gateway, kind), count in queries.open_differences().items():
                differences.add_metric([gateway, kind.lower()], count)
            attention.add_metric([], queries.payments_needing_attention())
        except Exception as error:  # the other figures matter the more when a database is away
            log.warning("payments_not_counted", exc_info=error)
            return
        yield from (differences, attention)

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                "kontor_payment_differences",
                "Open differences between the books of a gateway and ours.",
                labels=["gateway", "kind"],
            ),
            GaugeMetricFamily(
                "kontor_payments_needing_attention",
                "Payments that only staff can clear up.",
            ),
        )


ASKED.register(PaymentsCollector())
