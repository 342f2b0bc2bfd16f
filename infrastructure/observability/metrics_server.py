"""Metrics of processes that serve no HTTP themselves."""

from __future__ import annotations

from django.conf import settings
from prometheus_client import start_http_server


def serve_metrics() -> None:
    """Serve /metrics on METRICS_PORT, if the installation sets one."""
    if settings.METRICS_PORT:
        start_http_server(settings.METRICS_PORT)
