from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from domains.users import services
from domains.users.models import Session, User
from infrastructure.auth import passwords
from tests.support.factories import users

pytestmark = pytest.mark.django_db


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text(f"{users.PASSWORD}\n")
    return str(path)


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def only_user():
    return User.objects.get()


def test_ensure_staff_can_be_repeated(password_file):
    arguments = ("ensure_staff", "--email=s@example.com", f"--password-file={password_file}")
    assert run(*arguments) == "Staff account written.\n"
    assert run(*arguments) == "Staff account in place.\n"
    assert (only_user().roles, only_user().is_staff) == (["admin"], True)
    assert passwords.matches(users.PASSWORD, only_user().password)


def test_ensure_staff_wants_a_password_that_is_no_argument():
    with pytest.raises(CommandError, match="--password-file or --password-env"):
        run("ensure_staff", "--email=s@example.com")


def test_a_password_comes_from_a_variable(monkeypatch):
    monkeypatch.setenv("STAFF_PASSWORD", users.PASSWORD)
    run(
        "create_staff",
        "--email=s@example.com",
        "--role=support",
        "--role=finance",
        "--password-env=STAFF_PASSWORD",
    )
    assert only_user().roles == ["finance", "support"]
    monkeypatch.delenv("STAFF_PASSWORD")
    with pytest.raises(CommandError, match="STAFF_PASSWORD is empty"):
        run("create_staff", "--email=t@example.com", "--password-env=STAFF_PASSWORD")


def test_a_password_is_typed_twice(monkeypatch):
    typed = iter([users.PASSWORD, "something else", users.PASSWORD, users.PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    with pytest.raises(CommandError, match="differ"):
        run("create_staff", "--email=s@example.com")
    run("create_staff", "--email=s@example.com")
    assert only_user().roles == []


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match="missing cannot be read: No such file"):
        run("create_staff", "--email=s@example.com", f"--password-file={tmp_path}/missing")


def test_refusals_are_those_of_the_services(password_file):
    users.customer(email="s@example.com")
    with pytest.raises(CommandError, match="There is an account with this e-mail address"):
        run("create_staff", "--email=S@example.com", f"--password-file={password_file}")


def test_createsuperuser_takes_djangos_variables(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "root@example.com")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", users.PASSWORD)
    run("createsuperuser", "--noinput")
    user = only_user()
    assert (user.email, user.is_superuser, user.is_staff) == ("root@example.com", True, True)
    assert user.has_perm("orders.view_order")


def test_changepassword_ends_the_sessions(password_file, now):
    user = users.customer(password="the former password")
    services.sign_in(email=user.email, password="the former password", now=now)
    run("changepassword", user.email.upper(), f"--password-file={password_file}")
    assert passwords.matches(users.PASSWORD, only_user().password)
    assert Session.objects.get().end_reason == "PASSWORD_CHANGED"
    with pytest.raises(CommandError, match="No account has this"):
        run("changepassword", "nobody@example.com", f"--password-file={password_file}")
