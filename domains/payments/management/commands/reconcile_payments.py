from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from domains.payments import services
from domains.payments.gateways.port import NoAnswer
from infrastructure import clock
from infrastructure.errors import DomainError

DIFFERENT = 1


class Command(BaseCommand):
    help = (
        "Compare what a gateway did with our books, repair what is certain and report the rest."
        " May be repeated. Exits with 1 if anything differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--gateway", default=settings.PAYMENT_GATEWAY, help="the one of the settings otherwise"
        )
        parser.add_argument(
            "--days",
            type=float,
            default=settings.PAYMENT_RECONCILIATION_DAYS,
            help="how far back to look (%(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        since = now - timedelta(days=options["days"])
        try:
            found = services.reconcile(gateway=options["gateway"], since=since, until=now, now=now)
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        except NoAnswer as silence:
            raise CommandError(f"The gateway did not answer: {silence}") from silence
        self.stdout.write(
            f"{found.gateway}: {found.compared} compared, {found.repaired} repaired,"
            f" {found.different} different, {found.gone} gone."
        )
        if found.different:
            sys.exit(DIFFERENT)
