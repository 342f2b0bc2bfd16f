"""The same circuit for all replicas: one hash in Redis, changed by one script on Redis's clock.

While Redis does not answer, each process goes by what it sees itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.cache.breaker import Breaker
from infrastructure.resilience.states import LocalState, Policy, Seen

log = structlog.get_logger(__name__)

T = TypeVar("T")

REST_SECONDS = 1.0

# ARGV: what is done, the turn ('' for none), then the policy in milliseconds. Answers
# {milliseconds to wait, whether the turn was given, failures in a row}. As LocalState, word for
# word; a hash nobody needs any more expires.
_SCRIPT = """
local key, act, turn = KEYS[1], ARGV[1], ARGV[2]
local limit, within, rest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local longest, probe = tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', key, 'failures', 'failed_at', 'openings', 'until', 'turn',
    'turn_until')
local failures, openings = tonumber(known[1] or 0), tonumber(known[3] or 0)
if now - tonumber(known[2] or 0) >= within then failures = 0 end
local open_until = tonumber(known[4] or 0)
local has_turn = turn ~= '' and known[5] == turn

local function open()
    openings = openings + 1
    local pause = math.min(rest * 2 ^ math.min(openings - 1, 16), longest)
    redis.call('HSET', key, 'openings', openings, 'until', string.format('%.0f', now + pause),
        'failures', 0, 'failed_at', 0)
    redis.call('HDEL', key, 'turn', 'turn_until')
    redis.call('PEXPIRE', key, math.floor(pause + within + probe))
    return {math.ceil(pause), 0, 0}
end

if act == 'look' then
    if openings == 0 then return {0, 0, failures} end
    if open_until > now then return {open_until - now, 0, 0} end
    if known[5] and tonumber(known[6]) > now then return {tonumber(known[6]) - now, 0, 0} end
    if turn == '' then return {0, 0, 0} end
    redis.call('HSET', key, 'turn', turn, 'turn_until', string.format('%.0f', now + probe))
    redis.call('PEXPIRE', key, math.floor(within + probe))
    return {0, 1, 0}
elseif act == 'failed' then
    if openings > 0 then
        if has_turn then return open() end
        return {math.max(open_until - now, 1), 0, 0}
    end
    failures = failures + 1
    if failures >= limit then return open() end
    redis.call('HSET', key, 'failures', failures, 'failed_at', string.format('%.0f', now))
    redis.call('PEXPIRE', key, math.floor(within))
    return {0, 0, failures}
elseif act == 'succeeded' then
    if openings > 0 and not has_turn then return {math.max(open_until - now, 1), 0, 0} end
    redis.call('DEL', key)
elseif act == 'give_up' and has_turn then
    redis.call('HDEL', key, 'turn', 'turn_until')
end
return {0, 0, 0}
"""
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


class SharedState:
    """Redis gets `timeout_s` for an answer; after it failed it is left alone for a second."""

    def __init__(
        self, name: str, policy: Policy, *, url: str, prefix: str, timeout_s: float
    ) -> None:
        self._name = name
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._key = f"{prefix}:circuit:{name}"
        self._arguments = [
            policy.failures,
            *(
                int(seconds * 1000)
                for seconds in (
                    policy.within_s,
                    policy.rest_s,
                    policy.longest_rest_s,
                    policy.probe_s,
                )
            ),
        ]
        self._alone = LocalState(policy)
        self._breaker = Breaker(rest_s=REST_SECONDS)

    def look(self, *, turn: str | None) -> Seen:
        return self._seen("look", turn, lambda: self._alone.look(turn=turn))

    def failed(self, *, turn: str | None) -> Seen:
        return self._seen("failed", turn, lambda: self._alone.failed(turn=turn))

    def succeeded(self, *, turn: str | None) -> Seen:
        alone = self._alone.succeeded(turn=turn)
        return self._seen("succeeded", turn, lambda: alone)

    def give_up(self, *, turn: str) -> None:
        self._alone.give_up(turn=turn)
        self._seen("give_up", turn, Seen)

    def _seen(self, act: str, turn: str | None, alone: Callable[[], Seen]) -> Seen:
        def ask() -> Seen:
            arguments: list[Any] = [self._key, act, turn or "", *self._arguments]
            try:
                wait_ms, given, failures = self._redis.evalsha(_SHA, 1, *arguments)
            except redis.exceptions.NoScriptError:
                wait_ms, given, failures = self._redis.eval(_SCRIPT, 1, *arguments)
            return Seen(wait_s=wait_ms / 1000, is_probe=bool(given), failures=int(failures))

        return self._guarded(ask, alone)

    def _guarded(self, ask: Callable[[], T], alone: Callable[[], T]) -> T:
        if not self._breaker.allows():
            return alone()
        try:
            answer = ask()
        except redis.RedisError as error:
            if self._breaker.failed():
                log.warning("circuit_alone", circuit=self._name, reason=type(error).__name__)
            return alone()
        if self._breaker.is_open:
            # Seen by this process while it was alone, and out of date from now on.
            self._alone.forget()
        self._breaker.succeeded()
        return answer
