"""The run: which measurements, in which order, and what is written down of them."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.catalogue import load
from benchmarks.catalogue.load import Load
from benchmarks.catalogue.samples import API, Sample
from benchmarks.environment import HOST
from benchmarks.processes import serving
from benchmarks.results import table
from infrastructure.database.contexts import alias_of

PRICE_CHANGES_SECONDS = 1.0


UNCACHED = ["products", "answer", "per second", "p50 ms", "p99", "statements"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody with a password."""

    email: str
    password: str

    def register(self, port: int) -> None:
        """As a customer, over HTTP, as customers do."""
        self._post(port, "register", name="Bench")

    def token(self, port: int) -> str:
        return str(self._post(port, "token").json()["access_token"])

    def _post(self, port: int, what: str, **more: str) -> httpx.Response:
        answer = httpx.post(
            f"http://{HOST}:{port}{API}/auth/{what}",
            json={"email": self.email, "password": self.password, **more},
        )
        return answer.raise_for_status()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to be answered, measured round by round."""

    name: str
    loads: list[Load]

    def cells(self, *, beside: Sequence[Sequence[Load]] = ()) -> list[str]:
        """beside: the loads of each yardstick, of the same rounds."""
        return [
            self.name,
            f"{median(one.per_second for one in self.loads):,.0f}",
            *(f"{self._ratio_to(yardstick):.2f}" for yardstick in beside),
            f"{median(one.p50 for one in self.loads):.2f}",
            f"{median(one.p99 for one in self.loads):.2f}",
        ]

    def _ratio_to(self, yardstick: Sequence[Load]) -> float:
        pairs = zip(self.loads, yardstick, strict=True)
        return median(ours.per_second / theirs.per_second for ours, theirs in pairs)


class Run:
    def __init__(self, *, seconds: float, rounds: int, logs: Path) -> None:
        self._seconds, self._rounds, self._logs = seconds, rounds, logs

    def cached(self, catalogue: Sample, customer: Account) -> str:
        """A list and a product from the cache, beside servers that answer as many fixed bytes."""
        path = catalogue.lists()[0]
        with serving("config.wsgi:application", logs=self._logs) as (_, shop):
            customer.register(shop)
            signed_in = {"Authorization": f"Bearer {customer.token(shop)}"}
            body = self._logs / "body.json"
            body.write_bytes(httpx.get(f"http://{HOST}:{shop}{path}").raise_for_status().content)
            fixed = {"FIXED_BODY": str(body), "SECRET_KEY": secrets.token_hex(32)}
            with (
                self._fixed("bare", fixed) as bare,
                self._fixed("django", fixed) as django,
                self._fixed("django_common", fixed) as common,
            ):
                ways: dict[str, Callable[[], Load]] = {
                    "granian, fixed bytes": lambda: self._load(bare, [path]),
                    "Django, fixed bytes": lambda: self._load(django, [path]),
                    "Django and its middleware, fixed bytes": lambda: self._load(common, [path]),
                    "list, anonymous": lambda: self._load(shop, [path]),
                    "product, anonymous": lambda: self._load(shop, catalogue.products()[:1]),
                    "many products, anonymous": lambda: self._load(shop, catalogue.products()),
                    "list, customer": lambda: self._load(shop, [path], headers=signed_in),
                }
                loads = self._in_turns(ways)
        bare_loads, django_loads, *_ = loads.values()
        rows = [
            Row(name=name, loads=found).cells(beside=[bare_loads, django_loads])
            for name, found in loads.items()
        ]
        header = ["answered", "per second", "of granian's", "of Django's", "p50 ms", "p99"]
        size = body.stat().st_size
        return f"### From the cache, {size:,} bytes\n\n{table(header, rows)}"

    def uncached(self, catalogue: Sample) -> list[list[str]]:
        """Each answer made anew; the cells without the number of products."""
        kinds = {
            "list of 20": catalogue.lists(),
            "product": catalogue.products(),
            "search, 20 with facets": catalogue.searches(),
            "search for few, 20 with facets": catalogue.searches_for_few(),
        }
        with serving("config.wsgi:application", logs=self._logs, CACHE_ENABLED="off") as (_, port):
            ways = {
                name: (lambda paths=paths: self._load(port, paths)) for name, paths in kinds.items()
            }
            loads = self._in_turns(ways)
        return [
            [*Row(name=name, loads=found).cells(), str(statements(kinds[name][:5]))]
            for name, found in loads.items()
        ]

    def changing(self, catalogue: Sample, staff: Account) -> str:
        """What one change of a price per second does to the share of cached answers."""
        paths = catalogue.lists() + catalogue.products()
        random.Random(1).shuffle(paths)
        rows = []
        with serving("config.wsgi:application", logs=self._logs) as (_, port):
            self._load(port, paths)
            for name, changes in (("no change", False), ("one price a second", True)):
                before = loads(port)
                with prices_changing(port, catalogue.skus, staff.token(port), on=changes):
                    found = self._load(port, paths, seconds=max(10.0, self._seconds))
                made_anew = loads(port) - before
                rows.append(
                    [
                        name,
                        f"{found.per_second:,.0f}",
                        f"{100 * (1 - made_anew / found.requests):.2f} %",
                        f"{found.p50:.2f}",
                        f"{found.p99:.2f}",
                    ]
                )
        header = ["while", "per second", "from the cache", "p50 ms", "p99"]
        return f"### {len(paths):,} cached pages under changes\n\n{table(header, rows)}"

    @contextmanager
    def _fixed(self, name: str, environment: Mapping[str, str]) -> Iterator[int]:
        application = f"benchmarks.catalogue.fixed:{name}"
        with serving(application, logs=self._logs, **environment) as (_, port):
            yield port

    def _in_turns(self, ways: Mapping[str, Callable[[], Load]]) -> dict[str, list[Load]]:
        """By turns, so that all of them meet the same machine; a first turn does not count."""
        loads: dict[str, list[Load]] = {name: [] for name in ways}
        for number in range(self._rounds + 1):
            for name, measure in ways.items():
                found = measure()
                if number:
                    loads[name].append(found)
                    print(f"{name}: {found.per_second:,.0f}/s, p99 {found.p99:.1f} ms", flush=True)
        return loads

    def _load(
        self,
        port: int,
        paths: Sequence[str],
        *,
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Load:
        return load.of(
            port, paths, folder=self._logs, seconds=seconds or self._seconds, headers=headers
        )


def statements(paths: Sequence[str]) -> int:
    """The most statements that making one of these anew takes."""
    client = Client(HTTP_HOST=HOST)
    most = 0
    for path in paths:
        with (
            override_settings(CACHE_ENABLED=False),
            CaptureQueriesContext(connections[alias_of("products")]) as captured,
        ):
            if client.get(path).status_code != 200:
                raise RuntimeError(f"{path} is not answered.")
        most = max(most, len(captured))
    return most


@contextmanager
def prices_changing(port: int, skus: Sequence[str], token: str, *, on: bool) -> Iterator[None]:
    """Set the price of one SKU after the other, each second, while the block runs."""
    done = threading.Event()

    def change() -> None:
        chosen = random.Random(2)
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
            while not done.wait(PRICE_CHANGES_SECONDS):
                price = {"amount": f"{chosen.randint(100, 9999) / 100:.2f}", "currency": "GBP"}
                sku = chosen.choice(skus)
                client.put(
                    f"http://{HOST}:{port}{API}/variants/{sku}/price", json=price
                ).raise_for_status()

    thread = threading.Thread(target=change)
    if on:
        thread.start()
    yield
    done.set()
    if on:
        thread.join()


def loads(port: int) -> float:
    """How many answers all processes of the server have made anew."""
    time.sleep(0.5)
    families = text_string_to_metric_families(httpx.get(f"http://{HOST}:{port}/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "cache_loads_total"
    )
