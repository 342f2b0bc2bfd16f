"""Reading one's own writes, wherever the read is answered from.

A write answers with a `Consistency-Token`: how far the log of each database it wrote to had come
once it had committed. A read that carries the token is answered by nothing that knows less: not by
a standby that has not replayed so far, and not by a cached answer that was loaded before.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from infrastructure.database.contexts import connection_at

HEADER = "Consistency-Token"

# Position in the log per alias. Clients hand it back as they got it.
Positions = Mapping[str, int]

_TOKEN = re.compile(r"[a-z_]{1,63}:[0-9a-f]{1,16}(,[a-z_]{1,63}:[0-9a-f]{1,16}){0,31}")

# On a primary what is written, on a standby what is replayed; as a number of bytes.
_POSITION = """
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
    - '0/0'::pg_lsn)::bigint
"""


def position(alias: str) -> int:
    """How far the log of a database has come; every commit that was visible before is at or below.

    On a standby what is at or below is visible. On a primary it may not be yet, for a moment: only
    what was read after asking for a later position certainly shows it.
    """
    [(found,)] = connection_at(alias).fetch(_POSITION, [])
    return int(found)


# How long a position that was asked for stands for later ones, which are never below it.
RECENT_SECONDS = 0.1
_recent: WeakKeyDictionary[Any, tuple[float, int]] = WeakKeyDictionary()


def recent_position(alias: str) -> int:
    """A position at or a little below the present one: of this moment or the last tenth of a
    second, so that under load it is not asked for with each answer."""
    connection = connection_at(alias)
    connection.ensure_connection()
    now = time.monotonic()
    # By session: another server may be behind what this one said.
    asked_at, found = _recent.get(connection.connection, (-RECENT_SECONDS, 0))
    if now - asked_at >= RECENT_SECONDS:
        found = position(alias)
        _recent[connection.connection] = (now, found)
    return found


def token_of(aliases: Iterable[str]) -> str:
    """The token for whoever wrote to these databases; call it after the commit."""
    return ",".join(f"{alias}:{position(alias):x}" for alias in sorted(aliases))


def positions_of(token: str) -> Positions:
    """What a token demands. Raises ValueError for what is none.

    A database that no longer is one of ours demands nothing.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{token[:80]!r} is no consistency token.")
    pairs = (part.split(":") for part in token.split(","))
    return {alias: int(found, 16) for alias, found in pairs}
