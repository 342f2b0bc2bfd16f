"""`python -m benchmarks.orders`: placing orders in both modes, what lines cost, and carts."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import environment, results
from benchmarks.processes import ROOT

SKUS = 10_000
LINES = (1, 3, 20, 1_000)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--load-seconds", type=float, default=20, help="of asynchronous orders")
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument(
        "--only",
        choices=["synchronous", "asynchronous", "lines", "carts", "gateway"],
        action="append",
        help="not all parts",
    )
    parser.add_argument("--logs", type=Path, default=ROOT / ".local/benchmarks")
    chosen = parser.parse_args()
    chosen.logs.mkdir(parents=True, exist_ok=True)
    if chosen.quick:
        chosen.seconds, chosen.rounds, chosen.load_seconds = 2, 1, 2
    return chosen


def main() -> None:
    chosen = options()
    environment.enter()
    try:
        environment.set_up_django()
        sections, database = measure(chosen)
    finally:
        environment.leave()
    if not chosen.quick and not chosen.only:
        results.append(sections, database=database)


def measure(chosen: argparse.Namespace) -> tuple[list[str], str]:
    """The sections of the report, and the version of the database."""
    from benchmarks.orders.run import Orders
    from benchmarks.placement.run import Run

    skus, lines = (300, (1, 20)) if chosen.quick else (SKUS, LINES)
    placement = Run(
        skus=skus,
        seconds=chosen.seconds,
        rounds=chosen.rounds,
        load_seconds=chosen.load_seconds,
        logs=chosen.logs,
    )
    orders = Orders(
        placement,
        skus=skus,
        seconds=chosen.seconds,
        load_seconds=chosen.load_seconds,
        lines=lines,
        logs=chosen.logs,
    )
    return orders.all(only=chosen.only), placement.database


if __name__ == "__main__":
    main()
