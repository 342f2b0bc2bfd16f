"""The job that frees expired holds is killed in the middle."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta

import pytest

from domains.products.models import Reservation, StockItem, StockMovement
from domains.products.public import Held, hold_for_cart
from domains.products.services import inventory
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.stock import assert_books_are_right
from tests.support.workers import go_on, told_to_go_on, until_forgotten

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


@pytest.mark.parametrize(
    "after", [pytest.param(1, marks=pytest.mark.long), 3, pytest.param(8, marks=pytest.mark.long)]
)
def test_what_the_killed_job_left_is_freed_by_the_next_and_nothing_twice(
    now: datetime, after: int
) -> None:
    products.stocked({"A": 500, "B": 500}, now=now)
    lines = products.lines({"A": 2, "B": 1})
    carts = [new_id() for _ in range(120)]
    for cart_id in carts:
        ttl = timedelta(minutes=1)
        assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=ttl) == Held()
    later = now + timedelta(minutes=2)

    with told_to_go_on("tests.support.stock_process", "expire", later.isoformat()) as job:
        for _ in range(after):
            go_on(job, after="freed")
        # At work on the next, or about to be.
        job.kill()
    assert job.returncode == -signal.SIGKILL
    until_forgotten()

    freed = Reservation.objects.filter(status="RELEASED").count()
    assert freed >= 5 * after
    assert StockItem.objects.get(sku="A").held == 2 * (120 - freed)
    assert_books_are_right()

    assert inventory.free_expired_holds(now=later) == 120 - freed
    assert [item.held for item in StockItem.objects.all()] == [0, 0]
    assert StockMovement.objects.filter(kind="RELEASE").count() == 240
    released = OutboxMessage.objects.using(alias_of("products")).filter(
        name="products.stock_released"
    )
    assert sorted(released.values_list("key", flat=True)) == sorted(map(str, carts))
    assert_books_are_right()
