"""The run: which measurements, in which order, and what is written down of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import processes
from benchmarks.placement import pgbench, shop
from benchmarks.placement.lag import Facts
from benchmarks.placement.measurement import Measurement
from benchmarks.placement.shop import Web
from benchmarks.placement.statements import Recorded, Scripts, record, scripts
from benchmarks.results import table
from config.wsgi import application

GATEWAY_LATENCY_MS = 5.0


@dataclass(frozen=True)
class Case:
    name: str
    concurrency: int
    hot: bool = False


@dataclass
class Pairs:
    """Of one case: the shop and pgbench by turns, so that both see the same machine."""

    shop: list[Measurement] = field(default_factory=list)
    pgbench: list[Measurement] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return median(
            ours.per_second / theirs.per_second
            for ours, theirs in zip(self.shop, self.pgbench, strict=True)
        )


class Run:
    def __init__(
        self, *, skus: int, seconds: float, rounds: int, load_seconds: float, logs: Path
    ) -> None:
        self._skus, self._seconds, self._rounds = skus, seconds, rounds
        self._load_seconds, self._logs = load_seconds, logs
        self._scripts: dict[bool, Scripts] = {}
        self._making: dict[Case, float] = {}
        self.database = ""

    def all(self, *, only: Sequence[str] | None = None) -> list[str]:
        """Do everything, print it as it comes, and return it as Markdown."""
        rows: dict[str, Callable[[], str]] = {
            "process": self.in_process,
            "gateway": self._through_gateway,
            "facts": self._with_relay_and_consumers,
        }
        sections = [self.prepare()]
        for name, measure in rows.items():
            if only is None or name in only:
                sections.append(measure())
                self._say(sections[-1])
                self.check_stock()
        return sections

    def prepare(self) -> str:
        """Fill the shop, and take pgbench's statements from it. Returns what an order costs."""
        self._say(f"A catalogue of {self._skus:,} SKUs …")
        shop.prepare(self._skus)
        self.database = shop.database_version()
        with shop.web(logs=self._logs) as web:
            web.register()
            recorded = record(application, token=web.token(), skus=self._skus)
        for hot in (False, True):
            self._scripts[hot] = scripts(
                recorded, skus=self._skus, hot=hot, fresh_id=pgbench.fresh_id()
            )
        described = _described(recorded)
        self._say(described)
        return described

    def in_process(self) -> str:
        cases = [Case("uniform", 8), Case("uniform", 16), Case("one hot SKU", 16, hot=True)]
        with shop.web(logs=self._logs) as web:
            self.warm_up(web)
            return "### Gateway in the process\n\n" + self._measure(web, cases)

    def _through_gateway(self) -> str:
        with (
            shop.gateway(logs=self._logs, latency_ms=GATEWAY_LATENCY_MS) as url,
            shop.web(
                logs=self._logs,
                PAYMENT_GATEWAY="simulated",
                PAYMENT_GATEWAY_URL=url,
                # A place for each thread: who waits too long for one is answered 202, and there is
                # no worker here to settle what was put off.
                PAYMENT_GATEWAY_CONCURRENCY=processes.THREADS,
            ) as web,
        ):
            self.warm_up(web)
            return (
                f"### Through the gateway process, which takes {GATEWAY_LATENCY_MS:g} ms\n\n"
                + self._measure(web, [Case("uniform", 16)])
            )

    def _with_relay_and_consumers(self) -> str:
        title = f"### With relay and all consumers running, for {self._load_seconds:g} s"
        with (
            shop.relay_and_consumers(logs=self._logs),
            shop.web(logs=self._logs) as web,
        ):
            self.warm_up(web)
            facts = Facts()
            facts.wait()
            ours = web.load(skus=self._skus, concurrency=16, seconds=self._load_seconds, hot=False)
            lag = facts.wait()
        pairs = Pairs([ours], [self.pgbench(Case("uniform", 16))])
        return (
            f"{title}\n\n{_table({Case('uniform', 16): pairs})}\n"
            f"When the load ended {lag.unsent:,} facts were unsent and {lag.unhandled:,} messages"
            f" unhandled; {lag.seconds:.1f} s later none was.\n"
        )

    def _measure(self, web: Web, cases: list[Case]) -> str:
        pairs = {case: Pairs() for case in cases}
        for _ in range(self._rounds):
            for case, pair in pairs.items():
                shop.forget_facts()
                pair.shop.append(
                    web.load(
                        skus=self._skus,
                        concurrency=case.concurrency,
                        seconds=self._seconds,
                        hot=case.hot,
                    )
                )
                pair.pgbench.append(self.pgbench(case))
                self._say(
                    f"{case.name}, {case.concurrency}: {pair.shop[-1].per_second:,.0f}/s beside"
                    f" {pair.pgbench[-1].per_second:,.0f}/s"
                )
        return _table(pairs)

    def pgbench(self, case: Case) -> Measurement:
        shop.forget_facts()
        scripts = self._scripts[case.hot]
        if case not in self._making:
            self._making[case] = pgbench.making(scripts, concurrency=case.concurrency)
        before = shop.orders()
        measured = pgbench.run(
            scripts,
            concurrency=case.concurrency,
            seconds=self._seconds,
            making=self._making[case],
        )
        confirmed = shop.orders() - before
        if confirmed != measured.orders:
            raise RuntimeError(f"pgbench ran {measured.orders} times; {confirmed} are confirmed.")
        shop.forget_facts()
        return measured

    def warm_up(self, web: Web) -> None:
        web.load(skus=self._skus, concurrency=16, seconds=min(3, self._seconds), hot=False)

    def check_stock(self) -> None:
        if wrong := shop.wrong_stock():
            raise RuntimeError(f"The stock of these SKUs is wrong: {wrong[:20]}")
        self._say("0 oversold; every SKU's counters equal its ledger and its reservations.")

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)


