"""`python -m benchmarks.placement`: orders per second over HTTP, beside pgbench, in one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import environment

ROOT = Path(__file__).resolve().parent.parent.parent
SKUS = 10_000


def options(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--load-seconds", type=float, default=60, help="with relay and consumers")
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument(
        "--only", choices=["process", "gateway", "facts"], action="append", help="not all rows"
    )
    parser.add_argument("--logs", type=Path, default=ROOT / ".local/benchmarks")
    chosen = parser.parse_args()
    chosen.logs.mkdir(parents=True, exist_ok=True)
    if chosen.quick:
        chosen.seconds, chosen.rounds, chosen.load_seconds = 2, 1, 5
    return chosen


def measure(chosen: argparse.Namespace) -> tuple[list[str], str]:
    """The sections of the report, and the version of the database."""
    from benchmarks.placement.run import Run

    run = Run(
        skus=600 if chosen.quick else SKUS,
        seconds=chosen.seconds,
        rounds=chosen.rounds,
        load_seconds=chosen.load_seconds,
        logs=chosen.logs,
    )
    return run.all(only=chosen.only), run.database


def main() -> None:
    chosen = options(__doc__)
    environment.enter()
    try:
        environment.set_up_django()
        measure(chosen)
    finally:
        environment.leave()


if __name__ == "__main__":
    main()
