from __future__ import annotations

import pytest
from django.db import IntegrityError

from domains.users.models import User
from infrastructure.database.contexts import atomic, connection_of
from infrastructure.database.violations import constraint_of
from tests.support.factories import users

pytestmark = pytest.mark.django_db


def test_a_violated_constraint_is_named(now):
    users.customer(email="ann@example.com")
    twin = User.register(email="ann@example.com", name="", password_hash="x", now=now)
    with pytest.raises(IntegrityError) as refusal, atomic("users"):
        twin.save()
    assert constraint_of(refusal.value) == "users_user_email_unique"


def test_a_refusal_that_names_no_constraint_has_none():
    with pytest.raises(IntegrityError) as refusal, atomic("users"):
        connection_of("users").fetch("INSERT INTO users_session (id) VALUES (NULL)", [])
    assert constraint_of(refusal.value) is None
    assert constraint_of(IntegrityError("made up here")) is None
