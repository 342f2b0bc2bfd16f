"""`python -m benchmarks.catalogue`: reads of a large catalogue, beside servers of fixed bytes."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path
from random import Random

from benchmarks import environment, results
from benchmarks.catalogue.load import require_wrk
from benchmarks.processes import ROOT

SIZES = (1_000, 10_000, 100_000)
STAFF = "staff@example.com"
CUSTOMER = "customer@example.com"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="products in the catalogue"
    )
    parser.add_argument("--import-rows", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument("--logs", type=Path, default=ROOT / ".local/benchmarks")
    chosen = parser.parse_args()
    chosen.logs.mkdir(parents=True, exist_ok=True)
    if chosen.quick:
        chosen.seconds, chosen.rounds, chosen.sizes, chosen.import_rows = 2, 1, (300, 1_000), 1_000
    return chosen


def main() -> None:
    chosen = options()
    require_wrk()
    environment.enter()
    try:
        environment.set_up_django()
        sections = measure(chosen)
    finally:
        environment.leave()
    if not chosen.quick:
        results.append(sections, database=sections.pop())


def measure(chosen: argparse.Namespace) -> list[str]:
    """The sections of the report; the version of the database comes last."""
    from django.core.management import call_command

    from benchmarks.catalogue import filling, importing, samples
    from benchmarks.catalogue.run import UNCACHED, Account, Run
    from benchmarks.placement.shop import database_version

    run = Run(seconds=chosen.seconds, rounds=chosen.rounds, logs=chosen.logs)
    os.environ["BENCH_PASSWORD"] = secrets.token_hex(16)
    rows = []
    call_command("migrate", verbosity=0, interactive=False)
    for size in chosen.sizes:
        call_command("flush", verbosity=0, interactive=False)
        variants = filling.fill(products=size)
        say(f"{size:,} products with {variants:,} variants")
        catalogue = samples.of_catalogue(Random(1))
        rows += [[f"{size:,}", *cells] for cells in run.uncached(catalogue)]
    sections = [f"### Made anew for each request\n\n{results.table(UNCACHED, rows)}"]
    say(sections[-1])
    call_command(
        "create_staff",
        *["--email", STAFF, "--role", "admin", "--name", "Bench"],
        *["--password-env", "BENCH_PASSWORD"],
        verbosity=0,
    )
    staff, customer = (
        Account(email=email, password=os.environ["BENCH_PASSWORD"]) for email in (STAFF, CUSTOMER)
    )
    for section in (run.cached(catalogue, customer), run.changing(catalogue, staff)):
        sections.append(section)
        say(section)
    sections.append(importing.measure(rows=chosen.import_rows, folder=chosen.logs))
    say(sections[-1])
    return [*sections, database_version()]


def say(text: str) -> None:
    print(f"{text}\n", flush=True)


if __name__ == "__main__":
    main()
