from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory

from infrastructure.auth.actor import Actor
from infrastructure.errors import StaleVersion
from infrastructure.http.errors import InvalidHeader
from infrastructure.http.idempotency import fingerprint_of, key_of
from infrastructure.http.limits import identity_of
from infrastructure.http.requests import (
    Preference,
    accepts_json,
    client_ip,
    none_match,
    preference,
    version_of_if_match,
)
from infrastructure.http.types import GivenMoney
from tests.support.http import Coat, Paint
from tests.unit.infrastructure.http.conftest import ACTOR_ID

THING = "/api/v1/things/0198c7a1-b2c3-7d4e-8f90-a1b2c3d4e5f6"
PAINT = '{"name":"door","price":{"amount":"1.20","currency":"EUR"},"coats":[{"colour":"red"}]}'


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        ("*/*", True),
        ("application/json", True),
        ("application/*;q=0.1", True),
        ("text/html, application/json;q=0.9", True),
        ("application/problem+json", True),
        ("text/html", False),
        ("application/json;q=0", False),
        ("*/*, application/json;q=0", False),
        ("*/*;q=0, application/json", True),
        ("application/json;q=nonsense", False),
    ],
)
def test_the_most_specific_range_of_accept_decides(accept: str, answer: bool) -> None:
    assert accepts_json(accept) is answer


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("respond-async", Preference(respond_async=True)),
        ("respond-async, wait=10", Preference(respond_async=True, wait_s=10)),
        ("Respond-Async; foo", Preference(respond_async=True)),
        ('return=minimal, wait="5"', Preference(wait_s=5)),
        ("wait=5, wait=9", Preference(wait_s=5)),
        ("wait=soon", Preference()),
        ("", Preference()),
    ],
)
def test_preferences(header: str, wanted: Preference) -> None:
    assert preference(header) == wanted


def test_if_match_names_one_version() -> None:
    assert version_of_if_match('"v7"') == 7
    assert version_of_if_match(" * ") is None
    for stale in ('W/"v7"', '"7"', '"vx"', '"v99999999999"'):
        with pytest.raises(StaleVersion):
            version_of_if_match(stale)
    for invalid in ("v7", '"v6", "v7"', '"v7', ""):
        with pytest.raises(InvalidHeader):
            version_of_if_match(invalid)


def test_if_none_match_compares_weakly_and_takes_lists() -> None:
    assert none_match('"v7"', '"v7"')
    assert none_match('W/"v7"', '"v7"')
    assert none_match('"v6", "v7"', '"v7"')
    assert none_match("*", '"v7"')
    assert not none_match('"v6"', '"v7"')
    assert not none_match("v7", '"v7"')


def test_a_get_of_the_version_one_has_is_304_without_a_body(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in()
    fresh = api.get(THING)
    assert (fresh.status_code, fresh.headers["ETag"]) == (200, '"v7"')
    assert fresh.json()["painted_at"] == "2026-03-02T09:30:00Z"
    unchanged = api.get(THING, headers={"If-None-Match": '"v7"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == '"v7"'
    assert "Content-Type" not in unchanged.headers
    assert api.get(THING, headers={"If-None-Match": '"v6"'}).status_code == 200


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 428, "if_match_required"),
        ('"v6"', 412, "stale_version"),
        ('W/"v7"', 412, "stale_version"),
        ("v7", 400, "invalid_header"),
        ('"v7"', 200, None),
        ("*", 200, None),
    ],
)
def test_a_contended_change_names_the_version_it_is_based_on(
    api: Client,
    signed_in: Callable[..., Actor],
    header: str | None,
    status: int,
    code: str | None,
) -> None:
    signed_in("things.write")
    headers = {"If-Match": header} if header else {}
    response = api.patch(THING, {"colour": "red"}, "application/json", headers=headers)
    assert response.status_code == status
    assert response.json().get("code") == code


def test_a_patch_may_be_a_merge_patch(api: Client, signed_in: Callable[..., Actor]) -> None:
    signed_in("things.write")
    response = api.patch(
        THING, '{"colour":"red"}', "application/merge-patch+json", headers={"If-Match": "*"}
    )
    assert response.status_code == 200
    refused = api.patch(THING, "colour: red", "text/yaml", headers={"If-Match": "*"})
    assert refused.headers["Accept-Patch"] == "application/json, application/merge-patch+json"


def test_an_answer_without_a_body_has_no_content_type(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in("things.write")
    response = api.delete(THING)
    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize(
    ("header", "key"),
    [("abc", "abc"), ('"abc"', "abc"), (r'"a\"b\\c"', 'a"b\\c'), ("x" * 255, "x" * 255)],
)
def test_an_idempotency_key_is_quoted_or_bare(header: str, key: str) -> None:
    assert key_of(header) == key


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "a b", "ключ", "a\tb", "\x7f"])
def test_an_idempotency_key_is_1_to_255_visible_ascii_characters(header: str) -> None:
    with pytest.raises(InvalidHeader):
        key_of(header)


def test_the_key_belongs_to_a_client_and_a_route(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in("things.write")
    response = api.post(
        "/api/v1/things", PAINT, "application/json", headers={"Idempotency-Key": '"k-1"'}
    )
    assert response.json() == {
        "price": {"amount": "1.20", "currency": "EUR"},
        "key": "k-1",
        "route": "POST api/v1/things",
        "client": f"actor:{ACTOR_ID}",
    }


def test_the_preference_that_was_applied_is_said(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in("things.write")
    headers = {"Idempotency-Key": "k", "Prefer": "respond-async"}
    response = api.post("/api/v1/things", PAINT, "application/json", headers=headers)
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "respond-async")


def test_a_fingerprint_is_of_what_is_asked_for_not_of_how_it_is_written() -> None:
    def paint(colour: str) -> Paint:
        price = GivenMoney(amount="1.20", currency="EUR")
        return Paint(name="door", price=price, coats=[Coat(colour=colour)])

    assert fingerprint_of(paint("red")) == fingerprint_of(paint("red"))
    assert fingerprint_of(paint("red")) != fingerprint_of(paint("blue"))
    assert fingerprint_of({"a": 1, "b": 2}) == fingerprint_of({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("proxies", "forwarded", "wanted"),
    [
        (0, "6.6.6.6", "10.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "", "10.0.0.1"),
    ],
)
def test_the_client_is_who_the_trusted_proxies_saw(
    rf: RequestFactory, settings: Any, proxies: int, forwarded: str, wanted: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", **headers)
    assert str(client_ip(request.META)) == wanted


def test_what_is_no_address_is_nobody(rf: RequestFactory, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    assert client_ip(rf.get("/", HTTP_X_FORWARDED_FOR="<script>").META) is None


def test_a_caller_without_a_token_is_an_address_and_in_ipv6_a_network(rf: RequestFactory) -> None:
    assert identity_of(None, rf.get("/", REMOTE_ADDR="203.0.113.9").META) == "ip:203.0.113.9"
    inside = rf.get("/", REMOTE_ADDR="2001:db8:1:2:3:4:5:6")
    assert identity_of(None, inside.META) == "ip:2001:db8:1:2::/64"
    assert identity_of(Actor(id=ACTOR_ID), inside.META) == f"actor:{ACTOR_ID}"
