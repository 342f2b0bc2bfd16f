"""Reading through both tiers, and what keeps a thousand readers of one key from loading it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import uuid4

import structlog

from infrastructure.cache import metrics
from infrastructure.cache.entries import Entry, Loaded, new_entry
from infrastructure.cache.flights import Flights
from infrastructure.cache.listener import Listener
from infrastructure.cache.local import Held, LocalCache, Place
from infrastructure.cache.shared import SharedCache
from infrastructure.errors import DomainError

log = structlog.get_logger(__name__)

# The last part of its life, in which one reader loads an entry anew before it expires; where it
# begins is drawn by lot, so that replicas do not all come at once.
REFRESH_AFTER = (0.7, 0.9)
# Who waits for another process looks again after so long, then after twice as long, and so on.
_FIRST_LOOK, _LAST_LOOK = 0.005, 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What is to be read.

    load: makes it where no tier has it. place: where it is shown without asking a view.
    position: the commit position (LSN) now, asked before a load; needed: the one that the entry
    must have been loaded after.
    """

    key: str
    load: Callable[[], Loaded]
    place: Place | None = None
    position: Callable[[], int | None] = lambda: None
    needed: int = 0

    def is_met_by(self, entry: Entry) -> bool:
        # Not at the very position: a commit is in the log a moment before it is visible, so a load
        # that began then may lack it. Whoever made it asked for `needed` when it was visible, and
        # the log only grows: a load that began beyond that began later.
        return not self.needed or (entry.position is not None and entry.position > self.needed)


class Cache:
    """seconds: the life of an entry, in both tiers together.
    wait_s: the longest wait for somebody else's load.
    """

    def __init__(
        self,
        local: LocalCache,
        shared: SharedCache,
        *,
        seconds: float,
        wait_s: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.local, self.shared = local, shared
        # Nobody knows what cannot be said meanwhile; a sign of life restores the trust.
        shared.on_failure = lambda: local.trust(0)
        self.listener = Listener(local, shared)
        self._seconds, self._wait_s, self._clock = seconds, wait_s, clock
        self._flights = Flights(wait_s=wait_s)

    def now(self) -> float:
        return self._clock()

    def read(self, read: Read) -> Entry:
        """The entry from the nearest tier that has it, or from `read.load`, whose errors pass."""
        self.listener.start()
        held = self.local.get(read.key)
        if held is not None and read.is_met_by(held.entry):
            metrics.LOCAL.inc()
            if held.place is None and read.place is not None:
                self.local.show_at(held, read.place)
            if self.local.needs_refresh(held) and self.local.claim(held):
                return self._refresh(held, read)
            return held.entry
        if read.needed:
            reached = read.position()
            if reached is not None and reached < read.needed:
                # No write of ours was ever there, or a failover lost it.
                return self.read(replace(read, needed=0))
        # Only those who need the same wait for each other: what any of them loads from now on
        # does for all of them, as the log has come so far.
        flight = (read.key, read.needed)
        return self._flights.share(flight, self.local.sequence, lambda: self._fetch(read))

    def _fetch(self, read: Read) -> Entry:
        token = uuid4().hex
        give_up_at = time.monotonic() + self._wait_s
        pause = _FIRST_LOOK
        too_old = 0.0
        while True:
            since = self.local.sequence
            taken = self.shared.take(read.key, token, loaded_after=too_old)
            if taken.entry is not None:
                # Redis that has just come back knows nothing of what changed without it. Who hears
                # it again has been told what not to believe.
                is_believed = self.local.is_live and taken.entry.expires_at > self._clock()
                if is_believed and read.is_met_by(taken.entry):
                    metrics.SHARED.inc()
                    self.local.store(taken.entry, since=since, place=read.place)
                    return taken.entry
                too_old = taken.entry.loaded_at
                continue
            # Redis is away, or it is ours to load, or whoever loads takes too long.
            if taken.mark is None or taken.is_ours or time.monotonic() > give_up_at:
                break
            time.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK)
        metrics.MISS.inc()
        entry = self._load(read, taken.mark, token)
        if entry.expires_at > self._clock():
            self.local.store(entry, since=since, place=read.place)
        return entry

    def _refresh(self, held: Held, read: Read) -> Entry:
        """Load an entry anew that still is fresh; whatever breaks, the old one is there."""
        old, token = held.entry, uuid4().hex
        since = self.local.sequence
        taken = self.shared.take(old.key, token, loaded_after=old.loaded_at)
        entry = taken.entry
        if entry is None or not read.is_met_by(entry):
            if taken.mark is not None and not taken.is_ours:
                return old
            try:
                entry = self._load(read, taken.mark, token)
            except DomainError:
                raise
            except Exception:
                log.exception("cache_refresh_failed")
                return old
        if entry.expires_at > self._clock():
            self.local.store(entry, since=since, place=held.place or read.place)
        return entry

    def _load(self, read: Read, mark: int | None, token: str) -> Entry:
        began_at = self._clock()
        try:
            position = read.position()
            loaded = read.load()
        except BaseException:
            metrics.LOAD_FAILED.inc()
            self.shared.release(read.key, token)
            raise
        metrics.LOADED.inc()
        entry = new_entry(
            read.key,
            loaded,
            loaded_at=began_at,
            seconds=self._seconds,
            refresh_after=random.uniform(*REFRESH_AFTER),  # noqa: S311
            mark=mark,
            position=position,
        )
        self.shared.store(entry, token, now=self._clock())
        return entry
