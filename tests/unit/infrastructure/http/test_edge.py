from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from infrastructure.auth.actor import Actor
from infrastructure.http import health
from infrastructure.http.health import Readiness
from infrastructure.observability import correlation
from tests.unit.infrastructure.http.conftest import ACTOR_ID

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("given", ["0123456789abcdef", "A-b-" * 16, "x" * 16])
def test_a_proper_request_id_is_kept(api: Client, given: str) -> None:
    response = api.get("/api/v1/things", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "0123456789abcde!", "0123456789abcdef\n", "é" * 20]
)
def test_any_other_request_id_is_replaced(api: Client, given: str) -> None:
    response = api.get("/api/v1/things", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
    assert response.headers["X-Request-ID"] != given


def test_two_requests_have_two_ids(api: Client) -> None:
    ids = {api.get("/api/v1/things").headers["X-Request-ID"] for _ in range(20)}
    assert len(ids) == 20


def test_a_trace_is_continued_with_a_new_span(
    api: Client, monkeypatch: pytest.MonkeyPatch, signed_in: Callable[..., Actor]
) -> None:
    seen: list[correlation.Correlation] = []
    signed_in()
    original = correlation.enter

    def spy(found: correlation.Correlation) -> Any:
        seen.append(found)
        return original(found)

    monkeypatch.setattr(correlation, "enter", spy)
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    response = api.get("/api/v1/things", headers={"traceparent": parent})
    traceparent = seen[0].traceparent or ""
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", traceparent)
    assert traceparent != parent
    assert response.headers["X-Request-ID"] == TRACE
    for bad in ("nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01", parent + "-x"):
        api.get("/api/v1/things", headers={"traceparent": bad})
        assert TRACE not in (seen[-1].traceparent or "")


def test_nothing_of_a_request_is_left_behind(api: Client) -> None:
    api.get("/api/v1/things")
    api.get("/api/v1/fails/bug")
    assert correlation.current() == correlation.Correlation()


API_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/things", 200),
        ("/api/v1/nothing", 404),
        ("/api/v1/fails/bug", 500),
        ("/health/live", 200),
        ("/metrics", 200),
    ],
)
def test_the_security_headers_of_the_api(api: Client, path: str, status: int) -> None:
    response = api.get(path)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in API_HEADERS} == API_HEADERS
    assert "Server" not in response.headers


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_a_probe_only_asks(api: Client, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def check() -> dict[str, str]:
        asked.append(path)
        return {}

    monkeypatch.setattr(health, "readiness", Readiness(check))
    refused = api.post(path)
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET, HEAD"
    assert asked == []


def test_nobody_outside_is_told_that_there_are_metrics(api: Client) -> None:
    assert api.post("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404


@pytest.mark.parametrize(("typed", "page"), [("/api/docs", "/api/docs/"), ("/admin", "/admin/")])
def test_pages_for_people_are_found_without_their_last_slash(
    settings: Any, typed: str, page: str
) -> None:
    settings.ROOT_URLCONF = "config.urls"
    assert Client().get(typed).headers["Location"] == page


def test_hsts_where_it_is_switched_on(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 63_072_000
    response = Client().get("/api/v1/things")
    assert response.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_plain_http_is_refused_where_only_https_is_served(settings: Any) -> None:
    settings.HTTPS_ONLY = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    client = Client()
    refused = client.get("/api/v1/things")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.json()["detail"] == "Nothing is served over plain HTTP."
    assert client.get("/api/v1/things", headers={"X-Forwarded-Proto": "https"}).status_code == 200
    # A probe comes from inside.
    assert client.get("/health/live").status_code == 200


def test_the_documentation_runs_under_a_policy_without_inline_code(api: Client) -> None:
    page = api.get("/api/docs/")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    html = page.content.decode()
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"""(src|href)="(https?:)?//""", html)
    for address in re.findall(r"""(?:src|href)="([^"]+)""", html):
        found = api.get(address.replace("&amp;", "&"))
        assert found.status_code == 200, address
        b"".join(found.streaming_content) if found.streaming else found.content


def test_the_log_has_one_line_per_request_with_the_template_of_its_route(
    api: Client, signed_in: Callable[..., Actor], capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in()
    api.get(f"/api/v1/things/{ACTOR_ID}", headers={"X-Request-ID": "0123456789abcdef"})
    (line,) = capsys.readouterr().out.splitlines()
    for part in (
        '"event":"request"',
        '"method":"GET"',
        '"route":"/api/v1/things/<uuid:thing_id>"',
        '"status":200',
        f'"actor":"{ACTOR_ID}"',
        '"request_id":"0123456789abcdef"',
        '"env":"test"',
    ):
        assert part in line
    assert re.search(r'"ms":\d', line)


def test_a_query_string_is_in_no_log_line(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.get("/api/v1/fails/bug?token=canary-value")
    api.get("/api/v1/nothing/canary-value")
    assert "canary-value" not in capsys.readouterr().out


def test_probes_are_neither_logged_nor_held_against_the_host(
    api: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    response = api.get("/health/live", headers={"Host": "10.1.2.3:8000"})
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert capsys.readouterr().out == ""


def test_not_ready_names_what_is_missing(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "readiness", Readiness(dict))
    assert api.get("/health/ready").json() == {"status": "ready"}
    failing = Readiness(lambda: {"default": "OperationalError"})
    monkeypatch.setattr(health, "readiness", failing)
    response = api.get("/health/ready")
    assert (response.status_code, response.json()) == (
        503,
        {"status": "not ready", "failures": {"default": "OperationalError"}},
    )


def test_readiness_asks_once_a_second() -> None:
    asked: list[int] = []
    time_s = 100.0

    def check() -> dict[str, str]:
        asked.append(1)
        return {}

    readiness = Readiness(check, clock=lambda: time_s)
    for _ in range(5):
        assert readiness.failures() == {}
    assert len(asked) == 1
    time_s += 1.0
    readiness.failures()
    assert len(asked) == 2


def test_a_hanging_database_does_not_hold_up_the_probe() -> None:
    release = threading.Event()

    def hang() -> dict[str, str]:
        release.wait(60)
        return {}

    readiness = Readiness(hang, timeout_s=0.05)
    assert readiness.failures() == {"databases": "timeout"}
    assert readiness.failures() == {"databases": "timeout"}
    release.set()


@pytest.mark.parametrize(
    ("meta", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "10.9.8.7", "HTTP_HOST": "10.1.1.1:8000"}, 200),
        ({"REMOTE_ADDR": "203.0.113.9"}, 404),
        ({"REMOTE_ADDR": "10.9.8.7", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 404),
        ({"REMOTE_ADDR": "10.9.8.7", "HTTP_FORWARDED": "for=203.0.113.9"}, 404),
        ({"REMOTE_ADDR": ""}, 404),
    ],
)
def test_metrics_are_for_scrapers_inside(api: Client, meta: dict[str, str], status: int) -> None:
    assert api.get("/metrics", **meta).status_code == status


def test_requests_are_counted_by_route_template_and_code_class(api: Client) -> None:
    def count(line_start: str) -> float:
        text = api.get("/metrics").content.decode()
        found = [line for line in text.splitlines() if line.startswith(line_start)]
        return float(found[0].split()[-1]) if found else 0.0

    series = (
        'http_request_duration_seconds_count{code_class="4xx",method="GET",'
        'route="/api/v1/things/<uuid:thing_id>"}'
    )
    before = count(series)
    api.get(f"/api/v1/things/{ACTOR_ID}")
    assert count(series) == before + 1
    text = api.get("/metrics").content.decode()
    assert str(ACTOR_ID) not in text
    strange = 'http_request_duration_seconds_count{code_class="4xx",method="other",route="(none)"}'
    before = count(strange)
    api.generic("BREW", "/nowhere")
    assert count(strange) == before + 1
