from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import redis
from django.conf import settings

from infrastructure.cache import flights as flights_module
from infrastructure.cache.entries import Entry, new_entry
from infrastructure.cache.flights import Flights
from infrastructure.cache.tiers import Cache, Read
from infrastructure.errors import DomainError
from tests.integration.infrastructure.cache.conftest import MakeCache
from tests.support.cached_source import Clock, Source
from tests.support.caches import invalidate, listening, loaded
from tests.support.waiting import until


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_load_serves_this_process_and_every_other(make_cache: MakeCache, source: Source) -> None:
    one, other = listening(make_cache()), listening(make_cache())
    assert [source.seen_by(cache) for cache in (one, one, other, other)] == [1, 1, 1, 1]
    assert source.loads == 1
    assert one.local.get("/things") is not None
    assert other.local.get("/things") is not None


def test_an_invalidation_reaches_every_process(make_cache: MakeCache, source: Source) -> None:
    one, other = listening(make_cache()), listening(make_cache())
    assert [source.seen_by(one), source.seen_by(other)] == [1, 1]
    source.value = 2
    invalidate(one, ["lists"])
    until(lambda: not len(one.local) and not len(other.local))
    assert [source.seen_by(one), source.seen_by(other)] == [2, 2]
    assert source.loads == 2


def test_other_tags_keep_their_entries(make_cache: MakeCache, source: Source) -> None:
    one, other = listening(make_cache()), listening(make_cache())
    source.seen_by(one)
    invalidate(one, [f"product:{number}" for number in range(1_200)])
    assert [source.seen_by(one), source.seen_by(other)] == [1, 1]
    assert source.loads == 1


