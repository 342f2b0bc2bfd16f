"""Celery: work. What must happen is a row in the database, and a task is only the hint to look."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

from django.conf import settings  # noqa: E402

app = Celery("kontor")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # Longer than the longest task: a task whose worker died is delivered again after it.
        "visibility_timeout": 900,
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "retry_on_timeout": True,
    },
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=300,
    task_time_limit=330,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    # A queue per context, so that one context's backlog keeps no other waiting.
    task_default_queue="platform",
    task_queues=[Queue("platform"), *(Queue(context) for context in settings.CONTEXTS)],
    task_create_missing_queues=False,
    task_routes={f"{context}.*": {"queue": context} for context in settings.CONTEXTS},
    beat_schedule={
        "settle unfinished orders": {
            "task": "orders.settle_unfinished_orders",
            "schedule": 5.0,
            "options": {"expires": 30},
        },
        "resolve unfinished payments": {
            "task": "payments.resolve_unfinished",
            "schedule": 5.0,
            "options": {"expires": 30},
        },
        "forget old rows": {"task": "platform.forget_old_rows", "schedule": 3600.0},
        "purge sessions": {"task": "users.purge_sessions", "schedule": 3600.0},
    },
    timezone="UTC",
)
app.autodiscover_tasks()
