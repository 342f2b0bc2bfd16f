"""Celery entry points of payments."""

from __future__ import annotations

from celery import shared_task

from domains.payments import services
from infrastructure import clock


@shared_task(name="payments.resolve_unfinished", ignore_result=True)
def resolve_unfinished() -> None:
    """Send again what no gateway has answered. Runs every few seconds; runs may overlap."""
    services.resolve_unfinished(now=clock.now())
