"""A step whose request is sent again, while the first one is at work or just after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from domains.orders.models import Order
from domains.orders.rules.placement import PLACEMENT_DEADLINE
from infrastructure import clock
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.after_placement import line_ids, reread, send_units
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, staff

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clerk() -> Client:
    return client_of(staff("admin"))


@pytest.fixture
def order(gateway: ScriptedGateway, now: datetime) -> Order:
    """One of its lines is sent, and open the other."""
    goods.stocked({"A": 5, "B": 5}, now=now)
    order = orders.placed({"A": 2, "B": 2}, now=now)
    send_units(order, {"A": 2}, now)
    return reread(order)


def send(client: Client, order: Order, path: str, *, key: str = "k") -> Any:
    sent = {"line_id": str(line_ids(order)["A"]), "quantity": 2}
    bodies: dict[str, Any] = {"refunds": {"all": True}, "returns": {"lines": [sent]}}
    return client.post(
        f"/api/v1/orders/{order.id}/{path}",
        bodies.get(path, {}),
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


@pytest.mark.parametrize("path", ["refunds", "capture", "fulfilments"])
def test_the_same_key_while_the_first_is_at_work_is_told_so_and_is_replayed_then(
    order: Order, clerk: Client, gateway: ScriptedGateway, path: str
) -> None:
    meanwhile: list[Any] = []

    def others_send() -> None:
        meanwhile.append(send(clerk, order, path))
        meanwhile.append(send(clerk, order, path, key="another"))

    gateway.before_answer = others_send
    first = send(clerk, order, path)
    same, other = meanwhile
    again = send(clerk, order, path)

    assert (same.status_code, same.json()["code"]) == (409, "in_progress")
    assert same["Retry-After"] == "1"
    assert (other.status_code, other.json()["code"]) == (409, "step_in_progress")
    done = 200 if path == "capture" else 201
    assert (first.status_code, again.status_code) == (done, done)
    assert again.json() == first.json()
    assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")


@pytest.mark.parametrize("path", ["refunds", "capture", "fulfilments", "returns"])
def test_whoever_is_overtaken_by_the_same_key_gets_the_answer_of_the_other(
    order: Order, clerk: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they would be refused by then, since nothing is left, is no answer to them."""
    looks, overtook = idempotency.find, list[Any]()

    def is_overtaken(alias: str, key: IdempotencyKey) -> UUID | None:
        found = looks(alias, key)
        if not overtook:
            overtook.append(None)
            overtook[:] = [send(clerk, order, path)]
        return found

    monkeypatch.setattr(idempotency, "find", is_overtaken)
    second = send(clerk, order, path)

    [first] = overtook
    done = 200 if path == "capture" else 201
    assert (first.status_code, second.status_code) == (done, done)
    assert second.json() == first.json()
    assert second["Idempotency-Replayed"] == "true"


def test_a_step_that_waits_for_a_second_person_is_replayed_as_it_is(
    order: Order, clerk: Client, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 0}

    asked, again = (send(clerk, order, "refunds") for _ in range(2))

    assert (asked.status_code, asked.json()["state"]) == (202, "AWAITING_APPROVAL")
    assert (again.status_code, again.json()) == (202, asked.json())
    assert again["Idempotency-Replayed"] == "true"


def test_what_the_gateway_does_not_answer_is_replayed_as_it_is_once_nobody_can_be_at_work(
    order: Order, clerk: Client, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever never heard of the step learns its id."""
    began = clock.now()
    monkeypatch.setattr(clock, "now", lambda: began)
    gateway.is_silent = True
    asked = send(clerk, order, "refunds")
    at_once = send(clerk, order, "refunds")
    monkeypatch.setattr(clock, "now", lambda: began + PLACEMENT_DEADLINE)
    later = send(clerk, order, "refunds")

    assert (asked.status_code, asked.json()["state"]) == (202, "REQUESTED")
    assert (at_once.status_code, at_once.json()["code"]) == (409, "in_progress")
    assert (later.status_code, later.json()) == (202, asked.json())
    assert later["Idempotency-Replayed"] == "true"
