"""Several processes with one cache, each with threads of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from tests.integration.infrastructure.cache.conftest import MakeCache
from tests.support.caches import invalidate


@pytest.fixture
def client(prefix: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_CACHE_URL, decode_responses=True) as client:
        client.set(f"{prefix}:value", 7, ex=300)
        yield client
        client.delete(*[f"{prefix}:{name}" for name in ("value", "loads", "here")])


def start(prefix: str, *what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.caches_process", settings.REDIS_CACHE_URL]
    return subprocess.Popen([*command, prefix, *what], stdout=subprocess.PIPE, text=True)


def test_a_thousand_readers_who_all_miss_cause_one_load(client: redis.Redis, prefix: str) -> None:
    children = [start(prefix, "stampede", "500") for _ in range(2)]
    said = [child.communicate(timeout=200)[0] for child in children]
    assert said == ["seen 500 7\n"] * 2
    assert client.get(f"{prefix}:loads") == "1"


def test_other_processes_show_the_new_value_once_it_is_said_that_it_changed(
    client: redis.Redis, prefix: str, make_cache: MakeCache
) -> None:
    children = [start(prefix, "watch") for _ in range(2)]
    try:
        assert [_line(child) for child in children] == ["seen 7"] * 2
        client.set(f"{prefix}:value", 8)
        invalidate(make_cache(), ["things"])
        assert [_line(child) for child in children] == ["seen 8"] * 2
        assert [child.wait(120) for child in children] == [0, 0]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert client.get(f"{prefix}:loads") == "2"


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()
