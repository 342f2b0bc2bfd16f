from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from structlog.testing import capture_logs

from domains.users import services, tasks
from domains.users.errors import InvalidCredentials, InvalidRefreshToken
from domains.users.models import RefreshToken, Session
from infrastructure.auth import identities
from infrastructure.auth.authentication import actor_of
from infrastructure.auth.errors import InvalidToken
from infrastructure.auth.tokens import access_tokens
from infrastructure.database.contexts import alias_of, connection_of
from infrastructure.http.errors import RateLimited
from tests.support.factories import users

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return users.customer()


@pytest.fixture
def signed_in(customer, now):
    return services.sign_in(email=customer.email, password=users.PASSWORD, now=now)


def test_signing_in_costs_two_statements(customer, now, django_assert_num_queries):
    with django_assert_num_queries(2, using=alias_of("users")):
        services.sign_in(email=customer.email, password=users.PASSWORD, now=now)


def test_the_access_token_names_user_and_session(customer, signed_in, now):
    claims = access_tokens().verify(signed_in.access_token, now=now)
    assert (claims.user_id, claims.session_id) == (customer.id, signed_in.session_id)
    assert claims.generation == 1
    assert claims.expires_at == now + timedelta(seconds=signed_in.expires_in)
    assert actor_of(signed_in.access_token, now=now).id == customer.id


def test_an_actor_known_already_costs_no_statement(signed_in, now, django_assert_num_queries):
    identities.clear()
    with django_assert_num_queries(1, using=alias_of("users")):
        for _ in range(3):
            actor_of(signed_in.access_token, now=now)


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(customer, now, password):
    refusals = []
    for email in (customer.email, "nobody@example.com"):
        with pytest.raises(InvalidCredentials) as refusal:
            services.sign_in(email=email, password=password, now=now)
        refusals.append((refusal.value.detail, refusal.value.headers))
    assert refusals[0] == refusals[1]
    assert Session.objects.count() == 0


def test_sign_ins_are_logged_by_id_and_never_by_address(customer, now):
    with capture_logs() as logs:
        services.sign_in(email=customer.email, password=users.PASSWORD, now=now)
        with pytest.raises(InvalidCredentials):
            services.sign_in(email="nobody@example.com", password="x", now=now)
    assert [(log["event"], log["user_id"]) for log in logs] == [
        ("authn_login_success", str(customer.id)),
        ("authn_login_fail", None),
    ]
    assert "@" not in str(logs)


def test_no_readable_refresh_token_is_in_the_database(signed_in):
    with connection_of("users").cursor() as cursor:
        cursor.execute(
            """
            SELECT table_schema, table_name FROM information_schema.tables
            WHERE table_schema IN ('users', 'platform') AND table_type = 'BASE TABLE'
            """
        )
        tables = cursor.fetchall()
    assert ("users", "users_refreshtoken") in tables
    secret = signed_in.refresh_token.removeprefix("rt_")
    with connection_of("users").cursor() as cursor, cursor.connection.cursor() as plain:
        for schema, table in tables:
            plain.execute(
                f'SELECT count(*) FROM "{schema}"."{table}" t WHERE t::text LIKE %s',
                [f"%{secret}%"],
            )
            assert plain.fetchone() == (0,), table


def test_a_refresh_token_works_once_and_its_successor_next(signed_in, now):
    second = services.refresh(refresh_token=signed_in.refresh_token, now=now)
    assert second.refresh_token != signed_in.refresh_token
    assert second.session_id == signed_in.session_id
    third = services.refresh(refresh_token=second.refresh_token, now=now)
    assert third.session_id == signed_in.session_id


def test_refreshing_costs_two_statements(signed_in, now, django_assert_num_queries):
    with django_assert_num_queries(2, using=alias_of("users")):
        services.refresh(refresh_token=signed_in.refresh_token, now=now)


def test_a_token_that_comes_back_ends_its_session_for_both_holders(customer, signed_in, now):
    second = services.refresh(refresh_token=signed_in.refresh_token, now=now)
    other_device = services.sign_in(email=customer.email, password=users.PASSWORD, now=now)
    with capture_logs() as logs, pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token=signed_in.refresh_token, now=now)
    assert [log["event"] for log in logs] == ["authn_token_reuse"]
    assert logs[0]["session_id"] == str(signed_in.session_id)
    with pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token=second.refresh_token, now=now)
    assert Session.objects.get(pk=signed_in.session_id).end_reason == "TOKEN_REUSED"
    assert services.refresh(refresh_token=other_device.refresh_token, now=now)


