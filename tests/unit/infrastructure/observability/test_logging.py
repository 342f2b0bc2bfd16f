from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings

from infrastructure.observability.correlation import bind
from infrastructure.observability.logging import (
    REDACTED,
    configure,
    is_personal,
    log_request,
    scrub,
)

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def _configured(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    # Handlers keep the stream they were given, and pytest gives every test its own.
    configure(settings.LOGGING)
    yield
    configure(settings.LOGGING)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_one_json_object_with_the_ids_of_its_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with bind(request_id="r-1", correlation_id="c-1", causation_id="e-1", traceparent=traceparent):
        structlog.get_logger("shop").info("order_placed", order="o-1", lines=3)
    (line,) = lines(capsys)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "event": "order_placed",
        "level": "info",
        "logger": "shop",
        "service": "kontor",
        "version": "dev",
        "env": "test",
        "order": "o-1",
        "lines": 3,
        "request_id": "r-1",
        "correlation_id": "c-1",
        "causation_id": "e-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }


def test_the_standard_library_logs_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    with bind(request_id="r-1"):
        logging.getLogger("lib.part").warning("%d of %s", 3, "five", extra={"shard": 7})
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("3 of five", "warning", "lib.part")
    assert (line["request_id"], line["shard"]) == ("r-1", 7)


def test_text_over_many_lines_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().info('first\r\n{"forged": true}')
    (line,) = lines(capsys)
    assert line["event"] == 'first\r\n{"forged": true}'


@pytest.mark.parametrize(
    "name",
    [
        *("password", "new_password", "token", "refresh_token", "Authorization", "cookie"),
        *("set-cookie", "client_secret", "api_key", "card", "card_number", "cvc", "iban"),
        *("email", "customer_email", "phone", "shipping_address", "postcode", "line1"),
        *("first_name", "full_name", "credentials", "private_key"),
    ],
)
def test_values_of_personal_keys_are_replaced(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    structlog.get_logger().info("x", **{name: CANARY})
    logging.getLogger("lib").info("x", extra={name: CANARY})
    structlog.get_logger().info("x", body={"list": [{name: CANARY}]})
    out = capsys.readouterr().out
    assert CANARY not in out
    assert out.count(REDACTED) == 3


@pytest.mark.parametrize("name", ["event_id", "sku", "route", "status", "order", "topic", "lines"])
def test_other_keys_are_kept(name: str) -> None:
    assert not is_personal(name)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("mail to ann.canary-7f3a@example.com failed", "failed"),
        ("Authorization: Bearer canary-7f3a.abcdef", "Authorization"),
        ("Basic canary-7f3aQQQ==", "Basic"),
        ("token eyJhbGciOi.eyJjanary-canary-7f3a.c2ln end", "end"),
        ("used rt_canary-7f3a-0123456789abcdef twice", "twice"),
        ("paid with 4111 1111 1111 1111 today", "today"),
        ("DETAIL:  Key (email)=(canary-7f3a) already exists.", "already exists"),
        ("DETAIL:  Failing row contains (1, canary-7f3a, null).", "Failing row"),
        ("postgresql://app:canary-7f3a@db:5432/shop down", "down"),
    ],
)
def test_personal_parts_of_texts_are_replaced(
    capsys: pytest.CaptureFixture[str], text: str, kept: str
) -> None:
    try:
        raise RuntimeError(text)
    except RuntimeError:
        structlog.get_logger().exception("failed", reason=text)
        logging.getLogger("lib").exception("failed: %s", text)
    out = capsys.readouterr().out
    assert out.count(REDACTED) >= 4
    assert kept in out
    for secret in (CANARY, "4111 1111"):
        assert secret not in out


def test_texts_without_anything_personal_are_kept_as_they_are() -> None:
    for text in (
        "order 0198c7a1-b2c3-7d4e-8f90-a1b2c3d4e5f6 took 12.345678901234 ms",
        "GET /api/v1/orders/<uuid:order_id>",
        "2026-03-02T09:30:00.123456Z",
        "kontor.orders.order_created.v1 at offset 123456",
    ):
        assert scrub(text) == text


def test_the_readable_form_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    configure({"readable": True, "fields": {"service": "web"}})
    with bind(request_id="r-1", correlation_id="c-1"):
        structlog.get_logger("shop").info("order_placed", order="o-1", email=CANARY)
    assert capsys.readouterr().out[12:] == (
        " INFO    order_placed order=o-1 email=[redacted] request_id=r-1\n"
    )


def test_lines_below_the_level_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    configure({"level": "WARNING"})
    structlog.get_logger().info("quiet")
    logging.getLogger("lib").info("quiet")
    log_request(method="GET", route="/x", status=200, ms=1.0, actor=None)
    assert capsys.readouterr().out == ""


def test_a_log_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    structlog.get_logger().info("x")
    logging.getLogger("lib").info("x")
    log_request(method="GET", route="/x", status=200, ms=1.0, actor=None)


@pytest.mark.parametrize("readable", [False, True])
def test_a_line_is_written_even_where_its_text_is_no_text(
    capsys: pytest.CaptureFixture[str], readable: bool
) -> None:
    configure({**settings.LOGGING, "readable": readable})
    structlog.get_logger("shop").info("odd \ud800", name_of={"b\udc80": {"é\udfff"}})
    logging.getLogger("shop").warning("odder %s", "\ud800")
    first, second = capsys.readouterr().out.splitlines()
    assert "odd ?" in first
    assert ("é?" in first) is not readable
    assert "odder ?" in second
