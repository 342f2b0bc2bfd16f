"""Notes, and what staff decide, sent again under their key: once, and told so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.orders.models import Order
from infrastructure.database.threads import in_threads
from infrastructure.ids import new_id
from tests.support.after_placement import codes_of, line_ids, money_of, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, staff
from tests.support.order_steps import fulfil

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clerk() -> Client:
    return client_of(staff("admin"))


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 4}, now=now)
    fulfil(order, now)
    return reread(order)


def send(client: Client, order: Order, path: str, content: Any = None, *, key: str = "k") -> Any:
    return client.post(
        f"/api/v1/orders/{order.id}/{path}",
        {} if content is None else content,
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


def announced(client: Client, order: Order) -> str:
    content = {"lines": [{"line_id": str(line_ids(order)["A"]), "quantity": 1}]}
    return f"returns/{send(client, order, 'returns', content, key=str(new_id())).json()['id']}"


def asked(client: Client, order: Order, settings: Any) -> str:
    """A refund that waits for a second person."""
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 500}
    amount = {"amount": {"amount": "6.00", "currency": "GBP"}}
    return f"steps/{send(client, order, 'refunds', amount, key=str(new_id())).json()['id']}"


def assert_told_again(first: Any, again: Any) -> None:
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"


def test_a_note_is_left_once(order: Order, clerk: Client) -> None:
    first, again = (send(clerk, order, "notes", {"text": "Rang."}) for _ in range(2))
    assert (first.status_code, again.status_code) == (204, 204)
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert codes_of(order).count("note") == 1
    reused = send(clerk, order, "notes", {"text": "Rang twice."})
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert send(clerk, order, "notes", {"text": "Rang."}, key="k2").status_code == 204
    assert codes_of(order).count("note") == 2


def test_notes_sent_at_once_under_one_key_are_one(order: Order, clerk: Client) -> None:
    answers: list[Any] = []
    in_threads(
        lambda _: answers.append(send(clerk, order, "notes", {"text": "Rang."})),
        range(4),
        threads=4,
    )
    assert [answer.status_code for answer in answers] == [204] * 4
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 3
    assert codes_of(order).count("note") == 1


def test_a_return_is_accepted_once(order: Order, clerk: Client) -> None:
    way = announced(clerk, order)
    first, again = (send(clerk, order, f"{way}/approve") for _ in range(2))
    assert_told_again(first, again)
    assert first.json()["state"] == "APPROVED"
    other = send(clerk, order, f"{way}/approve", key="another")
    assert (other.status_code, other.json()["code"]) == (409, "return_not_open")
    assert codes_of(order).count("return_approved") == 1
    # The key is for this return; and the answer is how it is by now.
    assert send(clerk, order, f"{announced(clerk, order)}/approve").status_code == 422
    send(clerk, order, f"{way}/receive", key="receive")
    later = send(clerk, order, f"{way}/approve")
    assert (later.status_code, later.json()["state"]) == (200, "RECEIVED")


def test_a_return_is_refused_once(order: Order, clerk: Client) -> None:
    way, why = announced(clerk, order), {"reason": "too_late"}
    first, again = (send(clerk, order, f"{way}/refuse", why) for _ in range(2))
    assert_told_again(first, again)
    assert (first.json()["state"], first.json()["decision_reason"]) == ("REFUSED", "too_late")
    assert codes_of(order).count("return_refused") == 1
    reused = send(clerk, order, f"{way}/refuse", {"reason": "not_eligible"})
    assert reused.json()["code"] == "idempotency_key_reused"


def test_a_second_person_agrees_once(order: Order, clerk: Client, settings: Any) -> None:
    step, second = asked(clerk, order, settings), client_of(staff("finance"))
    first, again = (send(second, order, f"{step}/approve") for _ in range(2))
    assert_told_again(first, again)
    assert first.json()["state"] == "DONE"
    assert money_of(order).refunded_minor == 600
    other = send(second, order, f"{step}/approve", key="another")
    assert (other.status_code, other.json()["code"]) == (409, "step_not_awaiting_approval")


def test_a_second_person_says_no_once(order: Order, clerk: Client, settings: Any) -> None:
    step, second = asked(clerk, order, settings), client_of(staff("finance"))
    first, again = (send(second, order, f"{step}/refuse", {"reason": "no"}) for _ in range(2))
    assert_told_again(first, again)
    assert (first.json()["state"], first.json()["refusal"]) == ("REFUSED", "not_approved")
    assert money_of(order).refunded_minor == 0
    assert codes_of(order).count("step_disapproved") == 1
