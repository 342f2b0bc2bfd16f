from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.conf import settings

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.layout import ROOT, Layout
from devstack.ports import RememberedPorts
from devstack.valkey import Valkey
from infrastructure.cache.tiers import Cache
from tests.support.caches import new_cache

MakeCache = Callable[..., Cache]


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex}"


@pytest.fixture
def make_cache(prefix: str) -> Iterator[MakeCache]:
    """One call per process that the test pretends to have; all of them share one Redis."""
    made: list[Cache] = []

    def make(url: str | None = None, **options: object) -> Cache:
        cache = new_cache(url or settings.REDIS_CACHE_URL, prefix, **options)  # type: ignore[arg-type]
        made.append(cache)
        return cache

    yield make
    for cache in made:
        cache.listener.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server of our own, which may be killed. Tests leave it running."""
    folder = tmp_path_factory.mktemp("valkey")
    layout = Layout(local=folder, shared=ROOT / ".local")
    ports = RememberedPorts(layout.ports)
    server = Valkey(layout, ports["redis"], Credentials(layout.credentials))
    layout.log("redis").parent.mkdir(parents=True, exist_ok=True)
    with (folder / "start.log").open("w") as log:
        server.prepare(Console(log))
    server.start()
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()
