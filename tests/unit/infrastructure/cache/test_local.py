from __future__ import annotations

import pytest

from infrastructure.cache import local as local_module
from infrastructure.cache.entries import Entry, Loaded, new_entry
from infrastructure.cache.local import Held, LocalCache, Place

BEGAN = 1_000.0
AT_A, AT_B = Place(url="/a", group=None), Place(url="/b", group=None)


class Clock:
    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(clock: Clock) -> LocalCache:
    """A live one, as after its listener subscribed."""
    return live(LocalCache(most_entries=3, most_bytes=1_000_000, clock=clock, monotonic=clock))


def live(local: LocalCache) -> LocalCache:
    local.clear()
    local.trust(1_000)
    return local


def entry(
    key: str = "a", *tags: str, body: bytes = b"{}", changes_at: float | None = None
) -> Entry:
    return new_entry(
        key,
        Loaded(body=body, tags=frozenset(tags), changes_at=changes_at),
        loaded_at=BEGAN,
        seconds=30,
        refresh_after=0.8,
        mark=1,
        position=None,
    )


def test_what_was_stored_is_found_by_key_and_by_url(local: LocalCache) -> None:
    kept = entry("a", "lists")
    assert local.store(kept, since=local.sequence, place=Place(url="/products", group=None))
    found = local.get("a")
    assert found is not None
    assert found.entry is kept
    assert local.at("/products") is found
    assert local.at("/other") is None


def test_an_entry_lives_thirty_seconds(local: LocalCache, clock: Clock) -> None:
    local.store(entry(), since=local.sequence, place=AT_A)
    clock.now = BEGAN + 29.9
    assert local.get("a") is not None
    clock.now = BEGAN + 30
    assert local.get("a") is None
    assert local.at("/a") is None


def test_an_entry_never_outlives_the_moment_when_it_becomes_untrue(
    local: LocalCache, clock: Clock
) -> None:
    local.store(entry(changes_at=BEGAN + 7), since=local.sequence)
    clock.now = BEGAN + 6.9
    assert local.get("a") is not None
    clock.now = BEGAN + 7
    assert local.get("a") is None


def test_an_invalidated_tag_takes_its_entries_and_no_others(local: LocalCache) -> None:
    local.store(entry("a", "lists", "product:1"), since=local.sequence, place=AT_A)
    local.store(entry("b", "lists", "product:2"), since=local.sequence, place=AT_B)
    assert local.drop(["product:1", "product:9"]) == 1
    assert local.get("a") is None
    assert local.at("/a") is None
    assert local.get("b") is not None
    assert local.drop(["lists"]) == 1
    assert (len(local), local.bytes) == (0, 0)


def test_what_was_loaded_before_an_invalidation_is_never_stored(local: LocalCache) -> None:
    since = local.sequence
    local.drop(["product:1"])
    assert not local.store(entry("a", "product:1"), since=since)
    assert local.store(entry("b", "product:2"), since=since)
    assert local.store(entry("a", "product:1"), since=local.sequence)


def test_what_was_loaded_before_the_memory_was_cleared_is_never_stored(local: LocalCache) -> None:
    since = local.sequence
    local.clear()
    assert not local.store(entry(), since=since)


def test_old_loads_are_refused_once_their_invalidations_are_forgotten(
    local: LocalCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "REMEMBERED_DROPS", 2)
    since = local.sequence
    local.drop(["x"])
    local.drop(["y"])
    assert local.store(entry("a", "z"), since=since)
    local.drop(["w"])
    assert not local.store(entry("b", "z"), since=since)
    assert local.store(entry("b", "z"), since=local.sequence)


def test_nothing_is_stored_or_served_while_nothing_is_heard(
    local: LocalCache, clock: Clock
) -> None:
    local.store(entry(), since=local.sequence, place=AT_A)
    local.trust(0)
    assert local.get("a") is None
    assert local.at("/a") is None
    assert not local.store(entry("b"), since=local.sequence)
    local.trust(2)
    assert local.get("a") is not None
    clock.now += 2
    assert local.get("a") is None


def test_before_the_first_subscription_nothing_is_stored(clock: Clock) -> None:
    local = LocalCache(most_entries=3, most_bytes=1_000_000, clock=clock, monotonic=clock)
    local.trust(1_000)
    assert not local.store(entry(), since=local.sequence)


def test_the_entry_that_nobody_asked_for_goes_first(local: LocalCache) -> None:
    for key in "abc":
        local.store(entry(key), since=local.sequence)
    local.get("a")
    local.store(entry("d"), since=local.sequence)
    assert [key for key in "abcd" if local.get(key)] == ["a", "c", "d"]


def test_bytes_are_bounded_and_what_is_larger_than_all_is_not_kept(clock: Clock) -> None:
    local = live(LocalCache(most_entries=1_000, most_bytes=50_000, clock=clock, monotonic=clock))
    for number in range(20):
        local.store(entry(str(number), body=b"x" * 4_000), since=local.sequence)
    assert (len(local), local.bytes) == (5, 50_000)
    assert not local.store(entry("large", body=b"x" * 25_000), since=local.sequence)
    assert len(local) == 5


def test_one_reader_refreshes_an_entry_that_grows_old(local: LocalCache, clock: Clock) -> None:
    local.store(entry(), since=local.sequence)
    held = local.get("a")
    assert held is not None
    assert not local.claim(held)
    clock.now = BEGAN + 24
    assert [local.claim(held) for _ in range(3)] == [True, False, False]
    clock.now += local_module.CLAIM_SECONDS
    assert local.claim(held)


def test_an_entry_is_shown_to_its_group_alone(local: LocalCache) -> None:
    local.store(entry("a"), since=local.sequence, place=Place(url="/a", group="wholesale"))
    local.store(entry("b"), since=local.sequence, place=Place(url="/a wholesale", group=None))
    assert [_key(local.at("/a")), _key(local.at("/a", "wholesale"))] == [None, "a"]
    assert [_key(local.at("/a wholesale")), _key(local.at("/a", "staff"))] == ["b", None]


def _key(held: Held | None) -> str | None:
    return held and held.entry.key


def test_an_entry_that_was_kept_without_a_place_can_be_given_one(local: LocalCache) -> None:
    local.store(entry("a", "lists"), since=local.sequence)
    held = local.get("a")
    assert held is not None
    local.show_at(held, AT_A)
    assert local.at("/a") is held
    local.drop(["lists"])
    local.show_at(held, AT_A)
    assert local.at("/a") is None
