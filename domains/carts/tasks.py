"""Celery entry points of carts."""

from __future__ import annotations

from celery import shared_task

from domains.carts.services import merging
from infrastructure import clock


@shared_task(name="carts.finish_merges", ignore_result=True)
def finish_merges() -> None:
    """Carry on merges whose request is gone. Runs every few seconds; runs may overlap."""
    merging.finish_merges(now=clock.now())
