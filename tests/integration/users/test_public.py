from __future__ import annotations

import pytest

from domains.users import public, services
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from tests.support.factories import users

pytestmark = pytest.mark.django_db


def test_names_of_known_users_in_one_statement(django_assert_num_queries):
    ann, ben = users.customer(name="Ann"), users.customer(name="", email="ben@example.com")
    with django_assert_num_queries(1, using=alias_of("users")):
        names = public.display_names([ann.id, ben.id, new_id()])
    assert names == {ann.id: "Ann", ben.id: "ben@example.com"}


def test_event_counts_are_ordered_by_id_and_count_what_was_recorded(now):
    ann, ben = users.customer(), users.customer()
    services.rename(user_id=ann.id, name="Anna", now=now)
    assert list(public.event_counts()) == [
        (ann.id, "user-events", 2),
        (ben.id, "user-events", 1),
    ]
