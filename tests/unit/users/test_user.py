from __future__ import annotations

import pytest

from domains.users.errors import AlreadyActive, AlreadyInactive, UnknownRole
from domains.users.events import UserCreated, UserUpdated
from domains.users.models import User


@pytest.fixture
def customer(now):
    user = User.register(email=" Ann@Example.com ", name="Ann", password_hash="hash", now=now)
    user.__dict__.pop("_events")
    return user


def recorded(user):
    return user.__dict__.get("_events", [])


def test_a_customer_registers_with_their_address_as_they_write_it(now):
    user = User.register(email=" Ann@Example.com ", name="Ann", password_hash="hash", now=now)
    assert (user.email, user.is_staff, user.is_active) == ("Ann@Example.com", False, True)
    (event,) = recorded(user)
    assert isinstance(event, UserCreated)
    assert (event.user_id, event.is_staff, event.occurred_at) == (user.id, False, now)


def test_staff_are_hired_with_known_roles_only(now):
    details = {"email": "s@example.com", "name": "Sam", "password_hash": "hash", "now": now}
    user = User.hire(roles=["support", "finance", "support"], is_superuser=False, **details)
    assert (user.is_staff, user.roles) == (True, ["finance", "support"])
    with pytest.raises(UnknownRole):
        User.hire(roles=["wizard"], is_superuser=False, **details)


def test_a_new_name_is_told_without_the_name(customer, now):
    assert customer.rename("Ann Smith", now=now) is True
    (event,) = recorded(customer)
    assert isinstance(event, UserUpdated)
    assert (event.user_id, event.changed) == (customer.id, ("name",))


def test_the_same_name_is_no_change(customer, now):
    assert customer.rename("Ann", now=now) is False
    assert recorded(customer) == []


@pytest.mark.parametrize(
    "command",
    [
        lambda user, now: user.change_password("other", now=now),
        lambda user, now: user.deactivate(now=now),
        lambda user, now: user.end_sessions(),
    ],
)
def test_what_ends_sessions_raises_the_generation(customer, command, now):
    command(customer, now)
    assert customer.auth_generation == 2


def test_an_inactive_user_cannot_be_deactivated_again(customer, now):
    customer.deactivate(now=now)
    with pytest.raises(AlreadyInactive):
        customer.deactivate(now=now)


def test_an_active_user_cannot_be_reactivated(customer, now):
    with pytest.raises(AlreadyActive):
        customer.reactivate(now=now)


def test_an_inactive_user_has_no_scope(customer, now):
    assert customer.has_scope("orders.place") is True
    customer.deactivate(now=now)
    assert customer.has_scope("orders.place") is False


def test_roles_that_are_held_already_are_no_change(now):
    user = User.hire(
        email="s@example.com", name="", password_hash="h", roles=["admin"], is_superuser=False,
        now=now,
    )  # fmt: skip
    assert user.assign_roles(["admin"], is_superuser=False, now=now) is False
    assert user.assign_roles(["support"], is_superuser=False, now=now) is True
    assert user.roles == ["support"]


def test_admin_sessions_end_with_the_generation_and_with_the_password(customer, now):
    before = customer.get_session_auth_hash()
    customer.end_sessions()
    between = customer.get_session_auth_hash()
    customer.strengthen_password_hash("other")
    assert len({before, between, customer.get_session_auth_hash()}) == 3
