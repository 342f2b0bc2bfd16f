"""A shop to place orders in: its database with a catalogue, and its processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connections

from benchmarks.environment import HOST
from benchmarks.placement.client import sku_of
from benchmarks.placement.measurement import Measurement
from benchmarks.placement.usage import Usage, postmaster
from benchmarks.processes import ROOT, free_port, running, serving, wait_for
from domains.products import public as products
from infrastructure.database.contexts import aliases
from infrastructure.money import Money

IN_STOCK = 10_000_000
BATCH = 1_000

_PASSWORD = "a lantern on the water"
_EMAIL = "bench@example.com"


def prepare(skus: int) -> None:
    """Migrations, and a catalogue of which everything is in stock."""
    call_command("migrate", verbosity=0, interactive=False)
    for start in range(0, skus, BATCH):
        now = datetime.now(UTC)
        numbers = range(start, min(start + BATCH, skus))
        products.create_products(
            products=[
                products.NewProduct(
                    name=f"Product {number}",
                    status="active",
                    variants=(
                        products.NewVariant(
                            sku=sku_of(number), prices=(Money(100 + number % 900, "GBP"),)
                        ),
                    ),
                )
                for number in numbers
            ],
            now=now,
        )
        levels = dict.fromkeys(map(sku_of, numbers), IN_STOCK)
        products.set_stock(levels=levels, reason="delivery", now=now)
    forget_facts()


def forget_facts() -> None:
    """Throw unsent facts away, so that no run pays for those of the one before; and have statistics
    of what there is, as a database has that has been in use for a while."""
    for alias in aliases():
        with connections[alias].cursor() as cursor:
            cursor.execute("TRUNCATE platform_outboxmessage")
            cursor.execute("VACUUM ANALYZE")


def orders() -> int:
    """How many orders are confirmed."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_order WHERE status = 'CONFIRMED'")
        count: int = cursor.fetchone()[0]
    return count


def undecided() -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_order WHERE status = 'PENDING'")
        count: int = cursor.fetchone()[0]
    return count


def unsent_facts() -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM platform_outboxmessage")
        count: int = cursor.fetchone()[0]
    return count


def wrong_stock() -> list[str]:
    """SKUs that were oversold, or whose books disagree. There must be none."""
    return [
        item.sku
        for item in products.stock_audit()
        if item.oversold_holds
        or item.held > item.on_hand
        or not item.held == item.ledger_held == item.reserved
        or not item.on_hand == item.ledger_on_hand == item.levels_on_hand
    ]


class Web:
    """The web role as it is run everywhere, on a port of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self.port = process, port

    def token(self) -> str:
        """An access token, of ten minutes."""
        answer = self._post("auth/token", {"email": _EMAIL, "password": _PASSWORD})
        token: str = answer["access_token"]
        return token

    def register(self) -> None:
        self._post("auth/register", {"email": _EMAIL, "password": _PASSWORD, "name": "Bench"})

    def load(
        self,
        *,
        skus: int,
        concurrency: int,
        seconds: float,
        hot: bool = False,
        lines: int = 3,
        asynchronous: bool = False,
    ) -> Measurement:
        """Have orders placed, or accepted. Raises RuntimeError if one of them was not."""
        before = orders()
        options = ["--skus", str(skus), "--lines", str(lines)]
        options += ["--hot"] * hot + ["--asynchronous"] * asynchronous
        found = self._measured(options, concurrency=concurrency, seconds=seconds)
        status = "202" if asynchronous else "201"
        wrong = not asynchronous and orders() - before != found.orders
        if found.statuses != {status: found.orders} or wrong:
            raise RuntimeError(f"Answers by status: {found.statuses}")
        return found

    def ask(
        self, script: Sequence[Sequence[str | None]], *, concurrency: int, seconds: float
    ) -> Measurement:
        """Send these requests in turn, of nobody in particular. Raises RuntimeError for a refusal.

        script: method, path and body of each.
        """
        with NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(script, file)
            file.flush()
            options = ["--script", file.name]
            found = self._measured(options, concurrency=concurrency, seconds=seconds)
        if found.statuses.keys() != {"200"}:
            raise RuntimeError(f"Answers by status: {found.statuses}")
        return found

    @contextmanager
    def ordering(self, *, skus: int, concurrency: int) -> Iterator[None]:
        """While orders are sent, whatever comes of them."""
        command = self._client(["--skus", str(skus)], concurrency=concurrency, seconds=3600)
        client = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert client.stdin is not None
        client.stdin.write(self.token().encode() + b"\n")
        client.stdin.close()
        try:
            yield
        finally:
            client.kill()
            client.wait()

    def make(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a POST answers."""
        return self._post(path, body)

    def _measured(self, options: list[str], *, concurrency: int, seconds: float) -> Measurement:
        token = self.token()
        application, database = Usage(self._process.pid), Usage(postmaster())
        result = subprocess.run(
            self._client(options, concurrency=concurrency, seconds=seconds),
            input=token.encode(),
            stdout=subprocess.PIPE,
            cwd=ROOT,
            check=True,
        )
        used, database_used = application.seconds, database.seconds
        told = json.loads(result.stdout)
        return Measurement(
            orders=len(told["latencies"]),
            per_second=len(told["latencies"]) / told["seconds"],
            latencies=told["latencies"],
            client_cpu=told["cpu_seconds"],
            database_cpu=database_used,
            application_cpu=used,
            statuses=told["statuses"],
        )

    def _client(self, options: list[str], *, concurrency: int, seconds: float) -> list[str]:
        return [
            *[sys.executable, "-m", "benchmarks.placement.client", "--port", str(self.port)],
            *["--concurrency", str(concurrency), "--seconds", str(seconds), *options],
        ]

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def web(*, logs: Path, **environment: str) -> Iterator[Web]:
    with serving("config.wsgi:application", logs=logs, **environment) as (process, port):
        yield Web(process, port)


@contextmanager
def gateway(*, logs: Path, latency_ms: float) -> Iterator[str]:
    """The simulated gateway; yields its URL."""
    port = free_port()
    command = [
        *["-m", "devstack.gateway", "--port", str(port), "--latency-ms", str(latency_ms)],
        *["--state-file", str(logs / "gateway.jsonl")],
    ]
    with running("gateway", command, logs=logs) as process:
        wait_for(port, process)
        yield f"http://{HOST}:{port}"


@contextmanager
def relay_and_consumers(*, logs: Path) -> Iterator[list[int]]:
    """Yields their process ids."""
    call_command("create_topics", verbosity=0)
    with ExitStack() as stack:
        yield [
            stack.enter_context(running(name, ["manage.py", command], logs=logs)).pid
            for name, command in (("relay", "relay_outbox"), ("consumer", "consume_events"))
        ]


def database_version() -> str:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        version: str = connection.execute("SHOW server_version").fetchone()[0]  # type: ignore[index]
    return version
