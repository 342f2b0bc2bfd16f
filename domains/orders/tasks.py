"""Celery entry points of orders."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from domains.orders.services import checkouts, settling
from infrastructure import clock

# Rows per statement, so that no lock is held for long.
BATCH = 10_000


@shared_task(name="orders.settle_unfinished_orders")
def settle_unfinished_orders() -> None:
    """Every few seconds: take up placements and cancellations that were left behind."""
    settling.settle_unfinished(now=clock.now())


@shared_task(name="orders.settle_order", ignore_result=True)
def settle_order(order_id: str) -> None:
    """Take up one order whose request had no place for its payment. What gets lost here is found by
    the task above."""
    settling.settle(order_id=UUID(order_id), now=clock.now())


@shared_task(name="orders.finish_checkouts")
def finish_checkouts() -> None:
    """Every few seconds: close and reopen the carts whose checkouts were left behind."""
    checkouts.finish_checkouts(now=clock.now())


@shared_task(name="orders.forget_checkouts")
def forget_checkouts() -> None:
    """Every hour: forget what became of checkouts of 30 days ago."""
    while checkouts.forget_checkouts(now=clock.now(), at_most=BATCH) == BATCH:
        pass
