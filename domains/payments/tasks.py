"""Celery entry points of payments."""

from __future__ import annotations

from celery import shared_task

from domains.payments import services
from infrastructure import clock


@shared_task(name="payments.resolve_unfinished", ignore_result=True)
def resolve_unfinished() -> None:
    """Send again what no gateway has answered. Runs every few seconds; runs may overlap."""
    services.resolve_unfinished(now=clock.now())


@shared_task(name="payments.apply_early_notifications", ignore_result=True)
def apply_early_notifications() -> None:
    """Every minute: find the payments of notifications that came before them."""
    services.apply_early_notifications(now=clock.now())


@shared_task(name="payments.reconcile", ignore_result=True)
def reconcile() -> None:
    """Every hour: compare the books with each gateway's, once a day. Runs may overlap."""
    services.reconcile_due(now=clock.now())


@shared_task(name="payments.forget_deleted_methods", ignore_result=True)
def forget_deleted_methods() -> None:
    """Every minute: have gateways let go of the means of payment that customers deleted."""
    services.forget_deleted_methods()
