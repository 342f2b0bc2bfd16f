"""A streaming standby of a running PostgreSQL, made as an operator would make it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.layout import Layout
from devstack.postgres import Postgres
from tests.support.waiting import until


class Standby(Postgres):
    name = "standby"
    title = "The standby"

    def __init__(
        self, primary: Postgres, layout: Layout, port: int, credentials: Credentials
    ) -> None:
        super().__init__(layout, port, credentials)
        self._primary = primary

    def prepare(self, console: Console) -> None:
        command = [
            *self._disguise.prefix,
            *[str(self._binaries / "pg_basebackup"), "--pgdata", str(self.data)],
            *["--write-recovery-conf", "--checkpoint", "fast"],
            *["--dbname", self._primary.superuser_url],
        ]
        self.data.mkdir(mode=0o700, parents=True)
        self._disguise.hand_over(self.data)
        subprocess.run(
            command,
            env=self.environment(),
            cwd=self.data,
            user=self._disguise.user,
            check=True,
        )

    def after_ready(self) -> None:
        """Roles and databases are the primary's."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It goes on receiving, but shows nothing newer while the block runs."""
        until(self.has_replayed, "the standby has caught up")
        self._call("SELECT pg_wal_replay_pause()")
        yield
        self._call("SELECT pg_wal_replay_resume()")
        until(self.has_replayed, "the standby has caught up")

    def has_replayed(self) -> bool:
        """Whether it shows what the primary shows now."""
        with psycopg.connect(self._primary.superuser_url) as connection:
            row = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
            assert row is not None
        with psycopg.connect(self.superuser_url) as connection:
            found = connection.execute(
                "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row
            ).fetchone()
            assert found is not None
            return bool(found[0])

    def _call(self, sql: str) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(sql)
