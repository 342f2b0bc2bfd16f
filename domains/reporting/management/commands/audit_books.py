from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from domains.reporting.queries.audit import audit
from domains.reporting.rules.findings import Check
from infrastructure import clock

DIFFERENT, NOT_CHECKED, RESTLESS = 1, 2, 3


class Command(BaseCommand):
    help = (
        "Compare the books of all contexts: stock, orders, payments, events and their handlers."
        " In flight is only what is younger than the placement deadline and 20 s: an order that is"
        " undecided for longer is a difference, also while its gateway is silent."
        " Exits with 1 if anything differs, with 2 if something could not be checked, with 3 if"
        " the shop did not come to rest within --wait."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait",
            type=float,
            default=0,
            metavar="SECONDS",
            help="first wait, so long at most, until every event is handled and every order is"
            " settled or waits for its customer; names what still moves if that does not happen",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument(
            "--limit", type=int, default=20, help="rows to name per check (20); 0 names all"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        found = audit(
            clock=clock.now, wait=timedelta(seconds=options["wait"]), progress=self._progress
        )
        checks = found.checks
        if options["json"]:
            self.stdout.write(json.dumps([asdict(check) for check in checks], indent=2))
        else:
            self._print(checks, limit=options["limit"] or None)
            self.stdout.write(_verdict(checks, time.monotonic() - started))
            if found.waiting:
                self.stdout.write(f"Orders that wait for their customer to pay: {found.waiting:,}.")
        if found.unrest:
            # Where JSON is asked for, nothing else may stand on its stream.
            stream = self.stderr if options["json"] else self.stdout
            stream.write(f"Not at rest after {options['wait']:g} s: {found.unrest}.")
        if any(check.differences for check in checks):
            sys.exit(DIFFERENT)
        if any(check.reason for check in checks):
            sys.exit(NOT_CHECKED)
        if found.unrest:
            sys.exit(RESTLESS)

    def _progress(self, text: str) -> None:
        self.stderr.write(text)

    def _print(self, checks: list[Check], *, limit: int | None) -> None:
        table = [("check", "rows", "in flight", "differences", "compares")]
        table += [
            (
                check.name,
                *(("–", "–", "not checked") if check.reason else _numbers(check)),
                check.about + (f" ({check.note})" if check.note else ""),
            )
            for check in checks
        ]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        for name, rows, in_flight, differences, about in table:
            self.stdout.write(
                f"{name:<{widths[0]}}  {rows:>{widths[1]}}  {in_flight:>{widths[2]}}"
                f"  {differences:>{widths[3]}}  {about}"
            )
        for check in checks:
            if check.reason:
                self.stdout.write(f"\n{check.name}: not checked. {check.reason}")
            if not check.differences:
                continue
            self.stdout.write(f"\n{check.name}: {len(check.differences)} differences")
            for finding in check.differences[:limit]:
                self.stdout.write(f"  {finding.subject}: {finding.detail}")
            if limit is not None and len(check.differences) > limit:
                self.stdout.write(f"  … and {len(check.differences) - limit} more (--limit 0)")


def _numbers(check: Check) -> tuple[str, str, str]:
    return f"{check.rows:,}", f"{check.in_flight:,}", f"{len(check.differences):,}"


def _verdict(checks: list[Check], seconds: float) -> str:
    differences = sum(len(check.differences) for check in checks)
    in_flight = sum(check.in_flight for check in checks)
    unchecked = sum(bool(check.reason) for check in checks)
    answer = f"{differences} differences" if differences else "The books agree: 0 differences"
    if unchecked:
        answer += f", {unchecked} of {len(checks)} checks not made"
    return f"\n{answer}, {in_flight} in flight, {seconds:.1f} s."
