"""Authorised money that is let go over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.payments import services
from domains.payments.gateways.port import Void
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.factories import payments, users
from tests.support.payment_api import post

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance() -> Client:
    return users.client_of(users.staff("finance"))


def test_a_void_lets_go_and_may_be_repeated(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)

    answers = [post(finance, f"/payments/{payment.id}/void", key=key) for key in ("a", "a", "b")]

    assert [(a.status_code, a.json()["status"]) for a in answers] == [(200, "VOIDED")] * 3
    assert ["Idempotency-Replayed" in a.headers for a in answers] == [False, True, False]
    assert len([r for r in gateway.sent if isinstance(r, Void)]) == 1


def test_a_void_of_what_was_taken_in_part_lets_the_rest_go(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now, amount_minor=1_000)
    services.capture(payment_id=payment.id, amount=Money(300, "GBP"), now=now)
    gateway.is_silent = True
    asked = post(finance, f"/payments/{payment.id}/void", key="a")
    gateway.is_silent = False

    answers = [post(finance, f"/payments/{payment.id}/void", key=key) for key in ("a", "b")]

    assert (asked.status_code, asked.json()["released"]["amount"]) == (202, "0.00")
    found = [(a.status_code, a.json()["status"], a.json()["released"]) for a in answers]
    assert found == [
        (202, "PARTIALLY_CAPTURED", {"amount": "0.00", "currency": "GBP"}),
        (200, "PARTIALLY_CAPTURED", {"amount": "7.00", "currency": "GBP"}),
    ]
    assert len({r.key for r in gateway.sent if isinstance(r, Void)}) == 1


def test_a_repeated_void_that_was_refused_has_no_second_effect(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "already_captured"

    answers = [post(finance, f"/payments/{payment.id}/void", key="once") for _ in range(3)]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "gateway_refused")
    assert len([r for r in gateway.sent if isinstance(r, Void)]) == 1
    post(finance, f"/payments/{payment.id}/void", key="another")
    assert len([r for r in gateway.sent if isinstance(r, Void)]) == 2
    gateway.refusal = ""
    assert post(finance, f"/payments/{payment.id}/void").json()["status"] == "VOIDED"
    again = post(finance, f"/payments/{payment.id}/void", key="once")
    assert (again.status_code, again.json()["status"]) == (200, "VOIDED")
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_repeated_void_says_refused_also_after_the_money_was_taken(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "too_late"
    post(finance, f"/payments/{payment.id}/void", key="once")
    gateway.refusal = ""
    post(finance, f"/payments/{payment.id}/capture", {}, key="take")

    answer = post(finance, f"/payments/{payment.id}/void", key="once")

    assert (answer.status_code, answer.json()["code"]) == (409, "gateway_refused")
    assert services.resolve(payment_id=payment.id, now=now).status == "CAPTURED"


@pytest.mark.django_db(transaction=True)
def test_the_same_void_ten_times_at_once_asks_the_gateway_for_one(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment = payments.authorised_payment(now)
    clerk = users.staff("finance")
    gateway.refusal = "too_late"

    def void() -> Any:
        return post(users.client_of(clerk), f"/payments/{payment.id}/void", key="once")

    answers = in_threads(*[void] * 10)

    assert {a.status_code for a in answers} <= {202, 409}
    assert void().json()["code"] == "gateway_refused"
    assert len({r.key for r in gateway.sent if isinstance(r, Void)}) == 1


def test_a_void_is_accepted_while_the_gateway_is_silent(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.is_silent = True

    answer = post(finance, f"/payments/{payment.id}/void")

    assert (answer.status_code, answer.json()["status"]) == (202, "UNKNOWN")


def test_captured_money_is_not_voided(finance: Client, now: datetime) -> None:
    payment = payments.captured_payment(now)

    answer = post(finance, f"/payments/{payment.id}/void")

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_already_captured")
