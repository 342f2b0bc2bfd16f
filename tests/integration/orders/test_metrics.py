"""What of orders is a metric, and what it costs to ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.orders.models import Order, PaymentChoice
from domains.orders.queries.metrics import OrdersCollector
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.observability.metrics import ASKED
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db

BANK = PaymentChoice(method="bank_transfer", token="")


@pytest.fixture
def later(now: datetime, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """A minute and a second after what was placed."""
    then = now + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: then)
    goods.stocked({"A": 9}, now=now)
    return then


def told() -> list[float]:
    (family,) = OrdersCollector().collect()
    return [sample.value for sample in family.samples]


def test_orders_unsettled_for_more_than_a_minute_are_counted(now: datetime, later: Any) -> None:
    for placed_at in (now, now + timedelta(seconds=2)):
        orders.placed({"A": 1}, asynchronous=True, now=placed_at)
    orders.placed({"A": 1}, now=now)  # which is confirmed

    assert told() == [1]
    assert ASKED.get_sample_value("kontor_orders_unsettled") == 1


def test_what_waits_for_its_customer_is_not_counted_until_the_deadline(
    now: datetime, later: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = orders.placed({"A": 1}, payment=BANK, now=now)
    assert waiting.pay_until is not None
    assert waiting.pay_until > later

    before = told()
    monkeypatch.setattr(clock, "now", lambda: waiting.pay_until)

    assert (before, told()) == ([0], [1])


def test_the_count_is_one_statement_by_the_index_of_what_is_due(later: datetime) -> None:
    alias = alias_of("orders")
    with CaptureQueriesContext(connections[alias]) as statements:
        told()
    with connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    since = later - timedelta(minutes=1)
    unsettled = Order.objects.filter(settle_at__isnull=False, unsettled_since__lt=since)

    assert len(statements) == 1
    assert "orders_due" in unsettled.explain()