def _described(recorded: Recorded) -> str:
    kinds = Counter(sql.split(None, 1)[0] for sql, _ in recorded.statements)
    reads = kinds["SELECT"]
    return (
        f"An order costs {len(recorded.statements)} statements, {reads} of them a read, in"
        f" {recorded.round_trips} round trips to the database.\n"
    )


def _table(pairs: dict[Case, Pairs]) -> str:
    """Rates are the medians of the rounds; latencies and CPU are of all rounds together."""
    rows = []
    for case, pair in pairs.items():
        for name, measured in (("shop", pair.shop), ("pgbench", pair.pgbench)):
            whole = _together(measured)
            rows.append(
                [
                    f"{case.name}, {case.concurrency} at a time",
                    name,
                    f"{median(one.per_second for one in measured):,.0f}",
                    f"**{pair.ratio:.2f}**" if name == "shop" else "1",
                    *[f"{whole.percentile_ms(share):.1f}" for share in (0.5, 0.95, 0.99)],
                    whole.per_order_us(whole.application_cpu),
                    whole.per_order_us(whole.database_cpu),
                    whole.per_order_us(whole.client_cpu),
                ]
            )
    return table(
        [
            *["load", "by", "orders/s", "of pgbench", "p50 ms", "p95", "p99"],
            *["CPU µs per order: app", "PostgreSQL", "client"],
        ],
        rows,
    )


def _together(measured: list[Measurement]) -> Measurement:
    def total(name: str) -> float | None:
        values = [getattr(one, name) for one in measured]
        return None if None in values else sum(values)

    return Measurement(
        orders=sum(one.orders for one in measured),
        per_second=median(one.per_second for one in measured),
        latencies=[latency for one in measured for latency in one.latencies],
        client_cpu=total("client_cpu") or 0.0,
        database_cpu=total("database_cpu"),
        application_cpu=total("application_cpu"),
    )
