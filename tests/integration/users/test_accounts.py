from __future__ import annotations

import pytest

from domains.users import queries, services
from domains.users.errors import (
    AlreadyInactive,
    EmailTaken,
    InvalidCredentials,
    UnknownRole,
    UserNotFound,
    WeakPassword,
)
from domains.users.models import Session, User
from infrastructure.aggregates import ConcurrentModification
from infrastructure.auth import identities, passwords
from infrastructure.database.contexts import alias_of, connection_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import users

pytestmark = pytest.mark.django_db


def published(user_id):
    rows = OutboxMessage.objects.using(alias_of("users")).filter(key=str(user_id)).order_by("id")
    return [(row.name, row.sequence) for row in rows]


def test_registering_is_one_statement_with_its_event(now, django_assert_num_queries):
    with django_assert_num_queries(1, using=alias_of("users")):
        user = services.register(
            email="Ann@Example.com", password=users.PASSWORD, name="Ann", now=now
        )
    stored = User.objects.get(pk=user.id)
    assert (stored.email, stored.name, stored.created_at) == ("Ann@Example.com", "Ann", now)
    assert published(user.id) == [("users.user_created", 1)]


def test_nothing_personal_is_published(now):
    services.register(email="canary@example.com", password=users.PASSWORD, name="Canary", now=now)
    (payload,) = OutboxMessage.objects.using(alias_of("users")).values_list("payload", flat=True)
    assert "anary" not in payload


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("spelling", ["ann@example.com", "ANN@example.com ", "ａnn@example.com"])
def test_an_address_is_taken_in_every_spelling(now, spelling):
    users.customer(email="Ann@Example.com")
    with pytest.raises(EmailTaken):
        services.register(email=spelling, password=users.PASSWORD, name="", now=now)
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "password", ["short", "x" * 129, "password1", "Ann-Example", "ann@example.com"]
)
def test_weak_passwords_are_refused(now, password):
    with pytest.raises(WeakPassword) as refusal:
        services.register(email="ann@example.com", password=password, name="Ann-Example", now=now)
    assert {error.pointer for error in refusal.value.errors} == {"/password"}
    assert User.objects.count() == 0


def test_a_password_is_stored_as_a_hash_only(now):
    user = users.customer()
    assert passwords.matches(users.PASSWORD, user.password)
    with connection_of("users").cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users_user u WHERE u::text LIKE %s", ["%lantern%"])
        assert cursor.fetchone() == (0,)


def test_renaming_is_a_fact_and_the_same_name_is_none(now):
    user = users.customer(name="Ann")
    services.rename(user_id=user.id, name="Ann Smith", now=now)
    services.rename(user_id=user.id, name="Ann Smith", now=now)
    assert User.objects.get(pk=user.id).name == "Ann Smith"
    assert published(user.id) == [("users.user_created", 1), ("users.user_updated", 2)]


def test_renaming_from_a_stale_version_is_refused(now):
    user = users.customer()
    services.rename(user_id=user.id, name="One", version=1, now=now)
    with pytest.raises(ConcurrentModification):
        services.rename(user_id=user.id, name="Two", version=1, now=now)
    assert User.objects.get(pk=user.id).name == "One"


def test_commands_on_nobody_are_refused(now):
    with pytest.raises(UserNotFound):
        services.rename(user_id=new_id(), name="x", now=now)


def test_a_deactivated_user_is_out_at_once_and_cannot_come_back(now):
    user = users.customer()
    services.sign_in(email=user.email, password=users.PASSWORD, now=now)
    assert identities.identity_of(user.id).is_active is True
    services.deactivate(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)
    assert identities.identity_of(user.id).is_active is False
    assert Session.objects.get(user=user).end_reason == "DEACTIVATED"
    with pytest.raises(InvalidCredentials):
        services.sign_in(email=user.email, password=users.PASSWORD, now=now)
    with pytest.raises(AlreadyInactive):
        services.deactivate(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)


def test_a_reactivated_user_can_sign_in_again(now):
    user = users.customer()
    services.deactivate(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)
    services.reactivate(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)
    assert services.sign_in(email=user.email, password=users.PASSWORD, now=now).user_id == user.id
    assert published(user.id)[-1] == ("users.user_updated", 3)


def test_a_new_password_ends_the_sessions_of_the_old_one(now):
    user = users.customer()
    services.sign_in(email=user.email, password=users.PASSWORD, now=now)
    services.set_password(user_id=user.id, password="another lantern", now=now)
    assert Session.objects.get(user=user).end_reason == "PASSWORD_CHANGED"
    assert identities.identity_of(user.id).generation == 2
    with pytest.raises(InvalidCredentials):
        services.sign_in(email=user.email, password=users.PASSWORD, now=now)
    assert services.sign_in(email=user.email, password="another lantern", now=now)


def test_an_old_hash_is_made_anew_at_the_next_sign_in(now, settings):
    user = users.customer()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    services.sign_in(email=user.email, password=users.PASSWORD, now=now)
    stored = User.objects.get(pk=user.id)
    assert stored.password.startswith("pbkdf2_sha256$")
    assert stored.auth_generation == 1
    assert published(user.id) == [("users.user_created", 1)]


def test_ensuring_staff_writes_once(now):
    details = {"email": "s@example.com", "password": users.PASSWORD, "name": "Sam"}
    assert services.ensure_staff(**details, roles=["admin"], now=now) is True
    assert services.ensure_staff(**details, roles=["admin"], now=now) is False
    user = User.objects.get(email_index="s@example.com")
    assert (user.version, user.roles, user.is_staff) == (1, ["admin"], True)


def test_ensuring_staff_mends_what_differs(now):
    user = users.staff("support", email="s@example.com")
    services.deactivate(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)
    details = {"email": "S@example.com", "password": "another lantern", "name": "Sam"}
    assert services.ensure_staff(**details, roles=["finance"], now=now) is True
    stored = User.objects.get(pk=user.id)
    assert (stored.is_active, stored.roles) == (True, ["finance"])
    assert passwords.matches("another lantern", stored.password)
    with pytest.raises(UnknownRole):
        services.ensure_staff(**details, roles=["wizard"], now=now)


def test_scopes_are_those_held_now(now):
    user = users.staff("catalogue")
    assert "catalogue.write" in queries.identity_of(user.id).scopes
    services.ensure_staff(
        email=user.email, password=users.PASSWORD, name="", roles=["support"], now=now
    )
    assert "catalogue.write" not in identities.identity_of(user.id).scopes
    assert "orders.cancel" in identities.identity_of(user.id).scopes


def test_the_index_follows_the_address():
    user = users.customer(email="old@example.com")
    user.email = "new@example.com"
    user.save()
    assert User.objects.with_email("new@example.com").get() == user
    assert not User.objects.with_email("old@example.com").exists()
