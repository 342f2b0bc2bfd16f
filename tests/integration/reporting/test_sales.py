"""The read model of sales, from the events of orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domains.orders.services.placement import cancel_order
from domains.reporting.handlers import forget_sales
from domains.reporting.models import SalesDay
from tests.support.factories import orders, users
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox

pytestmark = pytest.mark.django_db


def sales() -> list[tuple[Any, ...]]:
    return list(
        SalesDay.objects.order_by("day").values_list(
            "day", "currency", "confirmed", "rejected", "cancelled", "confirmed_minor",
            "cancelled_minor",
        )
    )  # fmt: skip


@pytest.fixture
def two_days(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)
    first = orders.placed({"A": 2}, now=now)
    orders.placed({"A": 1}, now=now)
    orders.placed({"A": 1}, now=now, payment=orders.DECLINED)
    deliver_outbox()
    cancel_order(order_id=first.id, reason="customer_request", now=now + timedelta(days=1))
    deliver_outbox()


@pytest.mark.usefixtures("two_days")
def test_each_day_shows_what_happened_on_it(now: datetime) -> None:
    today = now.date()

    assert sales() == [
        (today, "GBP", 2, 1, 0, 3000, 0),
        (today + timedelta(days=1), "GBP", 0, 0, 1, 0, 2000),
    ]


@pytest.mark.usefixtures("two_days")
def test_clearing_a_range_takes_whole_days(now: datetime) -> None:
    forget_sales(now.date(), now.date() + timedelta(days=1))

    assert [row[0] for row in sales()] == [now.date() + timedelta(days=1)]


@pytest.mark.usefixtures("two_days")
def test_staff_read_sales_and_cannot_change_them(now: datetime) -> None:
    client = users.admin_client_of(users.staff("finance"))

    listed = client.get("/admin/reporting/salesday/")

    assert listed.status_code == 200
    assert "30.00 GBP" in listed.content.decode()
    assert client.get("/admin/reporting/salesday/add/").status_code == 403


def test_staff_without_the_scope_do_not_see_sales() -> None:
    client = users.admin_client_of(users.staff("fulfilment"))

    assert client.get("/admin/reporting/salesday/").status_code == 403
