from __future__ import annotations

from typing import Any

import redis
from django.conf import settings
from django.core import checks

from infrastructure.apps import ContextConfig


class CartsConfig(ContextConfig):
    name = "domains.carts"
    label = "carts"

    def ready(self) -> None:
        super().ready()
        checks.register(carts_are_kept, checks.Tags.database)


def carts_are_kept(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """Whether the server would lose carts. Like all checks of databases it runs with `migrate`, and
    so at the start of every release; it asks in production only."""
    from domains.carts.models.connection import connect, faults

    if not databases or settings.ENVIRONMENT != "production":
        return []
    try:
        found = faults(connect().client)
    except redis.RedisError as error:
        return [checks.Warning(f"Carts: Redis does not answer: {error}", id="carts.W001")]
    return [checks.Error(f"REDIS_CARTS_URL: {fault}", id="carts.E001") for fault in found]
