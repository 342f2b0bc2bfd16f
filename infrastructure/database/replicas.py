"""Reads on standbys of a database, where DATABASE_REPLICA_URLS names some.

`with reading(needed):` sends the reads of the block to a standby, and everything else to the
primary as ever: aggregates are loaded and saved there. A standby is used only when it has replayed
what the caller must see, and never one that is down or has fallen behind; then the primary answers.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from prometheus_client import Counter

from infrastructure.database import contexts
from infrastructure.database.consistency import Positions, position

# A standby that failed is left alone for so long.
SUSPECTED_SECONDS = 5.0
# How often a process asks a primary where it is, to know what a standby should have by now.
SAMPLE_SECONDS = 1.0

READS = Counter("database_replica_reads_total", "Blocks of reads, by where they went.", ["where"])

_suspected: dict[str, float] = {}
_asked_at: dict[str, float] = {}
_samples: dict[str, deque[tuple[float, int]]] = {}
_sampling = threading.Lock()


def replicas_of(alias: str) -> tuple[str, ...]:
    """The aliases of a database's standbys."""
    return tuple(settings.REPLICAS.get(alias, ()))


@contextmanager
def reading(needed: Positions) -> Iterator[list[str]]:
    """Send the reads of the block to standbys that have replayed these positions.

    Yields the standbys that were chosen, none where the primaries answer. An OperationalError or
    InterfaceError in the block may be a standby's: `suspect` it and read again without it.
    """
    chosen = {
        alias: replica
        for alias in contexts.aliases()
        if replicas_of(alias) and (replica := _choice(alias, needed.get(alias, 0))) is not None
    }
    READS.labels("standby" if chosen else "primary").inc()
    with _reading_from(chosen):
        yield list(chosen.values())


@contextmanager
def on_primary() -> Iterator[None]:
    """Read nothing from standbys in the block: what is loaded is kept for others, as in a cache,
    and was perhaps changed a moment ago."""
    with _reading_from({}):
        yield


@contextmanager
def _reading_from(chosen: Mapping[str, str]) -> Iterator[None]:
    token = contexts.reading_from.set(chosen)
    try:
        yield
    finally:
        contexts.reading_from.reset(token)


def suspect(replica: str) -> None:
    """Do not use a standby for a while; something failed there."""
    _suspected[replica] = time.monotonic() + SUSPECTED_SECONDS
    connections[replica].close()


def _choice(alias: str, needed: int) -> str | None:
    replica = _up_to_date(alias, needed)
    if replica is None and needed and not _is_reached(alias, needed):
        # No write of ours was ever there, or a failover lost it: it demands nothing.
        replica = _up_to_date(alias, 0)
    return replica


def _is_reached(alias: str, needed: int) -> bool:
    try:
        return position(alias) >= needed
    except (DatabaseError, InterfaceError):
        return True


def _up_to_date(alias: str, needed: int) -> str | None:
    needed = max(needed, _expected(alias))
    candidates = list(replicas_of(alias))
    random.shuffle(candidates)
    for replica in candidates:
        if _suspected.get(replica, 0.0) > time.monotonic():
            continue
        try:
            # A standby has replayed a position when all that was committed there is visible in it,
            # so here, other than of what was loaded on the primary, the very position does.
            if position(replica) >= needed:
                return replica
        except (DatabaseError, InterfaceError):
            suspect(replica)
    return None


def _expected(alias: str) -> int:
    """What any standby must have: where the primary was REPLICA_MAX_LAG_SECONDS ago.

    By samples of our own, since a standby that has lost its primary cannot tell.
    """
    now = time.monotonic()
    long_ago = now - settings.REPLICA_MAX_LAG_SECONDS
    with _sampling:
        due = _asked_at.get(alias, -SAMPLE_SECONDS) <= now - SAMPLE_SECONDS
        if due:
            _asked_at[alias] = now
        samples = _samples.setdefault(alias, deque())
        while len(samples) > 1 and samples[1][0] <= long_ago:
            samples.popleft()
        expected = samples[0][1] if samples and samples[0][0] <= long_ago else 0
    if due:
        # A primary that is down demands nothing new: its standbys go on answering.
        with suppress(DatabaseError, InterfaceError):
            found = position(alias)
            with _sampling:
                samples.append((now, found))
    return expected
