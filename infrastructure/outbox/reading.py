"""Where the relay reads on, so that no event is lost and none overtakes an older one of its key.

Ids rise within a key in the order of the commits, but across keys a row may become visible long
after rows with higher ids. Two things follow.

Every read begins at a floor and takes the rows in the order of their ids, leaving out those in
flight. When a row of a key is visible, so are all older rows of that key: each was committed before
the next could be written. So a row comes after every older one of its key, in this read or before
it, provided that no row below the floor is still to come.

The floor rises only past ids that are settled. Whoever inserts into the outbox locks the table
against changes of its structure before drawing an id, and until the transaction ends. Once all who
held such a lock at some moment are gone, nothing new can appear at or below the highest id that was
known at that moment; one more read takes what is there, and the floor is lifted to it.

A floor is needed at all because deleted rows lie at the table's start until they are vacuumed,
which a long-running reader elsewhere prevents. A long transaction that has itself written events
holds the floor down: reads then walk over the rows published since, but wait for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# How often to ask who is writing. The floor lags behind by what is read in twice this time.
LOOK_SECONDS = 0.02

# No row should ever appear below the floor. Should one do so, it is found this much later.
REWIND_SECONDS = 60.0

WRITERS = """
SELECT virtualtransaction FROM pg_locks
 WHERE locktype = 'relation' AND relation = 'platform_outboxmessage'::regclass
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND mode = 'RowExclusiveLock' AND granted
"""


class Reader:
    """Keeps the floor. For each read: `floor(writers)`, read from there, then `read(...)`."""

    def __init__(self) -> None:
        self._floor = 0
        self._head = 0  # the highest id read
        self._settled = 0  # nothing new will appear at or below this id
        self._mark = 0  # what will be settled when the writers are gone
        self._writers: frozenset[str] = frozenset()  # those who ran when the mark was set
        self._next_look = 0.0
        self._next_rewind = time.monotonic() + REWIND_SECONDS

    def rewind(self) -> None:
        """Begin again at the start of the table, since rows below the floor were not sent."""
        self._floor = 0
        self._next_rewind = time.monotonic() + REWIND_SECONDS

    def floor(self, writers: Callable[[], frozenset[str]]) -> int:
        """The id to read after. `writers` tells which transactions write to the outbox now."""
        now = time.monotonic()
        if now >= self._next_rewind:
            self.rewind()
        elif self._floor < self._head and now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look(writers())
        return self._floor

    def _look(self, running: frozenset[str]) -> None:
        if self._writers & running:
            return
        self._settled = self._mark
        self._mark, self._writers = self._head, running
        if not running:
            self._settled = self._mark

    def read(self, last_id: int, *, full: bool) -> None:
        """All that is visible was read, or with a full batch, all up to `last_id`."""
        self._head = max(self._head, last_id)
        complete = last_id if full else self._head
        self._floor = max(self._floor, min(self._settled, complete))
