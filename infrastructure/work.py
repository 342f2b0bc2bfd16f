"""Tells a worker that there is something to do: a hint that may be lost, never the work itself.

What must happen is a row in the database, and a periodic task finds what no hint was heard of.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import current_app
from kombu.exceptions import OperationalError as BrokerUnavailable

from infrastructure.database.contexts import on_commit

log = structlog.get_logger(__name__)


def hint_after_commit(context: str, task: str, **arguments: Any) -> None:
    """Send a task of a context once the running transaction, if any, has committed."""
    on_commit(context, lambda: _send(task, arguments))


def _send(task: str, arguments: dict[str, Any]) -> None:
    try:
        current_app.send_task(task, kwargs=arguments, retry=False)
    except (BrokerUnavailable, OSError) as error:
        log.warning("hint_lost", task=task, exc_info=error)
