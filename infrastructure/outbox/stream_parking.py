"""Entries of streams that Kafka can never take: marked, where people can see them.

They stay where they are in the stream. A mark beside it, in the same cluster slot, tells relays to
leave them out, and with them what follows of the same key; all other keys go on. An operator takes
the marks of a key away once the reason is gone, or drops the entry and accepts a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
import redis

from infrastructure.outbox.publisher import SHARDS, shard_of
from infrastructure.outbox.streams import Entry, entries_of, stream_key, tag

# A relay that has lost its shard may come late: what is not in the stream any more is not marked.
_MARK = """
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""

_DROP = """
if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
return redis.call('XDEL', KEYS[1], ARGV[1])
"""


class Mark(NamedTuple):
    """Why an entry is parked, and of which key it is."""

    topic: str
    key: str
    reason: str
    parked_at: datetime


class ParkedEntry(NamedTuple):
    """`reason` is empty for an entry that only waits behind another one of its key."""

    shard: int
    entry: Entry
    reason: str

    @property
    def place(self) -> str:
        """What an operator names it by: `07:1767225600000-0`."""
        return f"{self.shard:02d}:{self.entry.entry_id}"


def marks_key(prefix: str, shard: int) -> str:
    return f"{tag(prefix, shard)}:parked"


def park(
    client: redis.Redis, prefix: str, refused: Sequence[tuple[int, Entry, str]], *, now: datetime
) -> None:
    """Mark entries, each given with its shard and the reason. Raises redis.RedisError."""
    pipeline = client.pipeline(transaction=False)
    for shard, entry, reason in refused:
        mark = msgspec.json.encode(Mark(entry.topic, entry.key, reason, now))
        keys = (stream_key(prefix, shard), marks_key(prefix, shard))
        pipeline.eval(_MARK, 2, *keys, entry.entry_id, mark)
    pipeline.execute()


def marks(
    client: redis.Redis, prefix: str, shards: Sequence[int] = range(SHARDS)
) -> dict[int, dict[str, Mark]]:
    """By shard and id, what is marked in these shards; each of them is there. Raises
    redis.RedisError."""
    pipeline = client.pipeline(transaction=False)
    for shard in shards:
        pipeline.hgetall(marks_key(prefix, shard))
    answers = cast("list[dict[str, str]]", pipeline.execute())
    return {
        shard: {entry_id: msgspec.json.decode(mark, type=Mark) for entry_id, mark in answer.items()}
        for shard, answer in zip(shards, answers, strict=True)
    }


def blocked_keys(marked: Mapping[str, Mark]) -> set[tuple[str, str]]:
    """The (topic, key) pairs of which entries are marked."""
    return {(mark.topic, mark.key) for mark in marked.values()}


def parked(client: redis.Redis, prefix: str) -> Iterator[ParkedEntry]:
    """What is marked and what waits behind it, in order. Raises redis.RedisError."""
    for shard, marked in marks(client, prefix).items():
        blocked = blocked_keys(marked)
        for entry in entries_of(client, prefix, shard) if marked else ():
            if (entry.topic, entry.key) in blocked:
                mark = marked.get(entry.entry_id)
                yield ParkedEntry(shard, entry, mark.reason if mark else "")


def release(client: redis.Redis, prefix: str, *, topic: str, key: str) -> int:
    """Let the relay try a key's entries again, in their order. Returns how many were marked."""
    shard = shard_of(key)
    marked = marks(client, prefix, [shard])[shard]
    ids = [entry_id for entry_id, mark in marked.items() if (mark.topic, mark.key) == (topic, key)]
    return client.hdel(marks_key(prefix, shard), *ids) if ids else 0


def drop(client: redis.Redis, prefix: str, *, place: str) -> bool:
    """Delete a marked entry for good: consumers will see a gap. What waited behind it goes on."""
    shard, _, entry_id = place.partition(":")
    if not shard.isdecimal() or not entry_id:
        return False
    keys = (stream_key(prefix, int(shard)), marks_key(prefix, int(shard)))
    return bool(client.eval(_DROP, 2, *keys, entry_id))


def all_parked(
    outboxes: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, ParkedEntry]]:
    """(prefix, entry) of the streams of settings.STREAM_OUTBOXES. Raises redis.RedisError."""
    for prefix, known in outboxes.items():
        with redis.Redis.from_url(known["url"], decode_responses=True) as client:
            for found in parked(client, prefix):
                yield prefix, found


def length(outboxes: Mapping[str, Mapping[str, Any]]) -> int:
    """How many entries wait for a relay: parked ones do not. Raises redis.RedisError."""
    total = 0
    for prefix, known in outboxes.items():
        with redis.Redis.from_url(known["url"], decode_responses=True) as client:
            total -= sum(1 for _ in parked(client, prefix))
            for shard in range(SHARDS):
                total += cast("int", client.xlen(stream_key(prefix, shard)))
    return total
