"""Celery entry points of orders."""

from __future__ import annotations

from celery import shared_task

from domains.orders.services import checkouts, settling
from infrastructure import clock


@shared_task(name="orders.settle_unfinished_orders")
def settle_unfinished_orders() -> None:
    """Every few seconds: take up placements and cancellations that were left behind."""
    settling.settle_unfinished(now=clock.now())


@shared_task(name="orders.finish_checkouts")
def finish_checkouts() -> None:
    """Every few seconds: close and reopen the carts whose checkouts were left behind."""
    checkouts.finish_checkouts(now=clock.now())
