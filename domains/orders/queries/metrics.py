"""What staff have to look at, asked when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domains.orders.models import Order
from infrastructure import clock
from infrastructure.observability.metrics import ASKED

log = structlog.get_logger(__name__)

# What takes longer than this to settle waits for somebody: a gateway, another context, staff.
USUAL = timedelta(minutes=1)


class OrdersCollector(Collector):
    """Every process that is scraped tells the same, so dashboards take the maximum, not the sum."""

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterator[Metric]:
        unsettled, now = self._family(), clock.now()
        try:
            count = Order.objects.count_unsettled(since=now - USUAL, now=now)
        except Exception as error:  # the other figures matter the more when a database is away
            log.warning("orders_not_counted", exc_info=error)
            return
        unsettled.add_metric([], count)
        yield unsettled

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "kontor_orders_unsettled",
            "Orders with something left to do for more than a minute, without those that wait for"
            " their customer; counted up to a limit of 100,000.",
        )


ASKED.register(OrdersCollector())
