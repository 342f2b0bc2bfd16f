from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client

from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import InvalidToken
from infrastructure.errors import DomainError, FieldError
from infrastructure.http import problems, views
from tests.support.http import Public

PAINT = '{"name":"door","price":{"amount":"1.20","currency":"EUR"},"coats":[{"colour":"red"}]}'
REQUEST_ID = "0123456789abcdef"


def problem_of(response: Any) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body.keys() == {
        *("type", "title", "status", "detail", "instance", "code", "trace_id", "errors")
    }
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["instance"] == response.wsgi_request.path
    assert body["trace_id"] == response.headers["X-Request-ID"]
    return body


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("get", "/nothing/here", {}, 404, "not_found"),
        ("get", "/api/v1/things/", {}, 404, "not_found"),
        ("get", "/api/v1/things/17", {}, 404, "not_found"),
        ("get", "/api/v1/th%00ings", {}, 404, "not_found"),
        ("get", "/api/v1/fails/http404", {}, 404, "not_found"),
        ("get", "/api/v1/fails/denied", {}, 403, "forbidden"),
        ("get", "/api/v1/fails/suspicious", {}, 400, "bad_request"),
        ("get", "/api/v1/fails/database", {}, 503, "unavailable"),
        ("get", "/api/v1/fails/bug", {}, 500, "internal_error"),
        ("get", "/api/v1/things", {"Host": "elsewhere.example"}, 400, "bad_request"),
        ("get", "/api/v1/things", {"Host": "bad host"}, 400, "bad_request"),
        ("get", "/api/v1/things", {"Accept": "text/html"}, 406, "not_acceptable"),
        ("get", "/api/v1/things?page=2", {}, 400, "invalid_parameters"),
        ("put", "/api/v1/things", {}, 405, "method_not_allowed"),
        ("trace", "/api/v1/things", {}, 405, "method_not_allowed"),
        ("post", "/plain", {}, 405, "method_not_allowed"),
        ("post", "/api/v1/things", {}, 401, "not_authenticated"),
        ("post", "/api/docs/", {}, 405, "method_not_allowed"),
    ],
)
def test_every_refusal_is_a_problem_document(
    api: Client, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    response = getattr(api, method)(path, headers={"X-Request-ID": REQUEST_ID, **headers})
    problem = problem_of(response)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["trace_id"] == REQUEST_ID


@pytest.mark.parametrize("path", ["database", "bug", "http404", "denied"])
def test_a_problem_tells_nothing_of_what_is_inside(api: Client, path: str) -> None:
    text = api.get(f"/api/v1/fails/{path}").content.decode()
    for inside in ("10.0.0.7", "hunter2", "Traceback", "RuntimeError", "row 17", "because"):
        assert inside not in text


def test_a_refusal_of_a_context_carries_its_code_its_faults_and_its_status(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in("things.write")
    response = api.post(
        "/api/v1/things",
        PAINT.replace("door", "no paint"),
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    problem = problem_of(response)
    assert (response.status_code, problem["code"]) == (409, "out_of_paint")
    assert (problem["title"], problem["detail"]) == ("Out of paint", "No paint left.")
    assert problem["errors"] == [
        {"pointer": "/coats/0", "code": "out_of_paint", "detail": "None left."}
    ]


def test_405_lists_the_methods_that_exist(api: Client) -> None:
    assert api.put("/api/v1/things").headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert api.post("/plain").headers["Allow"] == "GET, HEAD"


def test_options_needs_no_credentials_and_lists_the_methods(api: Client) -> None:
    response = api.options("/api/v1/things")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert "Content-Type" not in response.headers


def test_head_answers_like_get(api: Client) -> None:
    get, head = api.get("/api/v1/things"), api.head("/api/v1/things")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(get.content))


def test_the_wrong_scope_is_403_and_names_the_right_one(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in("things.read")
    response = api.post("/api/v1/things", PAINT, content_type="application/json")
    assert problem_of(response)["code"] == "missing_scope"
    assert 'scope="things.write"' in response.headers["WWW-Authenticate"]


def test_a_bad_token_is_401_even_where_none_is_needed(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: object) -> None:
        raise InvalidToken

    monkeypatch.setattr(views, "authenticate", refuse)
    response = api.get("/api/v1/things", headers={"Authorization": "Bearer x"})
    assert problem_of(response)["code"] == "invalid_token"
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_route_that_ignores_credentials_serves_callers_with_a_dead_token(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: object) -> None:
        raise InvalidToken

    monkeypatch.setattr(views, "authenticate", refuse)
    assert Public.ignores_credentials
    response = api.generic("POST", "/api/v1/public", headers={"Authorization": "Bearer x"})
    assert response.status_code == 204


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (PAINT, "text/plain", 415, "unsupported_media_type"),
        (PAINT, "application/merge-patch+json", 415, "unsupported_media_type"),
        ("a=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ('{"name":', "application/json", 400, "invalid_json"),
        ("", "application/json", 400, "invalid_json"),
        (b"\xff\xfe", "application/json", 400, "invalid_json"),
        ("[" * 5000, "application/json", 400, "invalid_json"),
        (PAINT + " " * 1_048_576, "application/json", 413, "body_too_large"),
        (PAINT, "application/json", 400, "idempotency_key_required"),
    ],
)
def test_bodies_that_cannot_be_read(
    api: Client,
    signed_in: Callable[..., Actor],
    body: str,
    kind: str,
    status: int,
    code: str,
) -> None:
    signed_in("things.write")
    response = api.post("/api/v1/things", body, content_type=kind)
    problem = problem_of(response)
    assert (problem["status"], problem["code"]) == (status, code)


def test_a_body_without_a_length_is_refused_by_name(
    api: Client, signed_in: Callable[..., Actor]
) -> None:
    signed_in("things.write")
    response = api.generic(
        "POST", "/api/v1/things", b"", "application/json", HTTP_TRANSFER_ENCODING="chunked"
    )
    assert problem_of(response)["code"] == "length_required"
    unwanted = api.generic("POST", "/api/v1/public", HTTP_TRANSFER_ENCODING="chunked")
    assert problem_of(unwanted)["code"] == "length_required"


def test_json_with_a_charset_is_json(api: Client, signed_in: Callable[..., Actor]) -> None:
    signed_in("things.write")
    response = api.post(
        "/api/v1/things",
        PAINT,
        content_type="application/json; charset=utf-8",
        headers={"Idempotency-Key": "k"},
    )
    assert response.status_code == 201


def test_an_operation_without_a_body_refuses_fields(api: Client) -> None:
    refused = api.post("/api/v1/public", {"a": 1}, content_type="application/json")
    assert problem_of(refused)["errors"] == [
        {"pointer": "/a", "code": "unknown_field", "detail": "Unknown field."}
    ]
    form = api.post("/api/v1/public", {"a": 1})
    assert problem_of(form)["code"] == "unsupported_media_type"
    empty = api.post("/api/v1/public", "{}", content_type="application/json")
    assert empty.status_code == 204


def test_a_broken_off_body_is_a_bad_request(
    monkeypatch: pytest.MonkeyPatch, signed_in: Callable[..., Actor], api: Client
) -> None:
    signed_in("things.write")

    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError("connection reset")

    original = WSGIRequest.__init__

    def broken(self: WSGIRequest, environ: dict[str, Any]) -> None:
        original(self, environ | {"CONTENT_LENGTH": "20"})
        self._stream = Broken()

    monkeypatch.setattr(WSGIRequest, "__init__", broken)
    response = api.post("/api/v1/things", PAINT, content_type="application/json")
    assert problem_of(response)["code"] == "bad_request"


def test_a_refusal_is_told_even_where_its_text_is_no_text() -> None:
    fault = FieldError("/na\udfffme", "bad_\ud800", "is \ud800", current="\udc80é")
    refusal = DomainError("Half a pair: \ud83d.", errors=[fault])
    told = json.loads(problems.document(refusal, instance="/t\ud800", trace_id=None))
    assert (told["detail"], told["instance"]) == ("Half a pair: ?.", "/t?")
    assert told["errors"] == [
        {"pointer": "/na?me", "code": "bad_?", "detail": "is ?", "current": "?é"}
    ]
    assert told["status"] == 409
