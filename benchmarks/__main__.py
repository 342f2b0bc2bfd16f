"""`python -m benchmarks`: placement, then messaging; the results go to RESULTS.md.

Options are those of `python -m benchmarks.placement`.
"""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import environment, results
from benchmarks.placement.__main__ import measure, options

QUICK = {"EVENTS": "5000", "ROUNDS": "1", "SECONDS": "3"}
MESSAGING = {
    "benchmarks.messaging.throughput": "Relay and consumer beside librdkafka",
    "benchmarks.messaging.latency": "From commit to Kafka",
}


def main() -> None:
    chosen = options(__doc__)
    environment.enter()
    try:
        environment.set_up_django()
        sections, database = measure(chosen)
        for module, title in MESSAGING.items():
            sections.append(f"### {title}\n\n{run(module, quick=chosen.quick)}")
    finally:
        environment.leave()
    if not chosen.quick and not chosen.only:
        results.append(sections, database=database)


def run(module: str, *, quick: bool) -> str:
    """What the module prints, its tables set apart as Markdown wants them. It is printed, too."""
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, "LOG_LEVEL": "WARNING", **(QUICK if quick else {})},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(ended.stdout, flush=True)
    title, _, table = ended.stdout.partition("\n")
    return f"{title}:\n\n{table}"


if __name__ == "__main__":
    main()
