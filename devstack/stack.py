"""The three servers together: those that the environment names, and embedded ones for the rest."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.kafka import Kafka
from devstack.layout import Layout
from devstack.options import SERVICE_VARIABLES
from devstack.ports import RememberedPorts
from devstack.postgres import Postgres
from devstack.preflight import (
    FIRST_START_BYTES,
    LATER_START_BYTES,
    require_answer,
    require_platform,
    require_space,
)
from devstack.service import Service
from devstack.valkey import Valkey


class Stack:
    def __init__(
        self,
        layout: Layout,
        *,
        given: Mapping[str, str],
        credentials: Credentials,
        ports: RememberedPorts,
        wanted: Collection[str] = SERVICE_VARIABLES,
    ) -> None:
        self.given = given
        self._layout = layout
        missing = [name for name in SERVICE_VARIABLES if name in wanted and name not in given]
        if missing:
            require_platform()
        self.services: list[Service] = []
        if "DATABASE_URL" in missing:
            self.services.append(Postgres(layout, ports["postgres"], credentials))
        if "REDIS_URL" in missing:
            self.services.append(Valkey(layout, ports["redis"], credentials))
        if "KAFKA_BOOTSTRAP_SERVERS" in missing:
            self.services.append(Kafka(layout, ports["kafka"], ports["kafka_controller"]))

    @property
    def urls(self) -> dict[str, str]:
        """Where each server is, by environment variable."""
        return {**self.given, **{one.variable: one.url for one in self.services}}

    def prepare(self, console: Console) -> None:
        """See that everything is there that a start needs. Raises StackError with what is not."""
        fresh = any(not one.data.exists() for one in self.services)
        require_space(self._layout.local, FIRST_START_BYTES if fresh else LATER_START_BYTES)
        for variable, url in self.given.items():
            require_answer(variable, url)
        for service in self.services:
            service.prepare(console)

    def launch(self) -> None:
        for service in self.services:
            service.start()

    def wait_until_ready(self, console: Console, stopping: threading.Event) -> None:
        """Until all of them answer. Raises StackError if one cannot, Stopped on request."""
        if self.services:
            with console.step(f"Starting {_listed([one.title for one in self.services])}"):
                for service in self.services:
                    service.wait_until_ready(stopping)

    def stop(self) -> None:
        for service in reversed(self.services):
            service.stop()


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
