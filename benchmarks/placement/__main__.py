"""`python -m benchmarks.placement`: orders per second over HTTP, beside pgbench, in one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import environment, results

ROOT = Path(__file__).resolve().parent.parent.parent
SKUS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load-seconds", type=float, default=60, help="with relay and consumers")
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument(
        "--only", choices=["process", "gateway", "facts"], action="append", help="not all rows"
    )
    parser.add_argument(
        "--logs", type=Path, default=ROOT / ".local/benchmarks", help="of the roles"
    )
    chosen = parser.parse_args()
    chosen.logs.mkdir(parents=True, exist_ok=True)
    if chosen.quick:
        chosen.seconds, chosen.rounds, chosen.load_seconds = 2, 1, 5
    environment.enter()
    environment.set_up_django()
    try:
        measure(chosen)
    finally:
        environment.leave()


def measure(chosen: argparse.Namespace) -> None:
    from benchmarks.placement.run import Run

    run = Run(
        skus=600 if chosen.quick else SKUS,
        seconds=chosen.seconds,
        rounds=chosen.rounds,
        load_seconds=chosen.load_seconds,
        logs=chosen.logs,
    )
    sections = run.all(only=chosen.only)
    if chosen.quick or chosen.only:
        return
    results.append(sections, database=run.database)


if __name__ == "__main__":
    main()