def test_an_unknown_token_is_refused_and_ends_nothing(signed_in, now):
    with capture_logs() as logs, pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token="rt_unknown", now=now)
    assert logs == []
    assert Session.objects.filter(ended_at=None).count() == 1


def test_a_session_ends_after_14_days_without_a_refresh(signed_in, now):
    almost = now + timedelta(days=14) - timedelta(seconds=1)
    refreshed = services.refresh(refresh_token=signed_in.refresh_token, now=almost)
    with pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token=refreshed.refresh_token, now=almost + timedelta(days=14))


def test_a_session_ends_60_days_after_signing_in_however_busy_it_is(signed_in, now):
    token = signed_in.refresh_token
    for day in (13, 26, 39, 52):
        token = services.refresh(refresh_token=token, now=now + timedelta(days=day)).refresh_token
    last = RefreshToken.objects.get(used_at=None)
    assert last.expires_at == now + timedelta(days=60)
    with pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token=token, now=now + timedelta(days=60))


def test_signing_out_ends_the_session_and_can_be_repeated(signed_in, now):
    services.sign_out(refresh_token=signed_in.refresh_token, now=now)
    services.sign_out(refresh_token=signed_in.refresh_token, now=now + timedelta(hours=1))
    services.sign_out(refresh_token="rt_unknown", now=now)
    session = Session.objects.get()
    assert (session.ended_at, session.end_reason) == (now, "SIGNED_OUT")
    with pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token=signed_in.refresh_token, now=now)


def test_ending_all_sessions_ends_access_tokens_too(customer, signed_in, now):
    services.sign_in(email=customer.email, password=users.PASSWORD, now=now)
    actor_of(signed_in.access_token, now=now)
    assert services.end_sessions(user_id=customer.id, scopes=users.EVERY_SCOPE, now=now) == 2
    with pytest.raises(InvalidToken):
        actor_of(signed_in.access_token, now=now)
    with pytest.raises(InvalidRefreshToken):
        services.refresh(refresh_token=signed_in.refresh_token, now=now)


def test_sessions_long_over_are_forgotten_and_younger_ones_kept(customer, signed_in, now):
    services.refresh(refresh_token=signed_in.refresh_token, now=now)
    later = now + timedelta(days=40)
    kept = services.sign_in(email=customer.email, password=users.PASSWORD, now=later)
    assert services.purge_sessions(now=now + timedelta(days=90)) == 0
    assert services.purge_sessions(now=now + timedelta(days=90, seconds=1)) == 1
    assert list(Session.objects.values_list("pk", flat=True)) == [kept.session_id]
    assert RefreshToken.objects.count() == 1


def test_the_scheduled_task_forgets_in_batches(customer, now, monkeypatch):
    monkeypatch.setattr(tasks, "BATCH", 2)
    for _ in range(5):
        services.sign_in(email=customer.email, password=users.PASSWORD, now=now)
    monkeypatch.setattr("infrastructure.clock.now", lambda: now + timedelta(days=91))
    assert tasks.purge_sessions() == 5
    assert Session.objects.count() == 0


def test_five_tries_a_minute_for_one_account_whoever_tries(customer, now, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login_account": "5/min"}
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            services.sign_in(email=customer.email, password="wrong", now=now)
    with pytest.raises(RateLimited) as refusal:
        services.sign_in(email=customer.email.upper(), password=users.PASSWORD, now=now)
    assert 0 < int(refusal.value.headers["Retry-After"]) <= 12
    other = users.customer()
    assert services.sign_in(email=other.email, password=users.PASSWORD, now=now)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_use_one_refresh_token_one_wins_and_the_session_ends(now):
    customer = users.customer()
    token = services.sign_in(email=customer.email, password=users.PASSWORD, now=now).refresh_token
    start, outcomes = threading.Barrier(20), []

    def refresh() -> None:
        try:
            start.wait()
            services.refresh(refresh_token=token, now=now)
            outcomes.append("won")
        except InvalidRefreshToken:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=refresh) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 19 + ["won"]
    assert Session.objects.get().end_reason == "TOKEN_REUSED"
    assert RefreshToken.objects.count() == 2
