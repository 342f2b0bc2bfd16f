"""The group of customers that somebody belongs to: set by staff, never by themselves."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from domains.users import services
from domains.users.errors import InvalidCustomerGroup, UserNotFound
from domains.users.models import User
from infrastructure import clock, screens
from infrastructure.auth import authentication
from infrastructure.auth.errors import MissingScope
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.admin_pages import filled, text_of
from tests.support.factories import users

pytestmark = pytest.mark.django_db

LIST = "admin:users_user_changelist"


def group_seen(user: User) -> str | None:
    token = users.access_token(user)
    return authentication.actor_of(token, now=clock.now()).customer_group


def join(user_id: UUID, group: str, now: datetime, *, scopes: Any = users.EVERY_SCOPE) -> None:
    services.set_customer_group(user_id=user_id, customer_group=group, scopes=scopes, now=now)


def last_fact(user: User) -> tuple[str, str]:
    rows = OutboxMessage.objects.using(alias_of("users")).filter(key=str(user.id))
    last = rows.order_by("id").last()
    assert last is not None
    return last.name, last.payload


def test_the_next_request_knows_the_group(now: datetime) -> None:
    ann = users.customer()
    assert group_seen(ann) is None
    join(ann.id, "trade", now)
    assert group_seen(ann) == "trade"
    join(ann.id, "", now)
    assert group_seen(ann) is None


def test_joining_is_a_fact_once(now: datetime) -> None:
    ann = users.customer()
    for _ in range(2):
        join(ann.id, "trade", now)
    name, payload = last_fact(ann)
    assert name == "users.user_updated"
    assert '"changed":["customer_group"]' in payload
    assert User.objects.get(pk=ann.id).events_recorded == 2


@pytest.mark.parametrize("code", ["Trade", "-trade", "two words", "x" * 41, "trade\n"])
def test_what_is_no_code_is_refused(code: str, now: datetime) -> None:
    ann = users.customer()
    with pytest.raises(InvalidCustomerGroup):
        join(ann.id, code, now)
    assert User.objects.get(pk=ann.id).customer_group == ""


def test_nobody_joins_who_does_not_exist(now: datetime) -> None:
    with pytest.raises(UserNotFound):
        join(new_id(), "trade", now)


def test_a_customer_does_not_choose_the_group() -> None:
    ann = users.customer()
    client = users.client_of(ann)
    refused = client.patch(
        "/api/v1/users/me", {"customer_group": "trade"}, content_type="application/json"
    )
    assert refused.status_code == 400
    assert User.objects.get(pk=ann.id).customer_group == ""


def test_the_command_sets_it_and_says_so() -> None:
    ann = users.customer(email="ann@example.com")

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("set_customer_group", *arguments, stdout=out)
        return out.getvalue()

    said = run("--email=Ann@example.com", "--group=trade")
    assert said == f"{ann.id} belongs to trade.\n"
    assert run("--email=ann@example.com", "--group=") == f"{ann.id} belongs to no group.\n"
    with pytest.raises(CommandError, match="Nobody has this address"):
        run("--email=bob@example.com", "--group=trade")
    with pytest.raises(CommandError, match="no code of a group"):
        run("--email=ann@example.com", "--group=Trade")


def send(client: Client, *people: User, **form: str) -> Any:
    selected = {"_selected_action": [str(user.id) for user in people]}
    path = reverse(LIST)
    return client.post(path, {"action": "set_customer_group", **selected, **form}, follow=True)


def test_staff_set_it_for_several_people_at_once() -> None:
    ann, bob = users.customer(), users.customer()
    client = users.admin_client_of(users.staff("admin"))
    asked = send(client, ann, bob)
    assert asked.status_code == 200
    assert f'value="{ann.id}"' in asked.content.decode()
    done = send(client, ann, bob, confirmed="yes", customer_group="trade")
    assert sorted(str(message) for message in done.context["messages"]) == sorted(
        [f"{ann}: in group trade.", f"{bob}: in group trade."]
    )
    assert set(User.objects.filter(is_staff=False).values_list("customer_group", flat=True)) == {
        "trade"
    }
    refused = send(client, ann, confirmed="yes", customer_group="No!")
    assert [message.level_tag for message in refused.context["messages"]] == ["error"]


def test_of_many_some_are_named_and_all_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "MOST_NAMED", 2)
    people = [users.customer(name=name) for name in ("Ann", "Bob", "Cyd")]
    client = users.admin_client_of(users.staff("admin"))
    asked = send(client, *people)
    page = text_of(asked)
    assert "3 are selected, and all of them are meant." in page
    assert sum(f"<li>{name}</li>" in page for name in ("Ann", "Bob", "Cyd")) == 2
    assert "and 1 more" in page
    done = client.post(reverse(LIST), filled(asked) | {"customer_group": "trade"}, follow=True)
    assert [str(message) for message in done.context["messages"]] == ["3 of 3: in group trade."]
    assert User.objects.filter(customer_group="trade").count() == 3


@pytest.mark.parametrize("role", ["support", "catalogue", "finance", "fulfilment"])
def test_staff_without_the_scope_do_not(role: str) -> None:
    ann = users.customer()
    client = users.admin_client_of(users.staff(role))
    assert "set_customer_group" not in client.get(reverse(LIST)).content.decode()
    send(client, ann, confirmed="yes", customer_group="trade")
    assert User.objects.get(pk=ann.id).customer_group == ""


@pytest.mark.parametrize("missing", ["users.set_group", "users.manage_staff"])
def test_prices_of_staff_are_set_by_who_manages_staff(missing: str, now: datetime) -> None:
    clerk = users.staff("support")
    with pytest.raises(MissingScope) as refusal:
        join(clerk.id, "trade", now, scopes=users.EVERY_SCOPE - {missing})
    assert refusal.value.detail == f"This needs the scope {missing}."
    assert User.objects.get(pk=clerk.id).customer_group == ""
    join(clerk.id, "trade", now)
    assert User.objects.get(pk=clerk.id).customer_group == "trade"
