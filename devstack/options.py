"""What the environment says about the local stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from devstack.errors import StackError

SERVICE_VARIABLES = ("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS")
# What the shop can do without for a while: its work waits.
DEFERRABLE = ("relay", "consumer", "worker", "beat")


@dataclass(frozen=True)
class Options:
    host: str = "127.0.0.1"
    port: int = 8000
    web_workers: int = 2
    web_threads: int = 8
    without: frozenset[str] = frozenset()
    """Roles that are not started: those that somebody runs by hand, or wants to stand still."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Servers that replace embedded ones, by variable."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Options:
        return cls(
            host=environ.get("HOST") or cls.host,
            port=_whole_number(environ, "PORT", cls.port, 1, 65535),
            web_workers=_whole_number(environ, "WEB_WORKERS", cls.web_workers, 1, 64),
            web_threads=_whole_number(environ, "WEB_THREADS", cls.web_threads, 1, 64),
            without=_roles(environ.get("WITHOUT", "")),
            given={name: environ[name] for name in SERVICE_VARIABLES if environ.get(name)},
        )

    @property
    def base_url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def _roles(text: str) -> frozenset[str]:
    named = {name.strip() for name in text.split(",")} - {""}
    if unknown := sorted(named - set(DEFERRABLE)):
        raise StackError(
            f"WITHOUT names {', '.join(unknown)}, which the shop cannot leave out.",
            f"It takes {', '.join(DEFERRABLE)}, as in `WITHOUT=consumer make run`.",
        )
    return frozenset(named)


def _whole_number(
    environ: Mapping[str, str], name: str, default: int, least: int, most: int
) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise StackError(
            f"{name} is {text!r}, which is no whole number from {least} to {most}.",
            f"Leave it out to get {default}, or set a number, as in `{name}={default} make run`.",
        )
    return int(text)
