"""Checks the SQL of every migration for what would hurt under traffic: long locks, rewrites.

A migration that is reviewed and right all the same says so in the SQL it carries, with squawk's
own comment: `-- squawk-ignore <rule>`.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from devstack.layout import ROOT

# Rules of taste, and what is settled elsewhere: Django picks the types, the role that migrates has
# its time limits set, and a migration is one transaction, so nothing stays half done.
_EXCLUDED = (
    "prefer-text-field",
    "prefer-identity",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-robust-stmts",
    "require-lock-timeout",
    "require-statement-timeout",
)


def main() -> int:
    django.setup()
    folder = ROOT / ".local" / "migrations"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = [_write(migration, folder) for migration in _later_migrations()]
    if not written:
        return 0
    squawk = str(Path(sys.executable).with_name("squawk"))
    excluded = ",".join(_EXCLUDED)
    command = [squawk, "--pg-version", "15.0", "--exclude", excluded, *map(str, written)]
    return subprocess.run(command).returncode


def _later_migrations() -> list[Migration]:
    """Our own, but not the initial ones: nobody uses their tables yet."""
    loader = MigrationLoader(connections["default"])
    own = {"infrastructure", "domains"}
    return [
        migration
        for _, migration in sorted(loader.disk_migrations.items())
        if type(migration).__module__.partition(".")[0] in own and not migration.initial
    ]


def _write(migration: Migration, folder: Path) -> Path:
    sql = io.StringIO()
    call_command("sqlmigrate", migration.app_label, migration.name, stdout=sql, no_color=True)
    path = folder / f"{migration.app_label}.{migration.name}.sql"
    # Only tables are created by their full names. Squawk must see that an index is on one of them.
    path.write_text(re.sub(r'CREATE TABLE "\w+"\.', "CREATE TABLE ", sql.getvalue()))
    return path


if __name__ == "__main__":
    sys.exit(main())
