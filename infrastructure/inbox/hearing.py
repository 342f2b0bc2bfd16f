"""From where on each handler hears each event: which marks may be expected, and which not.

A group has one place in a partition, whatever handlers it has. A handler that joins it hears what
comes after that place, and nothing of what the group has handled without it. So when a group begins
with a partition it writes its place down for every handler that is new there, and ends what it had
written for those that are gone: a handler that comes back begins again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum, auto

import msgspec
from django.db import connections

from infrastructure.events.subscriptions import subscriptions_of


class Heard(msgspec.Struct, frozen=True):
    """A handler, and an event that it listens to, by its name."""

    handler: str
    event: str
    topic: str


def heard_by(context: str) -> list[Heard]:
    """What the handlers of a context listen to."""
    return [
        Heard(one.label, one.event_class.name, one.event_class.topic)
        for one in subscriptions_of(context)
    ]


class Place(msgspec.Struct, frozen=True):
    """Of the message that a group takes next from a partition."""

    topic: str
    partition: int
    offset: int


class Promise(Enum):
    """MADE: the handler is to have this event. NONE: it went by while the handler did not listen.
    OPEN: nobody has begun to hear it for the handler, yet or any more."""

    MADE = auto()
    NONE = auto()
    OPEN = auto()


_BEGIN = """
WITH place AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json) AS p(topic text, partition int, "offset" bigint)
), heard AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json) AS h(handler text, event text, topic text)
), ended AS (
    UPDATE platform_heardrange r SET end_offset = p."offset"
    FROM place p
    WHERE r.topic = p.topic AND r.partition = p.partition AND r.end_offset IS NULL
        AND split_part(r.handler, '.', 1) = %s
        AND (r.handler, r.event, r.topic) NOT IN (SELECT handler, event, topic FROM heard)
)
INSERT INTO platform_heardrange (handler, event, topic, partition, first_offset)
SELECT h.handler, h.event, p.topic, p.partition, p."offset"
FROM place p JOIN heard h ON h.topic = p.topic
WHERE NOT EXISTS (
    SELECT 1 FROM platform_heardrange r
    WHERE (r.handler, r.event, r.topic, r.partition)
            = (h.handler, h.event, p.topic, p.partition)
        AND r.end_offset IS NULL AND r.first_offset <= p."offset"
)
ON CONFLICT (handler, event, topic, partition, first_offset) DO UPDATE SET end_offset = NULL
"""


def begin(alias: str, context: str, *, heard: Iterable[Heard], places: Iterable[Place]) -> None:
    """A group begins with these partitions at these places. heard: by all handlers of its context.

    Repeatable. What a handler hears already it goes on hearing from where it began; a place before
    that lets it hear more.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute(_BEGIN, [_json(places), _json(heard), context])


class Promises:
    """What the handlers of some databases hear, as it was written down when this was read."""

    def __init__(self, among: Iterable[str]) -> None:
        ranges: dict[tuple[str, str, str, int], list[tuple[int, int | None]]] = defaultdict(list)
        for alias in among:
            with connections[alias].cursor() as cursor:
                cursor.execute(
                    "SELECT handler, event, topic, partition, first_offset, end_offset"
                    " FROM platform_heardrange"
                )
                for handler, event, topic, partition, first, end in cursor.fetchall():
                    ranges[handler, event, topic, partition].append((first, end))
        self._ranges = dict(ranges)
        self._begun = {key[:3] for key in ranges}

    def has_begun(self, heard: Heard) -> bool:
        """Whether the handler has ever begun to hear the event, in any partition."""
        return (heard.handler, heard.event, heard.topic) in self._begun

    def about(self, heard: Heard, place: Place) -> Promise:
        """Whether the handler is to have the event of that name at that place."""
        key = (heard.handler, heard.event, heard.topic, place.partition)
        ranges = self._ranges.get(key, ())
        if any(
            first <= place.offset and (end is None or place.offset < end) for first, end in ranges
        ):
            return Promise.MADE
        if any(place.offset < first for first, _ in ranges):
            return Promise.NONE
        return Promise.OPEN


def _json(rows: Iterable[Heard | Place]) -> str:
    return msgspec.json.encode(list(rows)).decode()
