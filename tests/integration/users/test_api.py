from __future__ import annotations

import threading
from datetime import timedelta

import jwt
import pytest
from django.db import connections
from django.test import Client

from domains.users import services
from domains.users.models import User
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from tests.support.factories import users

pytestmark = pytest.mark.django_db

REGISTRATION = {"email": "ann@example.com", "password": users.PASSWORD, "name": "Ann Smith"}


def post(client: Client, path: str, body: object, **options):
    return client.post(f"/api/v1{path}", body, content_type="application/json", **options)


@pytest.fixture
def customer():
    return users.customer(email="ann@example.com", name="Ann Smith")


def tokens_of(client: Client, email: str = "ann@example.com") -> dict:
    answer = post(client, "/auth/token", {"email": email, "password": users.PASSWORD})
    assert answer.status_code == 200
    return answer.json()


def test_a_customer_registers_signs_in_and_reads_their_account(client):
    registered = post(client, "/auth/register", REGISTRATION)
    assert registered.status_code == 201
    signed_in = post(
        client, "/auth/token", {"email": "ann@example.com", "password": users.PASSWORD}
    )
    assert signed_in.status_code == 200
    assert set(signed_in.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (signed_in.json()["token_type"], signed_in.json()["expires_in"]) == ("Bearer", 600)
    assert signed_in.headers["Cache-Control"] == "no-store"
    bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    me = client.get("/api/v1/users/me", headers=bearer)
    assert me.status_code == 200
    assert me.json() == registered.json()
    assert me.json()["name"] == "Ann Smith"
    assert me.headers["ETag"] == '"v1"'


def test_a_name_is_optional(client):
    body = {"email": "ann@example.com", "password": users.PASSWORD}
    assert post(client, "/auth/register", body).json()["name"] == ""


def test_a_taken_address_is_a_conflict(client, customer):
    answer = post(client, "/auth/register", REGISTRATION | {"email": "ANN@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert answer.json()["errors"][0]["pointer"] == "/email"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "no address"}, "/email"),
        ({"email": "ann@example.com\n"}, "/email"),
        ({"email": f"{'x' * 250}@example.com"}, "/email"),
        ({"password": "short"}, "/password"),
        ({"password": "x" * 129}, "/password"),
        ({"password": "password123"}, "/password"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "Ann\nSmith"}, "/name"),
        ({"is_staff": True}, "/is_staff"),
        ({"roles": ["admin"]}, "/roles"),
    ],
)
def test_what_cannot_be_registered_is_named(client, change, pointer):
    answer = post(client, "/auth/register", REGISTRATION | change)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert User.objects.count() == 0


