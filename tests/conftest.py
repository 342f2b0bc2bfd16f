from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from xdist.scheduler import LoadScopeScheduling

from config.contexts import CONTEXTS
from domains.pricing.queries import terms
from infrastructure.cache import listener
from infrastructure.database.contexts import aliases
from infrastructure.http import limits
from infrastructure.kafka import reader, topics
from tests.support.sql import watch
from tests.support.stack.shop import Shop

# Rules are tried on so many examples, unless a test says how many; how long one takes, or is made
# up, says nothing on a busy machine.
hypothesis.register_profile(
    "quick", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis.register_profile("thorough", hypothesis.get_profile("quick"), max_examples=3000)
hypothesis.load_profile("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every database test may use every database: which contexts share one is a matter of
    deployment."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker is not None:
            everywhere = {"databases": "__all__"} | marker.kwargs
            item.add_marker(pytest.mark.django_db(*marker.args, **everywhere), append=False)


class OneShop(LoadScopeScheduling):
    """Tests of a running shop share one, so they run in one process, one after the other; so do
    those of the API's description, which takes seconds to make."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(("tests/e2e/", "tests/faults/")):
            return "shop"
        path = nodeid.partition("::")[0]
        return path if path == "tests/contracts/test_openapi.py" else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneShop:
    return OneShop(config, log)


@pytest.fixture(scope="session", autouse=True)
def _watched_statements() -> Iterator[None]:
    def install(connection: Any, **_: Any) -> None:
        if watch not in connection.execute_wrappers:
            connection.execute_wrappers.append(watch)

    connection_created.connect(install, dispatch_uid="watched-statements")
    for connection in connections.all(initialized_only=True):
        install(connection)
    yield
    connection_created.disconnect(dispatch_uid="watched-statements")


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Where a web process does without a server that keeps it waiting, tests wait for it, however
    slow the machine. Those of impatience say how long."""

    @cache
    def limiter() -> limits.RedisLimiter:
        return limits.RedisLimiter(settings.REDIS_CACHE_URL, timeout_s=30)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "_limiter", limiter)
        patched.setattr(listener, "TRUST_SECONDS", 60.0)
        patched.setattr(reader, "TIMEOUT_SECONDS", 60)
        patched.setattr(topics, "CREATION_SECONDS", 60)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tables of tests are filled and emptied all the time. Statistics that are taken in between
    would have statements over many rows planned for none, so nobody takes any."""
    with django_db_blocker.unblock():
        for alias in aliases():
            with connections[alias].cursor() as cursor:
                cursor.execute(_NO_STATISTICS)


_NO_STATISTICS = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', name);
    END LOOP;
END $$
"""


@pytest.fixture(autouse=True)
def _forgotten_terms() -> Iterator[None]:
    """What a process remembers of shipping and taxes is rolled back with nobody's transaction."""
    yield
    terms.forget()


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The whole shop on servers of its own, which tests may kill. Starting it takes a while, so
    all of them share one; they leave it running and at rest."""
    split = any(f"{context.upper()}_DATABASE_URL" in os.environ for context in CONTEXTS)
    shop = Shop(tmp_path_factory.mktemp("shop"), split=split, web="tests.faults.web:application")
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()
