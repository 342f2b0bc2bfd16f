"""What ends sessions commits in the middle of signing in: none is left that it did not end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from domains.users import services
from domains.users.errors import InvalidCredentials, InvalidRefreshToken
from domains.users.models import RefreshToken, Session, SessionQuerySet, User
from infrastructure import clock
from infrastructure.auth import passwords
from infrastructure.database.contexts import atomic, connection_of
from tests.support.factories import users
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

Elsewhere = Callable[[Callable[[], Any]], "Future[Any]"]


def change_password(user: User, now: datetime) -> None:
    services.set_password(user_id=user.id, password="another lantern", now=now)


def deactivate(user: User, now: datetime) -> None:
    services.deactivate(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)


def end_sessions(user: User, now: datetime) -> None:
    services.end_sessions(user_id=user.id, scopes=users.EVERY_SCOPE, now=now)


CHANGES = [change_password, deactivate, end_sessions]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Does something in a thread that has a connection of its own."""

    def run(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        yield lambda work: thread.submit(run, work)


class Stop:
    """Holds up whoever has just made a call, until they may go on."""

    def __init__(self) -> None:
        self.is_reached, self.is_over = threading.Event(), threading.Event()

    def after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def held(*args: Any, **kwargs: Any) -> Any:
            outcome = call(*args, **kwargs)
            self.is_reached.set()
            assert self.is_over.wait(60)
            return outcome

        return held


@pytest.fixture
def between(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Future[Any]]:
    """The change commits when the work has made the call of that name and has not gone on."""

    def run(
        place: Any, name: str, change: Callable[[], None], work: Callable[[], Any]
    ) -> Future[Any]:
        stop = Stop()
        with monkeypatch.context() as patched:
            patched.setattr(place, name, stop.after(getattr(place, name)))
            done = elsewhere(work)
            try:
                assert stop.is_reached.wait(60)
                change()
            finally:
                stop.is_over.set()
                wait([done])
        return done

    return run


@pytest.fixture
def under_way(elsewhere: Elsewhere) -> Callable[..., Future[Any]]:
    """The work begins when the change is made and not committed, and waits for it or is over."""

    def run(change: Callable[[], None], work: Callable[[], Any]) -> Future[Any]:
        with atomic("users"):
            change()
            done = elsewhere(work)
            until(lambda: done.done() or is_waited_for())
        wait([done])
        return done

    return run


def is_waited_for() -> bool:
    sql = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return bool(connection_of("users").fetch(sql, [])[0][0])


def signing_in(user: User, now: datetime) -> Callable[[], Any]:
    return lambda: services.sign_in(email=user.email, password=users.PASSWORD, now=now)


def refreshing(user: User, now: datetime) -> Callable[[], Any]:
    token = signing_in(user, now)().refresh_token
    return lambda: services.refresh(refresh_token=token, now=now)


def signing_in_to_the_admin(user: User) -> Callable[[], Client]:
    def work() -> Client:
        client = Client()
        form = {"username": user.email, "password": users.PASSWORD}
        client.post(reverse("admin:login"), form)
        return client

    return work


def is_in_the_admin(client: Client) -> bool:
    return client.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("change", CHANGES)
def test_a_sign_in_whose_password_was_checked_before(change, between, now):
    user = users.customer()
    done = between(passwords, "matches", lambda: change(user, now), signing_in(user, now))
    with pytest.raises(InvalidCredentials):
        done.result()
    assert Session.objects.count() == 0


@pytest.mark.parametrize("change", CHANGES)
def test_a_sign_in_before_the_change_is_committed(change, under_way, now):
    user = users.customer()
    done = under_way(lambda: change(user, now), signing_in(user, now))
    with pytest.raises(InvalidCredentials):
        done.result()
    assert Session.objects.count() == 0


@pytest.mark.parametrize("change", CHANGES)
def test_a_refresh_whose_token_was_spent_before(change, between, now):
    user = users.customer()
    work = refreshing(user, now)
    done = between(SessionQuerySet, "rotate", lambda: change(user, now), work)
    with pytest.raises(InvalidRefreshToken):
        done.result()
    assert Session.objects.filter(ended_at=None).count() == 0


@pytest.mark.parametrize("change", CHANGES)
def test_a_refresh_before_the_change_is_committed(change, under_way, now):
    user = users.customer()
    done = under_way(lambda: change(user, now), refreshing(user, now))
    with pytest.raises(InvalidRefreshToken):
        done.result()
    assert RefreshToken.objects.filter(used_at=None).count() == 1
    assert Session.objects.filter(ended_at=None).count() == 0


@pytest.mark.parametrize("change", CHANGES)
def test_an_admin_whose_password_was_checked_before(change, between):
    user = users.staff("support")
    work = signing_in_to_the_admin(user)
    done = between(passwords, "matches", lambda: change(user, clock.now()), work)
    assert "_auth_user_id" not in done.result().session
    assert not is_in_the_admin(done.result())


@pytest.mark.parametrize("change", CHANGES)
def test_an_admin_before_the_change_is_committed(change, under_way):
    user = users.staff("support")
    done = under_way(lambda: change(user, clock.now()), signing_in_to_the_admin(user))
    assert not is_in_the_admin(done.result())


def test_a_new_password_given_in_the_admin_ends_what_the_old_one_opened(now):
    user = users.staff("support")
    refresh = refreshing(user, now)
    users.admin_client_of(user).post(
        reverse("admin:password_change"),
        {
            "old_password": users.PASSWORD,
            "new_password1": "another lantern",
            "new_password2": "another lantern",
        },
    )
    with pytest.raises(InvalidRefreshToken):
        refresh()
