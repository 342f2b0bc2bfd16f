"""Rate limits: one budget per caller and policy, shared by all replicas, exact to the request.

The algorithm is GCRA: a policy of 600/min lets 600 requests through at once and then one every
100 ms. Its state is one number per key, the time at which the budget will be full again, kept in
Redis and changed by one script that uses Redis's own clock.

Redis down means no limits rather than no shop, except for the policies in RATE_LIMITS_FALL_BACK
(sign-in and the like), which are then counted per process.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from math import ceil
from typing import Any

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.auth.actor import Actor
from infrastructure.http.errors import RateLimited
from infrastructure.http.policies import Policy
from infrastructure.http.requests import client_ip
from infrastructure.observability.metrics import rate_limit_decision

log = structlog.get_logger(__name__)

TIMEOUT_S = 0.05
BREAKER_S = 5.0


# Answers, per key: what is left, until full and until one fits (both in microseconds). All the
# budgets are charged, or none. As one text, which takes the client a third of the time of lists.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, full = {}, {}
local fits = true
for i, key in ipairs(KEYS) do
    local interval, limit = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local before = math.max(tonumber(redis.call('GET', key) or 0), now)
    local spare = now + interval * limit - before - interval
    if spare < 0 then fits = false end
    full[i] = before + interval
    answer[i] = {math.max(math.floor(spare / interval), 0), before - now, math.max(-spare, 0)}
end
if fits then
    for i, key in ipairs(KEYS) do
        local wait = full[i] - now
        redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil(wait / 1000))
        answer[i][2] = wait
    end
end
for i, parts in ipairs(answer) do
    answer[i] = string.format('%.0f %.0f %.0f', parts[1], parts[2], parts[3])
end
return table.concat(answer, ',')
"""


_SCRIPT_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Decision:
    """remaining: what is left of the budget; reset_s: until it is full again; retry_after_s: until
    one more request fits, 0 if this one did."""

    policy: Policy
    remaining: int
    reset_s: int
    retry_after_s: int

    @property
    def allowed(self) -> bool:
        return self.retry_after_s == 0

    @property
    def headers(self) -> dict[str, str]:
        headers = {
            "RateLimit-Policy": self.policy.header,
            "RateLimit": f'"{self.policy.name}";r={self.remaining};t={self.reset_s}',
        }
        if self.retry_after_s:
            headers["Retry-After"] = str(self.retry_after_s)
        return headers


def policy_named(name: str) -> Policy | None:
    """A policy of settings.RATE_LIMITS; None where the installation has switched it off."""
    return _policy(name, settings.RATE_LIMITS[name])


@lru_cache(maxsize=256)
def _policy(name: str, text: str | None) -> Policy | None:
    return None if text is None else Policy.written(name, text)


def identity_of(actor: Actor | None, meta: Mapping[str, Any]) -> str:
    """Whose budget a request is charged to: the caller's, or that of the caller's address.

    meta: of the WSGI request.
    """
    if actor is not None:
        return f"actor:{actor.id}"
    return _identity_of(client_ip(meta))


@lru_cache(maxsize=4096)
def _identity_of(address: IPv4Address | IPv6Address | None) -> str:
    if isinstance(address, IPv6Address):
        # A subscriber owns a /64 at least, so single addresses in it are free to change.
        return f"ip:{ip_network((address, 64), strict=False)}"
    return f"ip:{address}"


def charge(identity: str, *names: str) -> Decision | None:
    """Charge one request to each of the policies, or to none if one of them is used up.

    Returns the decision of the tightest policy; None where nothing is limited, or Redis is down.
    Raises RateLimited (429) with the headers that say when to come back.
    """
    policies = [policy for name in names if (policy := policy_named(name)) is not None]
    if not policies:
        return None
    decision = _limiter().charge(identity, policies)
    if decision is not None and not decision.allowed:
        raise refusal(decision)
    return decision


def refusal(decision: Decision) -> RateLimited:
    return RateLimited(
        f"At most {decision.policy.limit} requests in {decision.policy.window_s} s.",
        headers=decision.headers,
    )


