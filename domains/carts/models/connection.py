"""The connection to the carts' Redis, and what it must be able to promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha1
from typing import Any, cast

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from domains.carts.errors import CartNotDurable, CartsUnavailable

log = structlog.get_logger(__name__)

# How long a change may take to reach the replicas.
DURABLE_MS = 200


class Scripts:
    """Runs scripts over a pool of connections. A command is sent once: whether one that was not
    answered was carried out, only its caller can find out.

    replicas: how many must have a change on their disks before it is answered.
    """

    def __init__(self, url: str, *, replicas: int, timeout_s: float) -> None:
        self._replicas = replicas
        self.client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    def read(self, script: str, keys: Sequence[str], given: bytes) -> list[Any]:
        """Raises CartsUnavailable."""
        return self._run(script, keys, given, wait=False)

    def write(self, script: str, keys: Sequence[str], given: bytes) -> list[Any]:
        """Raises CartsUnavailable, CartNotDurable: in both cases it may have been carried out."""
        return self._run(script, keys, given, wait=self._replicas > 0)

    def get(self, key: str) -> str | None:
        """Raises CartsUnavailable."""
        try:
            return cast("str | None", self.client.get(key))
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def all_of(self, key: str) -> dict[str, str]:
        """The fields of a hash. Raises CartsUnavailable."""
        try:
            return cast("dict[str, str]", self.client.hgetall(key))
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def keys_like(self, pattern: str) -> Iterator[str]:
        """Keys, while others may come and go; none is remembered, so one may come twice while the
        server makes room for more. Raises CartsUnavailable."""
        try:
            yield from self.client.scan_iter(match=pattern, count=1000)
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def field_of(self, keys: Sequence[str], field: str) -> list[str | None]:
        """One field of many hashes. Raises CartsUnavailable."""
        pipeline = self.client.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(key, field)
        try:
            return cast("list[str | None]", pipeline.execute())
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def first_of(self, key: str, latest: str, at_most: int) -> list[tuple[str, float]]:
        """Members of a sorted set up to a score, with theirs. Raises CartsUnavailable."""
        try:
            return cast(
                "list[tuple[str, float]]",
                self.client.zrangebyscore(key, "-inf", latest, 0, at_most, withscores=True),
            )
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def move_on(self, members: Sequence[tuple[str, str]], score: int) -> None:
        """Give members of sorted sets, by their keys, another score; those that are in them still.
        Raises CartsUnavailable."""
        pipeline = self.client.pipeline(transaction=False)
        for key, member in members:
            pipeline.zadd(key, {member: score}, xx=True)
        try:
            pipeline.execute()
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def _run(self, script: str, keys: Sequence[str], given: bytes, *, wait: bool) -> list[Any]:
        try:
            try:
                return self._send("EVALSHA", _sha(script), keys, given, wait)
            except redis.exceptions.NoScriptError:
                return self._send("EVAL", script, keys, given, wait)
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error

    def _send(
        self, command: str, script: str, keys: Sequence[str], given: bytes, wait: bool
    ) -> list[Any]:
        words = [command, script, str(len(keys)), *keys, given]
        if not wait:
            return cast("list[Any]", self.client.execute_command(*words))
        # One after the other on one connection: it waits for what this connection wrote.
        pipeline = self.client.pipeline(transaction=False)
        pipeline.execute_command(*words)
        pipeline.execute_command("WAITAOF", 1, self._replicas, DURABLE_MS)
        answer, reached = pipeline.execute(raise_on_error=False)
        for came in (answer, reached):
            if isinstance(came, Exception):
                raise came
        local, replicas = reached
        if int(local) < 1 or int(replicas) < self._replicas:
            raise CartNotDurable
        return cast("list[Any]", answer)


@cache
def _sha(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def connect() -> Scripts:
    return Scripts(
        settings.REDIS_CARTS_URL,
        replicas=settings.CARTS_REPLICAS,
        timeout_s=settings.CARTS_TIMEOUT_SECONDS,
    )


@cache
def scripts() -> Scripts:
    """Raises CartsUnavailable where, in production, the server would forget what it was told."""
    made = connect()
    if settings.ENVIRONMENT == "production":
        try:
            found = faults(made.client)
        except redis.RedisError as error:
            raise CartsUnavailable(type(error).__name__) from error
        if found:
            log.critical("carts_would_be_lost", faults=found)
            raise CartsUnavailable
    return made


def faults(client: redis.Redis) -> list[str]:
    """Why a server must not be trusted with carts: a sentence each, none if it may be.

    Raises redis.RedisError where it cannot be asked.
    """
    # A service that hides its configuration tells some of it in INFO.
    persistence, memory = _info(client, "persistence"), _info(client, "memory")
    found = []
    if not int(persistence.get("aof_enabled", 0)):
        found.append("appendonly is off: what was acknowledged is lost when it is killed")
    elif _asked(client, "appendfsync") not in ("always", None):
        found.append("appendfsync is not `always`: the last second is lost when it is killed")
    if memory.get("maxmemory_policy") != "noeviction":
        found.append("maxmemory-policy is not `noeviction`: carts are thrown away when it is full")
    return found


def _info(client: redis.Redis, section: str) -> dict[str, Any]:
    found: dict[str, Any] = client.info(section)
    return found


def _asked(client: redis.Redis, name: str) -> str | None:
    """A setting of the server, or None where it does not tell."""
    try:
        found = cast("dict[str, str]", client.config_get(name))
    except redis.exceptions.ResponseError:
        return None
    return found.get(name)
