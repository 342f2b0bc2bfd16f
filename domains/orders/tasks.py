"""Celery entry points of orders."""

from __future__ import annotations

from celery import shared_task

from domains.orders import services
from infrastructure import clock


@shared_task(name="orders.settle_unfinished_orders")
def settle_unfinished_orders() -> None:
    """Every few seconds: take up placements and cancellations that were left behind."""
    services.settle_unfinished(now=clock.now())
