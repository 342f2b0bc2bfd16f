"""`migrate` for every database, safe when two deployments start at once."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

from infrastructure.database.contexts import aliases

# An arbitrary constant that nothing else in the database uses.
_LOCK = 0x6B6F6E746F72


class Command(migrate.Command):
    help = "Bring every database (or --database) up to the code, one deployment at a time."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        return super().get_check_kwargs(options) | {"databases": self._aliases(options)}

    def handle(self, *args: Any, **options: Any) -> None:
        for alias in self._aliases(options):
            with connections[alias].cursor() as cursor:
                # Polled: waiting inside pg_advisory_lock holds a snapshot, and with that the other
                # deployment's CREATE INDEX CONCURRENTLY would wait for this one: a deadlock.
                while not self._locked(cursor):
                    time.sleep(0.5)
                try:
                    super().handle(*args, **options | {"database": alias})
                finally:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])

    def _aliases(self, options: dict[str, Any]) -> list[str]:
        return [options["database"]] if options["database"] else aliases()

    def _locked(self, cursor: Any) -> bool:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