def test_registering_twice_with_one_key_is_one_account(client):
    key = {"Idempotency-Key": "registration-1"}
    first = post(client, "/auth/register", REGISTRATION, headers=key)
    second = post(client, "/auth/register", REGISTRATION, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    other = post(client, "/auth/register", REGISTRATION | {"email": "b@example.com"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_registering_with_one_key_from_many_threads_is_one_account_and_one_answer():
    start, answers = threading.Barrier(8), []

    def register() -> None:
        try:
            start.wait()
            key = {"Idempotency-Key": "registration-1"}
            answer = post(Client(), "/auth/register", REGISTRATION, headers=key)
            answers.append((answer.status_code, answer.json().get("id")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=register) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(201, str(User.objects.get().id))] * 8


@pytest.mark.parametrize("email", ["ann@example.com", "nobody@example.com"])
def test_wrong_credentials_get_one_answer(client, customer, email):
    answer = post(client, "/auth/token", {"email": email, "password": "wrong"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_credentials"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="kontor"'


def test_an_inactive_user_gets_the_answer_of_wrong_credentials(client, customer, now):
    services.deactivate(user_id=customer.id, scopes=users.EVERY_SCOPE, now=now)
    body = {"email": "ann@example.com", "password": users.PASSWORD}
    assert post(client, "/auth/token", body).json()["code"] == "invalid_credentials"


def test_a_refresh_token_is_traded_once(client, customer):
    tokens = tokens_of(client)
    body = {"refresh_token": tokens["refresh_token"]}
    refreshed = post(client, "/auth/token/refresh", body)
    assert refreshed.status_code == 200
    assert refreshed.json()["refresh_token"].startswith("rt_")
    assert refreshed.headers["Cache-Control"] == "no-store"
    again = post(client, "/auth/token/refresh", body)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_refresh_token")


def test_an_expired_access_token_does_not_stand_in_the_way_of_a_refresh(client, customer):
    tokens = tokens_of(client)
    expired = users.access_token(customer, now=clock.now() - timedelta(hours=1))
    refreshed = post(
        client,
        "/auth/token/refresh",
        {"refresh_token": tokens["refresh_token"]},
        headers={"Authorization": f"Bearer {expired}"},
    )
    assert refreshed.status_code == 200


def test_signing_out_ends_the_refresh_token(client, customer):
    body = {"refresh_token": tokens_of(client)["refresh_token"]}
    assert post(client, "/auth/logout", body).status_code == 204
    assert post(client, "/auth/logout", body).status_code == 204
    assert post(client, "/auth/token/refresh", body).status_code == 401


def test_me_changes_the_name_and_nothing_else(customer):
    me = users.client_of(customer)

    def patch(body, **options):
        return me.patch("/api/v1/users/me", body, content_type="application/json", **options)

    changed = patch({"name": "Ann Jones"})
    assert (changed.status_code, changed.json()["name"]) == (200, "Ann Jones")
    assert changed.headers["ETag"] == '"v2"'
    for field in ("email", "is_staff", "is_superuser", "roles", "id"):
        assert patch({"name": "x", field: "admin"}).status_code == 400
    assert patch({"name": "x"}, headers={"If-Match": '"v1"'}).status_code == 412
    assert patch({"name": "x"}, headers={"If-Match": '"v2"'}).status_code == 200


@pytest.mark.parametrize("known_already", [True, False])
def test_me_costs_one_statement_beside_the_identity(
    customer, django_assert_num_queries, known_already
):
    me = users.client_of(customer)
    if known_already:
        me.get("/api/v1/users/me")
    with django_assert_num_queries(1 if known_already else 2, using=alias_of("users")):
        assert me.get("/api/v1/users/me").status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("Bearer nonsense", "invalid_token"),
        ("Bearer ", "invalid_token"),
        ("Basic YTpi", "invalid_token"),
        ("Bearer " + "x" * 5_000, "invalid_token"),
    ],
)
def test_me_needs_a_valid_token(client, customer, header, code):
    headers = {"Authorization": header} if header else {}
    answer = client.get("/api/v1/users/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_token_and_one_of_an_ended_session_are_refused(client, customer, now):
    expired = users.access_token(customer, now=clock.now() - timedelta(minutes=11))
    me = users.client_of(customer)
    assert me.get("/api/v1/users/me").status_code == 200
    services.end_sessions(user_id=customer.id, scopes=users.EVERY_SCOPE, now=now)
    assert me.get("/api/v1/users/me").json()["code"] == "invalid_token"
    headers = {"Authorization": f"Bearer {expired}"}
    assert client.get("/api/v1/users/me", headers=headers).json()["code"] == "invalid_token"


def test_a_token_of_nobody_is_refused(client, customer):
    customer.id = new_id()
    assert users.client_of(customer).get("/api/v1/users/me").status_code == 401


def test_customers_cannot_look_at_users(customer):
    other = users.customer()
    me = users.client_of(customer)
    for path in ("/api/v1/users", f"/api/v1/users/{other.id}", f"/api/v1/users/{customer.id}"):
        answer = me.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize(
    ("role", "status"),
    [("support", 200), ("admin", 200), ("catalogue", 403), ("finance", 403), ("fulfilment", 403)],
)
def test_users_are_read_by_the_roles_that_hold_the_scope(customer, role, status):
    clerk = users.client_of(users.staff(role))
    assert clerk.get("/api/v1/users").status_code == status
    assert clerk.get(f"/api/v1/users/{customer.id}").status_code == status


def test_staff_page_through_users_the_newest_first(django_assert_num_queries):
    clerk = users.client_of(users.staff("support"))
    customers = [users.customer() for _ in range(3)]
    clerk.get("/api/v1/users/me")
    with django_assert_num_queries(1, using=alias_of("users")):
        first = clerk.get("/api/v1/users?is_staff=false&limit=2").json()
    second = clerk.get(f"/api/v1/users?is_staff=false&limit=2&cursor={first['next']}").json()
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == [str(user.id) for user in reversed(customers)]
    assert second["next"] is None


def test_staff_read_one_user():
    clerk_user = users.staff("support")
    clerk = users.client_of(clerk_user)
    answer = clerk.get(f"/api/v1/users/{clerk_user.id}")
    assert answer.json()["roles"] == ["support"]
    assert "password" not in answer.json()
    missing = clerk.get(f"/api/v1/users/{new_id()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "user_not_found")


def test_the_public_keys_verify_a_token_elsewhere(client, customer):
    answer = client.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    token = users.access_token(customer)
    key = jwt.PyJWKSet.from_dict(answer.json())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="kontor")
    assert claims["sub"] == str(customer.id)
