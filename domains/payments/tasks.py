"""Celery entry points of payments."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from domains.payments import services
from domains.payments.errors import NotSupportedByGateway, PaymentsUnavailable
from domains.payments.gateways.port import NoAnswer
from infrastructure import clock


@shared_task(name="payments.resolve_unfinished", ignore_result=True)
def resolve_unfinished() -> None:
    """Send again what no gateway has answered. Runs every few seconds; runs may overlap."""
    services.resolve_unfinished(now=clock.now())


@shared_task(name="payments.apply_early_notifications", ignore_result=True)
def apply_early_notifications() -> None:
    """Every minute: find the payments of notifications that came before them."""
    services.apply_early_notifications(now=clock.now())


@shared_task(
    name="payments.reconcile",
    ignore_result=True,
    autoretry_for=(NoAnswer, PaymentsUnavailable),
    retry_backoff=60,
    retry_backoff_max=3600,
    max_retries=8,
)
def reconcile() -> None:
    """Once a day: compare the books of the last days with the gateway's. Runs may overlap."""
    now = clock.now()
    since = now - timedelta(days=settings.PAYMENT_RECONCILIATION_DAYS)
    with suppress(NotSupportedByGateway):  # such a gateway has nothing to compare with
        services.reconcile(gateway=settings.PAYMENT_GATEWAY, since=since, until=now, now=now)


@shared_task(name="payments.forget_deleted_methods", ignore_result=True)
def forget_deleted_methods() -> None:
    """Every minute: have gateways let go of the means of payment that customers deleted."""
    services.forget_deleted_methods()
