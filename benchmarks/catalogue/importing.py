"""How fast products are imported, by the command that operators use."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from django.core.management import call_command

from benchmarks.results import table

VARIANTS = 3
COLOURS = ("black", "white", "red")


def measure(*, rows: int, folder: Path) -> str:
    """Products that are all new, then the same file once more, into the catalogue that is there."""
    path = folder / "import.csv"
    _write(path, rows=rows)
    found = []
    for what in ("new", "already there"):
        began = time.perf_counter()
        call_command("import_catalogue", "products", str(path), verbosity=0)
        seconds = time.perf_counter() - began
        found.append([what, f"{rows:,}", f"{seconds:.1f}", f"{rows / seconds:,.0f}"])
    header = ["rows", "count", "seconds", "per second"]
    return f"### Import of products, {VARIANTS} variants each\n\n{table(header, found)}"


def _write(path: Path, *, rows: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["external_id", "name", "status", "sku", "option.colour", "price.GBP", "weight_g"]
        )
        for number in range(rows):
            product, variant = divmod(number, VARIANTS)
            writer.writerow(
                [
                    f"IMP{product}",
                    f"Imported thing {product}",
                    "active",
                    f"IMP{product}-{variant}",
                    COLOURS[variant],
                    f"{5 + number % 90}.50",
                    100 + number % 900,
                ]
            )
