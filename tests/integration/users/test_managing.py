"""Whose account who may close and open, and whose sessions end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.urls import reverse

from domains.users import rules, services
from domains.users.models import Session, User
from infrastructure.aggregates import ConcurrentModification
from infrastructure.auth.errors import MissingScope
from tests.support.factories import users

pytestmark = pytest.mark.django_db

SUPPORT = rules.ROLES["support"]
ADMIN = rules.ROLES["admin"]
COMMANDS = ["deactivate", "reactivate", "end_sessions"]
STAFF: dict[str, Callable[[], User]] = {
    "clerk": lambda: users.staff("support"),
    "admin": lambda: users.staff("admin"),
    "superuser": lambda: users.staff("admin", is_superuser=True),
}


def prepared(person: User, command: str, now: datetime) -> User:
    """Somebody that the command has something to do with."""
    if command == "reactivate":
        services.deactivate(user_id=person.id, scopes=users.EVERY_SCOPE, now=now)
    else:
        services.sign_in(email=person.email, password=users.PASSWORD, now=now)
    return stored(person)


def stored(person: User) -> User:
    return User.objects.get(pk=person.id)


def state(person: User) -> tuple[Any, ...]:
    now = stored(person)
    is_open = Session.objects.filter(user=person, ended_at=None).count()
    return now.is_active, now.auth_generation, now.version, is_open


def run(client: Any, command: str, person: User) -> list[tuple[str, str]]:
    body = {"action": command, "_selected_action": [str(person.id)]}
    answer = client.post(reverse("admin:users_user_changelist"), body, follow=True)
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


@pytest.mark.parametrize("target", STAFF)
@pytest.mark.parametrize("command", COMMANDS)
def test_support_does_nothing_to_staff(command, target, now):
    person = prepared(STAFF[target](), command, now)
    before = state(person)
    with pytest.raises(MissingScope) as refusal:
        getattr(services, command)(user_id=person.id, scopes=SUPPORT, now=now)
    assert refusal.value.detail == "This needs the scope users.manage_staff."
    client = users.admin_client_of(users.staff("support"))
    assert run(client, command, person) == [
        ("error", f"{person}: This needs the scope users.manage_staff.")
    ]
    assert state(person) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_who_reads_accounts_does_nothing_to_customers(command, now):
    person = prepared(users.customer(), command, now)
    before = state(person)
    with pytest.raises(MissingScope) as refusal:
        getattr(services, command)(user_id=person.id, scopes={"users.read"}, now=now)
    assert refusal.value.detail == "This needs the scope users.write."
    assert state(person) == before


@pytest.mark.parametrize(
    ("scopes", "make"), [(SUPPORT, users.customer), (ADMIN, users.customer), (ADMIN, users.staff)]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_who_has_the_scope_does_it(command, scopes, make, now):
    person = prepared(make(), command, now)
    before = state(person)
    getattr(services, command)(user_id=person.id, scopes=scopes, now=now)
    assert state(person) != before


def test_admins_manage_staff_in_the_admin(now):
    client, clerk = users.admin_client_of(users.staff("admin")), users.staff("support", name="Sam")
    assert run(client, "deactivate", clerk) == [("success", "Sam: deactivated.")]
    assert run(client, "reactivate", clerk) == [("success", "Sam: reactivated.")]
    assert run(client, "end_sessions", clerk) == [("success", "Sam: signed out everywhere.")]
    assert (stored(clerk).is_active, stored(clerk).auth_generation) == (True, 3)


def test_who_became_staff_meanwhile_is_not_taken_for_a_customer(now, monkeypatch):
    """The account that was judged is the one that is changed: a stale one is not saved."""
    person = users.customer()
    real = services.queries.user_of

    def hired_right_after(user_id):
        found = real(user_id)
        monkeypatch.setattr(services.queries, "user_of", real)
        services.ensure_staff(
            email=person.email, password=users.PASSWORD, name="", roles=["admin"], now=now
        )
        return found

    monkeypatch.setattr(services.queries, "user_of", hired_right_after)
    with pytest.raises(ConcurrentModification):
        services.deactivate(user_id=person.id, scopes=SUPPORT, now=now)
    assert stored(person).is_active is True
