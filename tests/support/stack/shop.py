"""A running shop: the roles of `make run`, on embedded servers that the test may kill.

Nobody but the test starts anything again, so that it decides how long something is away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg

from config.contexts import CONTEXTS
from devstack import shop as devstack_shop
from devstack.console import Console
from devstack.credentials import Credentials
from devstack.layout import ROOT, Layout
from devstack.options import Options
from devstack.ports import RememberedPorts
from devstack.postgres import Postgres
from devstack.processes import Child, family, look_around
from devstack.service import Service
from devstack.stack import Stack
from devstack.supervisor import Program
from tests.support.waiting import until

T = TypeVar("T")

# Nothing of the test process' own settings may reach the shop.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
_READY_SECONDS = 180
_LAST_WORDS = "last-words"


class Shop:
    """`services` by name (postgres, redis, kafka), roles by name as in `devstack.shop.roles`."""

    def __init__(
        self, local: Path, *, split: bool = False, web: str = "config.wsgi:application"
    ) -> None:
        self.layout = Layout(local=local, shared=ROOT / ".local")
        ports = RememberedPorts(self.layout.ports)
        credentials = Credentials(self.layout.credentials)
        stack = Stack(self.layout, given={}, credentials=credentials, ports=ports)
        options = Options(port=ports["web"])
        gateway_port = ports["gateway"]
        self.url = options.base_url
        self.http = client(self.url)
        self.gateway_url = f"http://127.0.0.1:{gateway_port}"
        self.staff_password = credentials.password("staff")
        self.services: dict[str, Service] = {one.name: one for one in stack.services}
        self.environment = {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            **devstack_shop.environment(
                options=options, urls=stack.urls, credentials=credentials, gateway_port=gateway_port
            ),
            "FILES_DIR": str(self.layout.local / "files"),
            # Whoever comes waits for its place at the gateway, however slow the machine: the tests
            # of what happens to those who find none say so.
            "PAYMENT_GATEWAY_MAX_WAITING": "1000",
            "PAYMENT_GATEWAY_MAX_WAIT_SECONDS": "60",
            # Where a process that kills itself says so.
            "LAST_WORDS": str(self.layout.log(_LAST_WORDS)),
        }
        self._split = split
        self._stack = stack
        roles = devstack_shop.roles(options=options, layout=self.layout, ports=ports)
        self._roles = {role.name: _serving(role, web) for role in roles}
        self._running: dict[str, Child] = {}
        self._redis_was_away = False

    # Starting and stopping

    def start(self) -> None:
        self.layout.local.mkdir(parents=True, exist_ok=True)
        with (self.layout.local / "start.log").open("w") as log:
            self._stack.prepare(Console(log))
        self._stack.launch()
        for service in self.services.values():
            service.wait_until_ready()
        if self._split:
            self._give_every_context_a_database()
        prepared = self.result_of(
            [sys.executable, "-m", "tests.support.stack.prepare"],
            STAFF_PASSWORD=self.staff_password,
        )
        assert prepared.returncode == 0, prepared.stdout + prepared.stderr
        for role in self._roles:
            self.start_role(role)
        self.wait_until_ready()
        self.require_roles()

    def stop(self) -> None:
        for role in list(self._running):
            self.kill_role(role)
        for service in reversed(self.services.values()):
            service.kill()
        self.http.close()

    def start_role(self, name: str, command: Sequence[str] = (), **environment: str) -> Child:
        """Start a role, or in its place a command that does its work."""
        assert name not in self._running, f"{name} is running"
        role = self._roles[name]
        child = self._child(role, command or role.command, environment)
        child.start()
        self._running[name] = child
        return child

    def kill_role(self, name: str) -> None:
        """kill -9 of the role with all its processes."""
        child = self._running.pop(name)
        end_at_once(child)

    def restart_role(self, name: str, command: Sequence[str] = (), **environment: str) -> None:
        self.kill_role(name)
        self.start_role(name, command, **environment)

    def require_roles(self) -> None:
        """Every role that no test has killed is alive, and has not needed a restart."""
        self.start_worker_again_if_redis_ended_it()
        for name, child in self._running.items():
            assert child.is_running, f"{name} {child.how_it_ended()}:\n{child.last_words(40)}"

    def start_worker_again_if_redis_ended_it(self) -> None:
        """As whoever supervises it would: kombu fails, and ends the worker, when its connection is
        lost at the moment in which it acknowledges a task."""
        worker = self._running.get("worker")
        if self._redis_was_away and worker is not None and not worker.is_running:
            end_at_once(worker)
            worker.start()

    def start_web_again_if_ended(self) -> None:
        """As whoever supervises it would: granian gives up when its workers die in quick turn."""
        web = self._running["web"]
        if not web.is_running:
            end_at_once(web)
            web.start()

    def wait_until_web_is_back(self) -> None:
        """After it was killed from within."""

        def is_back() -> bool:
            self.start_web_again_if_ended()
            return self.is_ready()

        until(is_back, "the web role serves again", seconds=_READY_SECONDS)

    def wait_until_ready(self) -> None:
        until(self.is_ready, "the web role is ready", seconds=_READY_SECONDS)

    @contextmanager
    def away(self, service: str, *, seconds: float) -> Iterator[None]:
        """kill -9 a server; the block runs while it is away, then it returns with its data."""
        self.services[service].kill()
        gone_at = time.monotonic()
        try:
            yield
            time.sleep(max(0.0, seconds - (time.monotonic() - gone_at)))
        finally:
            # Whatever went wrong: the next tests need it.
            self.services[service].start()
            self.services[service].wait_until_ready()
            self._redis_was_away |= service == "redis"
            self.start_worker_again_if_redis_ended_it()

    # Asking

    def result_of(
        self, command: Sequence[str], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
        )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.result_of([sys.executable, "manage.py", *arguments])

    def query(
        self, context: str, sql: str, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement on a context's database."""
        with psycopg.connect(self.database_url(context), autocommit=True) as connection:
            return connection.execute(sql, parameters).fetchall()

    def database_url(self, context: str) -> str:
        own = f"{context.upper()}_DATABASE_URL"
        return self.environment.get(own) or self.environment["DATABASE_URL"]

    def log(self, name: str) -> str:
        return self.layout.log(name).read_text(errors="replace")

    def has_said(self, last_words: str) -> bool:
        """Whether a process has said this before it killed itself."""
        log = self.layout.log(_LAST_WORDS)
        return log.exists() and last_words in log.read_text().splitlines()

    def set_gateway(self, **behaviour: float | str) -> None:
        """How the simulated gateway behaves from now on; what is not named is normal."""
        usual = {
            "latency_ms": 0,
            "decline_rate": 0,
            "timeout_after_success_rate": 0,
            "duplicate_rate": 0,
            "error_rate": 0,
            "webhook_url": "",
        }
        answer = httpx.put(f"{self.gateway_url}/settings", json={**usual, **behaviour}, timeout=60)
        answer.raise_for_status()

    def authorisations(self) -> list[dict[str, Any]]:
        """What the gateway has authorised, as it says itself."""
        found: list[dict[str, Any]] = []
        since = 0
        while True:
            page = httpx.get(
                f"{self.gateway_url}/authorisations",
                params={"since": since, "limit": 10_000},
                timeout=60,
            ).json()
            found += page["items"]
            if page["next"] is None:
                return found
            since = page["next"]

    def is_ready(self) -> bool:
        """Whether the web role serves."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=30).status_code == 200
        except httpx.HTTPError:
            return False

    def _child(
        self, role: Program, command: Sequence[str], environment: Mapping[str, str]
    ) -> Child:
        return Child(
            name=role.name,
            command=command,
            environment={
                "ROLE": role.name,
                **self.environment,
                **role.environment,
                **environment,
            },
            directory=ROOT,
            log=self.layout.log(role.name),
        )

    def _give_every_context_a_database(self) -> None:
        postgres = self.services["postgres"]
        assert isinstance(postgres, Postgres)
        for context in CONTEXTS:
            name = f"kontor_{context}"
            postgres.ensure_database(name)
            url = postgres.url.rpartition("/")[0]
            self.environment[f"{context.upper()}_DATABASE_URL"] = f"{url}/{name}"


def _serving(role: Program, web: str) -> Program:
    command = [web if part == "config.wsgi:application" else part for part in role.command]
    return replace(role, command=command)


def client(url: str) -> httpx.Client:
    """Waits long for answers, since tests share two cores, and opens any number of connections."""
    return httpx.Client(
        base_url=url,
        timeout=httpx.Timeout(30, connect=30),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        trust_env=False,
    )


def end_at_once(child: Child) -> None:
    """kill -9 of a child with all its processes."""
    for one in family(child.pid, look_around()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    child.wait(60)
