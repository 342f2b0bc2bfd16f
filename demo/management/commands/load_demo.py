from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from demo.catalogue import Catalogue, read_products, read_report
from demo.loading import load
from demo.online_retail import classified, read
from demo.terms import load_terms
from infrastructure import clock


class Command(BaseCommand):
    help = "Put the demo catalogue into the shop. What is there already is left as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="source",
            type=Path,
            metavar="PATH",
            help="derive the catalogue from this CSV file of the same columns, plain or gzip",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        if options["source"] is None:
            products, report = read_products(), read_report()
        else:
            catalogue = Catalogue()
            for kind, line in classified(read(options["source"])):
                catalogue.take(kind, line)
            products, report = list(catalogue.products()), catalogue.report()
        if load_terms(now=clock.now()):
            self.stdout.write("Shipping, taxes and coupons: WELCOME10, EARLYBIRD.")
        created = load(products=products, now=clock.now(), progress=self._progress)
        if not created:
            self.stdout.write(f"All {len(products):,} products of the demo are there.")
            return
        self.stdout.write("What became of the lines and goods of Online Retail:")
        for what, count in report.items():
            self.stdout.write(f"  {count:>9,}  {what}")
        seconds = time.monotonic() - started
        self.stdout.write(f"{created:,} products with price and stock in {seconds:.1f} s.")

    def _progress(self, done: int, total: int) -> None:
        self.stdout.write(f"{done:,} of {total:,} products")
        self.stdout.flush()
