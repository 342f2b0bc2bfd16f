"""The first tier: entries in the memory of this process.

It is trusted only while the listener hears of every invalidation. Whatever was loaded before an
invalidation of one of its tags is refused when it comes to be stored, however late that is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from infrastructure.cache.entries import Entry

# Invalidations that are remembered for loads still under way; older loads are refused as a whole.
REMEMBERED_DROPS = 20_000
# Who began to load an entry anew and has not come back is not waited for.
CLAIM_SECONDS = 5.0

Answer = tuple[str, list[tuple[str, str]], list[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry is shown without asking a view: to whoever is in a customer group (None: in
    none, or anonymous) and reads a canonical URL.

    match: what the URL resolved to, for metrics.
    sees_more: scopes whose holders are shown something else there.
    """

    url: str
    group: str | None
    match: Any = None
    sees_more: frozenset[str] = frozenset()

    @property
    def route(self) -> str:
        return f"/{self.match.route}" if self.match is not None else "(none)"


class Held:
    """An entry in this process. `answers` is the front's: finished ones, by whether they are
    gzip and whether the caller is signed in."""

    __slots__ = ("answers", "claimed_until", "entry", "place", "route", "touched")

    def __init__(self, entry: Entry, place: Place | None) -> None:
        self.entry, self.place = entry, place
        self.route = place.route if place is not None else ""
        self.touched = False
        self.claimed_until = 0.0
        self.answers: dict[tuple[bool, bool], Answer] = {}


class LocalCache:
    """Bounded by entries and by bytes; who was not asked for since the last round goes first.

    Reads take no lock: they are single dictionary look-ups.
    """

    def __init__(
        self,
        *,
        most_entries: int,
        most_bytes: int,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._entries: dict[str, Held] = {}
        self._by_place: dict[tuple[str, str | None], Held] = {}
        self._by_tag: dict[str, set[str]] = {}
        self._bytes = 0
        self._trusted_until = 0.0
        self._sequence = 0
        self._floor = 1
        self._dropped: dict[str, int] = {}

    # Reading

    @property
    def is_live(self) -> bool:
        """Whether every invalidation of the last moments was heard."""
        return self._monotonic() < self._trusted_until

    def get(self, key: str) -> Held | None:
        return self._fresh(self._entries.get(key))

    def at(self, url: str, group: str | None = None) -> Held | None:
        """What people of this group are shown at this canonical URL."""
        return self._fresh(self._by_place.get((url, group)))

    def needs_refresh(self, held: Held) -> bool:
        """Whether it is time to load this entry anew, and nobody does."""
        now = self._clock()
        return now >= held.entry.refresh_at and now >= held.claimed_until

    def claim(self, held: Held) -> bool:
        """Whether the caller is the one to load it anew; everybody else goes on with the old."""
        with self._lock:
            if not self.needs_refresh(held):
                return False
            held.claimed_until = self._clock() + CLAIM_SECONDS
            return True

    def _fresh(self, held: Held | None) -> Held | None:
        if held is None or self._clock() >= held.entry.expires_at or not self.is_live:
            return None
        held.touched = True
        return held

    # Writing

    @property
    def sequence(self) -> int:
        """To be read before a load and handed to `store` after it."""
        return self._sequence

    def store(self, entry: Entry, *, since: int, place: Place | None = None) -> bool:
        """Keep an entry whose load began at `since`; False where that would not be right."""
        if entry.size > self._most_bytes or not self.is_live:
            return False
        with self._lock:
            if since < self._floor or any(self._dropped.get(tag, 0) > since for tag in entry.tags):
                return False
            self._remove(entry.key)
            self._entries[entry.key] = held = Held(entry, place)
            if place is not None:
                self._by_place[place.url, place.group] = held
            for tag in entry.tags:
                self._by_tag.setdefault(tag, set()).add(entry.key)
            self._bytes += entry.size
            self._shrink()
        return True

    def was_dropped(self, tag: str, *, since: int) -> bool:
        """Whether what carries this tag, and whose load began at `since`, is out of date: for what
        a process keeps elsewhere."""
        return since < self._floor or self._dropped.get(tag, 0) > since

    def show_at(self, held: Held, place: Place) -> None:
        """Show an entry that was kept without a place, if it still is there."""
        with self._lock:
            if self._entries.get(held.entry.key) is held:
                held.place, held.route = place, place.route
                self._by_place[place.url, place.group] = held

    def drop(self, tags: Iterable[str]) -> int:
        """Forget what carries one of these tags. Returns how many entries that were."""
        with self._lock:
            self._sequence += 1
            dropped = 0
            for tag in tags:
                self._dropped.pop(tag, None)
                self._dropped[tag] = self._sequence
                for key in tuple(self._by_tag.get(tag, ())):
                    self._remove(key)
                    dropped += 1
            while len(self._dropped) > REMEMBERED_DROPS:
                oldest = next(iter(self._dropped))
                self._floor = max(self._floor, self._dropped.pop(oldest))
            return dropped

    def clear(self) -> None:
        """Forget everything, and refuse what is being loaded: something may have been missed."""
        with self._lock:
            self._sequence += 1
            self._floor = self._sequence
            self._dropped.clear()
            self._entries.clear()
            self._by_place.clear()
            self._by_tag.clear()
            self._bytes = 0

    def trust(self, seconds: float) -> None:
        """The listener heard from Redis just now. With 0: it knows that it hears nothing."""
        self._trusted_until = self._monotonic() + seconds

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        return self._bytes

    def _remove(self, key: str) -> None:
        held = self._entries.pop(key, None)
        if held is None:
            return
        place = held.place
        if place is not None and self._by_place.get((place.url, place.group)) is held:
            del self._by_place[place.url, place.group]
        for tag in held.entry.tags:
            keys = self._by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._by_tag[tag]
        self._bytes -= held.entry.size

    def _shrink(self) -> None:
        while len(self._entries) > self._most_entries or self._bytes > self._most_bytes:
            key, held = next(iter(self._entries.items()))
            if held.touched:
                # A second chance, at the end of the line.
                held.touched = False
                self._entries[key] = self._entries.pop(key)
            else:
                self._remove(key)
