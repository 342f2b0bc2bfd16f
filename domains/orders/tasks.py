"""Celery entry points of orders."""

from __future__ import annotations

from celery import shared_task

from domains.orders.services import settling
from infrastructure import clock


@shared_task(name="orders.settle_unfinished_orders")
def settle_unfinished_orders() -> None:
    """Every few seconds: take up placements and cancellations that were left behind."""
    settling.settle_unfinished(now=clock.now())
