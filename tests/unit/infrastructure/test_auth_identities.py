from __future__ import annotations

import pytest

from infrastructure.auth.identities import Identity, IdentityCache
from infrastructure.ids import new_id


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class People:
    def __init__(self) -> None:
        self.asked = 0

    def look_up(self, user_id):
        self.asked += 1
        return Identity(
            id=user_id, is_active=True, is_staff=False, generation=self.asked, scopes=frozenset()
        )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def people():
    return People()


def test_somebody_is_looked_up_again_after_five_seconds(clock, people):
    cache, user_id = IdentityCache(clock=clock), new_id()
    cache.get(user_id, people.look_up)
    clock.seconds += 4.9
    assert cache.get(user_id, people.look_up).generation == 1
    clock.seconds += 0.2
    assert cache.get(user_id, people.look_up).generation == 2


def test_a_forgotten_person_is_looked_up_at_once_and_others_are_not(clock, people):
    cache, one, other = IdentityCache(clock=clock), new_id(), new_id()
    cache.get(one, people.look_up)
    cache.get(other, people.look_up)
    cache.forget(one)
    assert cache.get(one, people.look_up).generation == 3
    assert cache.get(other, people.look_up).generation == 2


def test_nobody_is_remembered_too(clock):
    cache, user_id, asked = IdentityCache(clock=clock), new_id(), []
    for _ in range(2):
        assert cache.get(user_id, asked.append) is None
    assert asked == [user_id]


def test_an_answer_is_as_old_as_its_question(clock, people):
    cache, user_id = IdentityCache(clock=clock), new_id()

    def slow(user_id):
        clock.seconds += 3
        return people.look_up(user_id)

    cache.get(user_id, slow)
    clock.seconds += 2.1
    assert cache.get(user_id, people.look_up).generation == 2


def test_the_oldest_answers_make_room(clock, people):
    cache, ids = IdentityCache(clock=clock, limit=2), [new_id() for _ in range(3)]
    for user_id in ids:
        cache.get(user_id, people.look_up)
    assert cache.get(ids[2], people.look_up).generation == 3
    assert cache.get(ids[0], people.look_up).generation == 4


def test_clearing_forgets_everybody(clock, people):
    cache, user_id = IdentityCache(clock=clock), new_id()
    cache.get(user_id, people.look_up)
    cache.clear()
    assert cache.get(user_id, people.look_up).generation == 2
