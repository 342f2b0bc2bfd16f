from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from domains.products.services.listing import rebuild_listing
from infrastructure import clock


class Command(BaseCommand):
    help = (
        "Make the read model behind lists, search and facets anew from the products. The shop can"
        " go on meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--threads", type=int, default=1, help="how many batches at once (default: 1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        quiet = options["verbosity"] == 0
        started = time.monotonic()
        count = rebuild_listing(
            now=clock.now(),
            threads=options["threads"],
            progress=None if quiet else self._progress,
        )
        if not quiet:
            self.stdout.write(f"{count:,} products in {time.monotonic() - started:.1f} s.")

    def _progress(self, done: int, total: int) -> None:
        self.stdout.write(f"{done:,} of {total:,} products", ending="\n" if done == total else "\r")
        self.stdout.flush()
