"""The second tier: entries in Redis, shared by all replicas.

Tags are versioned by one counter. An invalidation counts it up and gives the new number to its
tags; an entry carries the number that was read before its load, and is valid while none of its tags
has a greater one. So an entry can be stored at any time, however stale: nobody will believe it.

The numbers of the tags are one sorted set, a single key: evicted or lost, all of it is gone, and
with it the belief in every entry. Counting starts at the time in microseconds, so that no number
comes twice. Only the most recently invalidated tags are remembered; `#floor` is the number of the
last one forgotten, and older entries are not believed.

Keys are safe for a cluster: an entry and its lock share a slot, each script stays within one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.retry import Retry

from infrastructure.cache import entries
from infrastructure.cache.breaker import Breaker
from infrastructure.cache.entries import Entry

log = structlog.get_logger(__name__)

REMEMBERED_TAGS = 20_000
# A message of the channel, and a run of the script, never grow beyond this.
TAGS_AT_ONCE = 500
LOCK_SECONDS = 5.0
REST_SECONDS = 1.0

_SEQUENCE, _FLOOR = "#sequence", "#floor"

# The page if there is one that was loaded after ARGV[1]; else 1 if the caller got the lock, or 0.
_TAKE = """
local at = redis.call('HGET', KEYS[1], 'at')
if at and tonumber(at) > tonumber(ARGV[1]) then return redis.call('HGET', KEYS[1], 'entry') end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
return 0
"""
_STORE = """
local at = redis.call('HGET', KEYS[1], 'at')
if not at or tonumber(at) <= tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], 'at', ARGV[2], 'entry', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
_START = """
local known = redis.call('ZSCORE', KEYS[1], '#sequence')
if known then return string.format('%.0f', -tonumber(known)) end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('ZADD', KEYS[1], '-' .. now, '#sequence', '-' .. now, '#floor')
return now
"""
# The special members have negative scores, so they are the first two and never the oldest tags.
_INVALIDATE = """
local known = redis.call('ZSCORE', KEYS[1], '#sequence')
local sequence
if known then
    sequence = -tonumber(known) + 1
else
    local time = redis.call('TIME')
    sequence = time[1] * 1000000 + time[2]
    redis.call('ZADD', KEYS[1], string.format('-%.0f', sequence), '#floor')
end
local score = string.format('%.0f', sequence)
redis.call('ZADD', KEYS[1], '-' .. score, '#sequence')
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], score, ARGV[i]) end
local over = redis.call('ZCARD', KEYS[1]) - 2 - tonumber(ARGV[2])
if over > 0 then
    local last = redis.call('ZRANGE', KEYS[1], over + 1, over + 1, 'WITHSCORES')
    redis.call('ZADD', KEYS[1], string.format('-%.0f', last[2]), '#floor')
    redis.call('ZREMRANGEBYRANK', KEYS[1], 2, over + 1)
end
redis.call('PUBLISH', ARGV[1], ARGV[3])
return score
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What Redis had to say about a key.

    entry: a valid one, or None. is_ours: the caller holds the lock and is the one to load.
    mark: the state of the tags, to be stored with what is loaded now; None: Redis is away.
    """

    entry: Entry | None = None
    is_ours: bool = False
    mark: int | None = None