class RedisLimiter:
    """The shared limiter. Redis gets 50 ms; after it failed it is left alone for 5 s."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._thread = threading.local()
        self._clock = clock
        self._open_until = 0.0
        self._local = LocalLimiter(clock=clock)

    def charge(self, identity: str, policies: Sequence[Policy]) -> Decision | None:
        if self._clock() >= self._open_until:
            try:
                decision = self._charge(identity, policies)
            except redis.RedisError as error:
                self._open_until = self._clock() + BREAKER_S
                log.error("rate_limits_off", reason=type(error).__name__, seconds=BREAKER_S)
            else:
                _count(decision)
                return decision
        kept = [policy for policy in policies if policy.name in settings.RATE_LIMITS_FALL_BACK]
        if not kept:
            rate_limit_decision(policies[0].name, "unchecked")
            return None
        decision = self._local.charge(identity, kept)
        _count(decision)
        return decision

    def _charge(self, identity: str, policies: Sequence[Policy]) -> Decision:
        told = self._run(identity, tuple(policies))
        answers = [[int(number) for number in one.split()] for one in told.split(b",")]
        return _tightest(policies, answers)

    def _run(self, identity: str, policies: tuple[Policy, ...]) -> Any:
        """The script, on this thread's own connection: every request of the API waits for this,
        and the client's pool and retries would double what it costs."""
        connection = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = self._pool.make_connection()
        try:
            try:
                return _ask(connection, _question(identity, policies, "EVALSHA", _SCRIPT_SHA))
            except redis.exceptions.NoScriptError:
                return _ask(connection, _question(identity, policies, "EVAL", _SCRIPT))
        except redis.RedisError:
            connection.disconnect()
            raise


class LocalLimiter:
    """The same limits, counted in this process only."""

    MOST_KEYS = 10_000

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[tuple[str, str], int] = {}

    def charge(self, identity: str, policies: Sequence[Policy]) -> Decision:
        with self._lock:
            now = int(self._clock() * 1_000_000)
            if len(self._full_at) >= self.MOST_KEYS:
                self._full_at = {k: at for k, at in self._full_at.items() if at > now}
            befores = [max(self._full_at.get((identity, p.name), 0), now) for p in policies]
            spares = [
                now + policy.interval_us * (policy.limit - 1) - before
                for policy, before in zip(policies, befores, strict=True)
            ]
            fits = min(spares) >= 0
            answers = []
            for policy, before, spare in zip(policies, befores, spares, strict=True):
                full = before + policy.interval_us if fits else before
                self._full_at[identity, policy.name] = full
                remaining = max(spare // policy.interval_us, 0)
                answers.append((remaining, full - now, max(-spare, 0)))
        return _tightest(policies, answers)


def _ask(connection: Any, question: bytes) -> Any:
    connection.send_packed_command([question], check_health=False)
    return connection.read_response()


@lru_cache(maxsize=4096)
def _question(identity: str, policies: tuple[Policy, ...], *script: str) -> bytes:
    """The command in Redis's protocol: the same for all requests of one caller."""
    # Identities can be personal (an address), so keys carry a hash; the braces keep all keys
    # of one identity in one slot of a Redis cluster.
    hashed = hashlib.sha256(identity.encode()).hexdigest()[:32]
    keys = [f"rl:{{{hashed}}}:{policy.name}" for policy in policies]
    numbers = [str(n) for policy in policies for n in (policy.interval_us, policy.limit)]
    words = [word.encode() for word in (*script, str(len(keys)), *keys, *numbers)]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def _tightest(policies: Sequence[Policy], answers: Sequence[Sequence[int]]) -> Decision:
    position = max(range(len(policies)), key=lambda i: (answers[i][2], -answers[i][0]))
    remaining, full_us, wait_us = answers[position]
    return Decision(
        policies[position],
        remaining=int(remaining),
        reset_s=ceil(full_us / 1_000_000),
        retry_after_s=ceil(wait_us / 1_000_000),
    )


def _count(decision: Decision) -> None:
    rate_limit_decision(decision.policy.name, "allowed" if decision.allowed else "refused")


@cache
def _limiter() -> RedisLimiter:
    return RedisLimiter(settings.REDIS_CACHE_URL)