def test_who_hears_nothing_believes_nothing_of_redis(
    make_cache: MakeCache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis that was away may have missed what changed: its entries look valid."""
    one, deaf = listening(make_cache()), make_cache()
    monkeypatch.setattr(deaf.listener, "start", lambda: None)
    assert source.seen_by(one) == 1
    source.value = 2
    assert source.seen_by(deaf) == 2


def test_what_was_loaded_before_an_invalidation_is_never_shown_again(
    make_cache: MakeCache, source: Source
) -> None:
    one, other = listening(make_cache()), listening(make_cache())

    def change() -> None:
        source.value = 2
        source.while_loading = lambda: None
        invalidate(other, ["lists"])
        until(lambda: one.local.sequence > 1 and other.local.sequence > 1)

    source.while_loading = change
    assert source.seen_by(one) == 1
    assert len(one.local) == 0
    assert [source.seen_by(other), source.seen_by(one)] == [2, 2]


def test_a_late_store_of_an_old_load_takes_nobodys_place(
    make_cache: MakeCache, source: Source
) -> None:
    slow, fast = make_cache(), make_cache()

    def meanwhile() -> None:
        source.value = 2
        source.while_loading = lambda: None
        invalidate(fast, ["lists"])
        # The lock of the slow one has run out.
        token = "0" * 32
        fresh = fast._load(Read(key="/things", load=source.load), _mark_of(fast), token)
        assert fresh.body == b"2"

    source.while_loading = meanwhile
    assert source.seen_by(slow) == 1
    assert source.seen_by(listening(make_cache())) == 2
    assert source.loads == 2


def _mark_of(cache: Cache) -> int | None:
    return cache.shared.take("another", "token").mark


def test_an_entry_ends_with_its_time_in_both_tiers(make_cache: MakeCache, source: Source) -> None:
    clock = Clock()
    one, other = listening(make_cache(clock=clock)), listening(make_cache(clock=clock))
    source.seen_by(one)
    source.value = 2
    clock.now += 30
    assert [source.seen_by(one), source.seen_by(other)] == [2, 2]
    assert source.loads == 2


def test_no_tier_keeps_a_body_beyond_the_moment_when_it_becomes_untrue(
    make_cache: MakeCache, source: Source
) -> None:
    clock = Clock()
    one, other = listening(make_cache(clock=clock)), listening(make_cache(clock=clock))
    source.changes_at = clock.now + 10
    source.seen_by(one)
    source.value, source.changes_at = 2, None
    clock.now += 10
    assert [source.seen_by(other), source.seen_by(one)] == [2, 2]


def test_what_was_untrue_when_it_came_is_kept_nowhere(
    make_cache: MakeCache, source: Source
) -> None:
    one = listening(make_cache())
    source.changes_at = time.time() - 1
    assert source.seen_by(one) == 1
    assert len(one.local) == 0
    assert source.seen_by(listening(make_cache())) == 1
    assert source.loads == 2


def test_one_reader_refreshes_what_grows_old(make_cache: MakeCache, source: Source) -> None:
    clock = Clock()
    one, other = listening(make_cache(clock=clock)), listening(make_cache(clock=clock))
    assert [source.seen_by(one), source.seen_by(other)] == [1, 1]
    source.value = 2
    clock.now += 28
    seen_meanwhile: list[int] = []
    source.while_loading = lambda: seen_meanwhile.append(source.seen_by(one))
    assert source.seen_by(one) == 2
    assert seen_meanwhile == [1]
    source.while_loading = lambda: None
    assert [source.seen_by(one), source.seen_by(other)] == [2, 2]
    assert source.loads == 2


def test_a_refresh_that_fails_leaves_the_old_entry(make_cache: MakeCache, source: Source) -> None:
    clock = Clock()
    one = listening(make_cache(clock=clock))
    source.seen_by(one)
    clock.now += 28

    def break_down() -> None:
        raise RuntimeError("the database is away")

    source.while_loading = break_down
    assert source.seen_by(one) == 1
    assert source.loads == 2


def test_a_refresh_that_finds_nothing_any_more_says_so(
    make_cache: MakeCache, source: Source
) -> None:
    clock = Clock()
    one = listening(make_cache(clock=clock))
    source.seen_by(one)
    clock.now += 28

    def refuse() -> None:
        raise DomainError("Gone.")

    source.while_loading = refuse
    with pytest.raises(DomainError):
        source.seen_by(one)


def test_a_load_that_fails_gives_the_lock_back(make_cache: MakeCache, source: Source) -> None:
    one, other = listening(make_cache()), make_cache()

    def refuse() -> None:
        source.while_loading = lambda: None
        raise DomainError("Not now.")

    source.while_loading = refuse
    with pytest.raises(DomainError):
        source.seen_by(one)
    assert source.seen_by(other) == 1
    assert source.loads == 2


def test_who_must_see_more_gets_what_was_loaded_later(
    make_cache: MakeCache, source: Source
) -> None:
    one, other = listening(make_cache()), listening(make_cache())
    assert [source.seen_by(one), source.seen_by(one, needed=99)] == [1, 1]
    source.value, source.position = 2, 102
    assert source.seen_by(one) == 1
    assert source.seen_by(one, needed=101) == 2
    assert source.seen_by(one) == 2
    assert source.seen_by(other, needed=101) == 2
    assert source.loads == 2


def test_what_was_loaded_at_the_very_position_may_lack_the_commit_there(
    make_cache: MakeCache, source: Source
) -> None:
    one = listening(make_cache())
    # The log has come to 100 with the commit, which nobody is shown yet.
    assert source.seen_by(one) == 1
    source.value = 2
    assert source.seen_by(one) == 1
    assert source.seen_by(one, needed=100) == 2


def test_an_own_load_is_enough_whatever_its_position(make_cache: MakeCache, source: Source) -> None:
    assert source.seen_by(listening(make_cache()), needed=100) == 1
    assert source.loads == 1


def test_a_position_that_was_never_reached_demands_nothing(
    make_cache: MakeCache, source: Source
) -> None:
    one, other = listening(make_cache()), listening(make_cache())
    assert source.seen_by(one) == 1
    assert [source.seen_by(cache, needed=2**64 - 1) for cache in (one, other, one)] == [1, 1, 1]
    assert source.loads == 1


def test_who_must_see_more_is_not_given_the_shared_entry_either(
    make_cache: MakeCache, source: Source
) -> None:
    source.seen_by(make_cache())
    source.value, source.position = 2, 101
    assert source.seen_by(listening(make_cache()), needed=101) == 2


def test_without_the_numbers_of_the_tags_no_entry_is_believed(
    make_cache: MakeCache, source: Source, prefix: str
) -> None:
    source.seen_by(make_cache())
    source.value = 2
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    assert client.delete(f"{prefix}:{{tags}}") == 1
    invalidate(make_cache(), ["something else"])
    assert source.seen_by(listening(make_cache())) == 2


def test_tags_that_were_forgotten_take_older_entries_with_them(
    make_cache: MakeCache, source: Source, prefix: str
) -> None:
    cache = listening(make_cache(most_tags=3))
    old = Source("old")
    assert old.seen_by(cache) == 1
    old.value = 2
    invalidate(cache, ["old"])
    invalidate(cache, ["a", "b"])
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    assert client.zcard(f"{prefix}:{{tags}}") == 5
    assert old.seen_by(listening(make_cache(most_tags=3))) == 2
    invalidate(cache, ["c"])
    assert client.zscore(f"{prefix}:{{tags}}", "old") is None
    # Loaded since, so it is believed still; what was loaded before would not be.
    assert old.seen_by(listening(make_cache(most_tags=3))) == 2
    assert old.loads == 2


def test_entries_of_before_the_last_forgotten_tag_are_not_believed(
    make_cache: MakeCache, source: Source
) -> None:
    cache = make_cache(most_tags=2)
    source.seen_by(cache)
    source.value = 2
    invalidate(cache, ["lists"])
    invalidate(cache, ["a"])
    invalidate(cache, ["b"])
    assert source.seen_by(listening(make_cache(most_tags=2))) == 2


def test_bytes_that_are_no_entry_are_loaded_anew(
    make_cache: MakeCache, source: Source, prefix: str
) -> None:
    source.seen_by(make_cache())
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    [page] = client.keys(f"{prefix}:*:page")
    client.hset(page, "entry", b"of another release")
    assert source.seen_by(listening(make_cache())) == 1
    assert source.loads == 2


def test_keys_of_an_entry_share_a_slot_and_expire(
    make_cache: MakeCache, source: Source, prefix: str
) -> None:
    client = redis.Redis.from_url(settings.REDIS_CACHE_URL)
    seen: list[str] = []
    source.while_loading = lambda: seen.extend(
        key.decode() for key in client.keys(f"{prefix}:*:lock")
    )
    source.seen_by(make_cache())
    [page] = [key.decode() for key in client.keys(f"{prefix}:*:page")]
    [lock] = seen
    assert lock.removesuffix(":lock") == page.removesuffix(":page")
    assert "{" in page
    assert client.exists(lock) == 0
    assert 0 < client.pttl(page) <= 30_000


def together(count: int, ask: Callable[[], int]) -> list[int | str]:
    """What so many readers are told, all of whom wait at the same time."""

    def asked() -> int | str:
        try:
            return ask()
        except (DomainError, RuntimeError) as error:
            return str(error)

    with ThreadPoolExecutor(count) as readers:
        return [found.result(200) for found in [readers.submit(asked) for _ in range(count)]]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[threading.Event]:
    """Who waits for a load that is under way is added to it: an event of the load each time."""
    begun: list[threading.Event] = []

    class Awaited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            begun.append(self)
            return super().wait(timeout)

    own = SimpleNamespace(Event=Awaited, Lock=threading.Lock)
    monkeypatch.setattr(flights_module, "threading", own)
    return begun


@pytest.mark.parametrize("error", [DomainError("Gone."), RuntimeError("Away.")], ids=str)
def test_who_waits_for_a_load_that_fails_is_told_so_and_tries_nothing(
    make_cache: MakeCache, source: Source, error: Exception, waits: list[threading.Event]
) -> None:
    one = listening(make_cache())

    def fail() -> None:
        until(lambda: len(waits) == 19, "all others wait")
        raise error

    source.while_loading = fail
    assert together(20, lambda: source.seen_by(one)) == [str(error)] * 20
    assert source.loads == 1
    source.while_loading = lambda: None
    assert source.seen_by(one) == 1


def test_one_at_a_time_takes_the_place_of_a_load_that_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[Impatient] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout == 1.0
            waits.append(self)
            if self is not waits[0]:
                return super().wait(120)
            until(lambda: len(waits) >= 20, "all have waited for so long")
            return False

    own = SimpleNamespace(Event=Impatient, Lock=threading.Lock)
    monkeypatch.setattr(flights_module, "threading", own)
    flights = Flights(wait_s=1.0)
    stuck, first = threading.Event(), threading.Event()
    loads: list[int] = []
    entry = new_entry(
        "/things", loaded(1), loaded_at=0, seconds=1, refresh_after=1, mark=None, position=None
    )

    def load() -> Entry:
        loads.append(1)
        if len(loads) == 1:
            first.set()
            assert stuck.wait(120)
        else:
            until(lambda: len(waits) == 20 + 19, "all but one wait for the second")
        return entry

    with ThreadPoolExecutor(21) as readers:
        slow = readers.submit(flights.share, "/things", 1, load)
        assert first.wait(120)
        others = [readers.submit(flights.share, "/things", 1, load) for _ in range(20)]
        assert [other.result(200) for other in others] == [entry] * 20
        assert not slow.done()
        stuck.set()
        assert slow.result(120) is entry
    assert len(loads) == 2