class SharedCache:
    """Redis gets `timeout_s` for an answer; after it failed it is left alone for a second."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        timeout_s: float,
        most_tags: int = REMEMBERED_TAGS,
        breaker: Breaker | None = None,
    ) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._prefix = prefix
        self._tags = f"{prefix}:{{tags}}"
        self.channel = f"{prefix}:invalidated"
        self.on_failure: Callable[[], None] = lambda: None
        self._most_tags = most_tags
        self._distrusted_before = 0.0
        self._breaker = breaker or Breaker(rest_s=REST_SECONDS)
        self._take = self._redis.register_script(_TAKE)
        self._store = self._redis.register_script(_STORE)
        self._release = self._redis.register_script(_RELEASE)
        self._start = self._redis.register_script(_START)
        self._invalidate = self._redis.register_script(_INVALIDATE)

    @property
    def is_away(self) -> bool:
        return self._breaker.is_open

    def take(self, key: str, token: str, *, loaded_after: float = 0.0) -> Taken:
        """The valid entry of a key, or the lock to load it, or the word that somebody else does.

        loaded_after: what was loaded at this instant, or before, does not count.
        """
        if not self._breaker.allows():
            return Taken()
        keys = self._keys(key)
        with self._guarded():
            mark, found = self._ask(keys, loaded_after, token)
            entry = entries.from_bytes(found) if isinstance(found, bytes) else None
            if entry is not None and entry.key == key and self._is_valid(entry):
                return Taken(entry=entry, mark=mark)
            if isinstance(found, bytes):
                # An invalidated one: the same question again, as if it were not there.
                loaded_at = time.time() if entry is None else entry.loaded_at
                mark, found = self._ask(keys, max(loaded_at, loaded_after), token)
            return Taken(is_ours=found == 1, mark=mark)
        return Taken()

    def store(self, entry: Entry, token: str, *, now: float) -> None:
        """Keep an entry for all replicas until it expires, and give back the lock."""
        milliseconds = int((entry.expires_at - now) * 1000)
        if entry.mark is None or milliseconds <= 0 or not self._breaker.allows():
            self.release(entry.key, token)
            return
        with self._guarded():
            self._store(
                keys=self._keys(entry.key),
                args=[token, repr(entry.loaded_at), entries.to_bytes(entry), milliseconds],
            )

    def release(self, key: str, token: str) -> None:
        if self._breaker.allows():
            with self._guarded():
                self._release(keys=[self._keys(key)[1]], args=[token])

    def invalidate(self, tags: Iterable[str], message: Any) -> None:
        """Make entries with these tags unbelievable, and tell every replica.

        message: from the tags of one message to its bytes. Raises redis.RedisError.
        """
        rest = iter(tags)
        while some := list(islice(rest, TAGS_AT_ONCE)):
            try:
                self._invalidate(
                    keys=[self._tags], args=[self.channel, self._most_tags, message(some), *some]
                )
            except redis.RedisError as error:
                self._failed(error)
                raise
            self._breaker.succeeded()

    def distrust(self, *, before: float) -> None:
        """Believe no entry that was loaded before this instant."""
        self._distrusted_before = before

    def connection(self) -> ConnectionInterface:
        """A connection of its own, for the listener."""
        return self._redis.connection_pool.make_connection()

    def _ask(self, keys: Sequence[str], loaded_after: float, token: str) -> tuple[int, Any]:
        """The number of the tags now, and the answer of the script, in one round trip."""
        arguments = [*keys, repr(loaded_after), token, str(int(LOCK_SECONDS * 1000))]
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zscore(self._tags, _SEQUENCE)
        pipeline.evalsha(self._take.sha, 2, *arguments)
        score, found = pipeline.execute(raise_on_error=False)
        if isinstance(found, redis.exceptions.NoScriptError):
            found = self._redis.eval(_TAKE, 2, *arguments)
        for answer in (score, found):
            if isinstance(answer, redis.RedisError):
                raise answer
        return int(self._start(keys=[self._tags])) if score is None else -int(score), found

    def _is_valid(self, entry: Entry) -> bool:
        if entry.mark is None or entry.loaded_at < self._distrusted_before:
            return False
        floor, *numbers = self._redis.zmscore(self._tags, [_FLOOR, *entry.tags])
        if floor is None or -floor > entry.mark:
            return False
        return all(number is None or number <= entry.mark for number in numbers)

    def _keys(self, key: str) -> Sequence[str]:
        hashed = blake2b(key.encode(), digest_size=16).hexdigest()
        return f"{self._prefix}:{{{hashed}}}:page", f"{self._prefix}:{{{hashed}}}:lock"

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whoever reads goes on without Redis when it fails."""
        try:
            yield
        except redis.RedisError as error:
            self._failed(error)
        else:
            self._breaker.succeeded()

    def _failed(self, error: redis.RedisError) -> None:
        self.on_failure()
        if self._breaker.failed():
            log.warning("shared_cache_away", reason=type(error).__name__, seconds=REST_SECONDS)
