"""The parts of the run, and what is written down of them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.environment import HOST
from benchmarks.placement import shop
from benchmarks.placement.client import sku_of
from benchmarks.placement.lag import Facts
from benchmarks.placement.measurement import Measurement
from benchmarks.placement.run import Case, Run
from benchmarks.placement.shop import Web
from benchmarks.placement.statements import record
from benchmarks.placement.usage import Usage
from benchmarks.results import table
from config.wsgi import application

CASES = (Case("uniform", 16), Case("one hot SKU", 16, hot=True))
CARTS = 64
LINES_OF_CART = 3
# Nobody waits for so many lines often, and sixteen at a time would measure the queue.
LINES_CONCURRENCY = 4
ORDERS_BESIDE_READS = 4
SETTLED_WITHIN_SECONDS = 120

# Method, path and body.
Request = tuple[str, str, str | None]

_LATENCIES = ["p50 ms", "p95", "p99"]


class Orders:
    def __init__(
        self,
        placement: Run,
        *,
        skus: int,
        seconds: float,
        load_seconds: float,
        lines: Sequence[int],
        logs: Path,
    ) -> None:
        self._placement, self._skus, self._logs = placement, skus, logs
        self._seconds, self._load_seconds, self._lines = seconds, load_seconds, lines

    def all(self, *, only: Sequence[str] | None = None) -> list[str]:
        """Do everything, print it as it comes, and return it as Markdown."""
        parts: dict[str, Callable[[], str]] = {
            "synchronous": self._placement.in_process,
            "asynchronous": self.asynchronous,
            "lines": self.by_lines,
            "carts": self.carts,
            "gateway": self.without_gateway,
        }
        sections = [self._placement.prepare()]
        for name, measure in parts.items():
            if only is None or name in only:
                sections.append(measure())
                print(sections[-1], flush=True)
                self._placement.check_stock()
        return sections

    def asynchronous(self) -> str:
        """Accepted by the web role, and settled by relay and consumers at the same time."""
        rows = []
        with (
            shop.relay_and_consumers(logs=self._logs) as workers,
            shop.web(logs=self._logs, ORDERS_ASYNC_PROMISE="600") as web,
        ):
            accepting = record(application, token=web.token(), skus=self._skus, asynchronous=True)
            self._accepted(web, CASES[0], seconds=1)
            wait_for_decisions()
            for case in CASES:
                rows.append(self._accepted_and_settled(web, case, workers))
        for case, row in zip(CASES, rows, strict=True):
            row.insert(3, f"**{float(row[2].replace(',', '')) / self._pgbench(case):.2f}**")
        header = ["load", "accepted/s", "settled/s", "of pgbench", "left at the end", "s"]
        header += [*_LATENCIES, "CPU µs per order: web", "relay, consumers", "PostgreSQL"]
        return (
            "### Asynchronous, with relay and all consumers\n\n"
            f"Accepting an order costs {len(accepting.statements)} statements in"
            f" {accepting.round_trips} round trips; deciding a batch of whatever size, eight and a"
            " call to the gateway for each order.\n\n"
            f"{table(header, rows)}\n"
            "settled: from the first request to the last decision. left: accepted and not decided"
            " when the load ended, and how long they took then.\n"
        )

    def by_lines(self) -> str:
        rows = []
        with shop.web(logs=self._logs) as web:
            self._placement.warm_up(web)
            token = web.token()
            for lines in self._lines:
                recorded = record(application, token=token, skus=self._skus, lines=lines)
                shop.forget_facts()
                found = web.load(
                    skus=self._skus,
                    concurrency=LINES_CONCURRENCY,
                    seconds=self._seconds,
                    lines=lines,
                )
                rows.append(
                    [
                        f"{lines:,}",
                        str(len(recorded.statements)),
                        str(recorded.round_trips),
                        f"{found.per_second:,.1f}",
                        f"{found.per_second * lines:,.0f}",
                        *_latencies(found),
                        found.per_order_us(found.application_cpu),
                        found.per_order_us(found.database_cpu),
                    ]
                )
        header = ["lines", "statements", "round trips", "orders/s", "lines/s", *_LATENCIES]
        header += ["CPU µs per order: app", "PostgreSQL"]
        title = f"### What lines cost, {LINES_CONCURRENCY} orders at a time"
        return f"{title}\n\n{table(header, rows)}"

    def carts(self) -> str:
        rows = []
        with shop.web(logs=self._logs) as web:
            paths = self._new_carts(web)
            changes: list[Request] = [
                ("PUT", f"{path}/items/{sku_of(number)}", json.dumps({"quantity": quantity}))
                for quantity in (1, 2)
                for number in range(LINES_OF_CART)
                for path in paths
            ]
            ways: dict[str, list[Request]] = {
                "set a quantity": changes,
                "read, priced": [("GET", path, None) for path in paths],
            }
            for name, script in ways.items():
                web.ask(script, concurrency=16, seconds=min(1, self._seconds))
                found = web.ask(script, concurrency=16, seconds=self._seconds)
                rows.append(
                    [
                        name,
                        f"{found.per_second:,.0f}",
                        *_latencies(found),
                        found.per_order_us(found.application_cpu),
                        found.per_order_us(found.database_cpu),
                    ]
                )
        header = ["operation", "per second", *_LATENCIES, "CPU µs: app", "PostgreSQL"]
        title = f"### Carts of {LINES_OF_CART} lines, 16 requests at a time"
        return f"{title}\n\n{table(header, rows)}"

    def without_gateway(self) -> str:
        """Reads of catalogue and carts while orders wait for a gateway that never answers."""
        rows = []
        with (
            shop.gateway(logs=self._logs, latency_ms=5) as answering,
            socket.create_server((HOST, 0)) as silence,
        ):
            silent = f"http://{HOST}:{silence.getsockname()[1]}"
            for name, url in (("answers in 5 ms", answering), ("never answers", silent)):
                with shop.web(
                    logs=self._logs, PAYMENT_GATEWAY="simulated", PAYMENT_GATEWAY_URL=url
                ) as web:
                    reads: list[Request] = [("GET", path, None) for path in self._new_carts(web)]
                    reads += [("GET", "/api/v1/products?limit=20", None)] * CARTS
                    web.ask(reads, concurrency=8, seconds=min(1, self._seconds))
                    with web.ordering(skus=self._skus, concurrency=ORDERS_BESIDE_READS):
                        # Until the first of them have waited for the gateway in vain.
                        web.ask(reads, concurrency=8, seconds=min(3, self._seconds))
                        found = web.ask(reads, concurrency=8, seconds=self._seconds)
                rows.append([name, f"{found.per_second:,.0f}", *_latencies(found)])
        header = ["gateway", "reads per second", *_LATENCIES]
        return (
            f"### Reads beside {ORDERS_BESIDE_READS} orders at a time\n\n{table(header, rows)}\n"
            "Half of them lists from the cache, half carts. None was refused.\n"
        )

    def _accepted(self, web: Web, case: Case, *, seconds: float) -> Measurement:
        return web.load(
            skus=self._skus,
            concurrency=case.concurrency,
            seconds=seconds,
            hot=case.hot,
            asynchronous=True,
        )

    def _accepted_and_settled(self, web: Web, case: Case, workers: Sequence[int]) -> list[str]:
        used = [Usage(pid) for pid in workers]
        began = time.perf_counter()
        found = self._accepted(web, case, seconds=self._load_seconds)
        ended, left = time.perf_counter(), shop.undecided()
        wait_for_decisions()
        decided = time.perf_counter()
        Facts().wait()
        worked = sum(one.seconds or 0.0 for one in used)
        return [
            f"{case.name}, {case.concurrency} at a time",
            f"{found.per_second:,.0f}",
            f"{found.orders / (decided - began):,.0f}",
            f"{left:,}",
            f"{decided - ended:.1f}",
            *_latencies(found),
            found.per_order_us(found.application_cpu),
            found.per_order_us(worked),
            found.per_order_us(found.database_cpu),
        ]

    def _pgbench(self, case: Case) -> float:
        return self._placement.pgbench(case).per_second

    def _new_carts(self, web: Web) -> list[str]:
        """Their paths; guests' carts of some lines each."""
        paths = []
        for _ in range(CARTS):
            path = f"carts/{web.make('carts', {})['id']}"
            items = [{"sku": sku_of(number), "quantity": 1} for number in range(LINES_OF_CART)]
            web.make(f"{path}/items", {"items": items})
            paths.append(f"/api/v1/{path}")
        return paths


def wait_for_decisions() -> None:
    began = time.monotonic()
    while shop.undecided():
        if time.monotonic() - began > SETTLED_WITHIN_SECONDS:
            raise RuntimeError(f"{shop.undecided()} orders are not decided.")
        time.sleep(0.05)


def _latencies(found: Measurement) -> list[str]:
    return [f"{found.percentile_ms(share):.1f}" for share in (0.5, 0.95, 0.99)]
