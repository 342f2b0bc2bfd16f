"""What every Kafka client of this installation has in common."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from django.conf import settings

log = logging.getLogger("kafka.client")

REPEAT_SECONDS = 30.0
_NUMBERS = re.compile(r"\d+")


class SaidOnce(logging.Filter):
    """Lets one line of a kind through per half minute: a client without a broker tries again many
    times a second, and says so each time."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = _NUMBERS.sub("", record.getMessage())[:80]
        now = time.monotonic()
        if now - self._last.get(kind, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._last[kind] = now
        return True


log.addFilter(SaidOnce())

# Events stay below the broker's default limit of 1 MiB with room for the headers of a dead letter.
EVENT_BYTES = 900_000
MESSAGE_BYTES = 1_000_000


def client_settings(**own: Any) -> dict[str, Any]:
    """librdkafka settings: addresses, security, quick return after an outage, the caller's own."""
    return {
        "bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS,
        "client.id": "kontor",
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        # A client that waits for its broker says so in metrics and alerts, not once a second.
        "log.connection.close": False,
        "logger": log,
        **settings.KAFKA_CLIENT_SETTINGS,
        **own,
    }


def topic_name(topic: str) -> str:
    """The name on the broker: installations, and test runs, may share one."""
    return f"{settings.KAFKA_TOPIC_PREFIX}{topic}"


def topic_of(name: str) -> str:
    """The topic without the installation's prefix."""
    return name.removeprefix(settings.KAFKA_TOPIC_PREFIX)


def dead_letter_topic(topic: str) -> str:
    return f"{topic}.dlq"
