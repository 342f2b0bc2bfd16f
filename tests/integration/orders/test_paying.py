"""Orders that wait for their customer: to confirm a payment, to send money, to try another card."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from domains.orders.errors import OrderInProgress, PaymentNotRetryable
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import batches, settling
from domains.payments import public as payments
from domains.payments import services as payment_services
from domains.payments.public import PaymentStatus
from infrastructure.aggregates import ConcurrentModification
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.observability.correlation import Correlation
from tests.integration.payments.conftest import ScriptedGateway, gateway  # noqa: F401
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff
from tests.support.messaging import deliver_outbox
from tests.support.paying import KEPT, held, pay_again, secured, state_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _goods(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)


# Declined


def test_a_declined_order_that_is_kept_is_paid_by_another_card(now: datetime) -> None:
    placed = orders.place({"A": 1}, payment=KEPT, now=now)
    assert (placed.order.status, placed.payment_status) == ("PENDING", PaymentStatus.DECLINED)
    assert placed.order.pay_until == now + timedelta(minutes=30)
    assert held() == 1

    paid = pay_again(placed.order.id, now=now)

    assert (paid.order.status, paid.payment_status) == ("CONFIRMED", PaymentStatus.AUTHORISED)
    assert paid.order.payment_id != paid.order.id
    assert paid.order.pay_until is None
    assert secured() == paid.order.total_minor
    assert held() == 1


def test_a_kept_order_that_nobody_pays_is_rejected_after_its_time(now: datetime) -> None:
    order = orders.placed({"A": 1}, payment=KEPT, now=now)

    settling.settle_unfinished(now=now + timedelta(minutes=29))
    assert orders.status_of(order.id) == "PENDING"
    settling.settle_unfinished(now=now + timedelta(minutes=31))

    rejected = Order.objects.get()
    assert (rejected.status, rejected.reason) == ("REJECTED", "payment_declined")
    assert rejected.unsettled_since is None
    assert held() == 0
    with pytest.raises(PaymentNotRetryable):
        pay_again(order.id, now=now + timedelta(minutes=31))


def test_another_declined_try_leaves_the_order_waiting_until_the_first_deadline(
    now: datetime,
) -> None:
    order = orders.placed({"A": 1}, payment=KEPT, now=now)
    later = now + timedelta(minutes=10)
    again = pay_again(order.id, payment=KEPT, now=later)
    assert again.refusal() is not None
    assert again.order.pay_until == now + timedelta(minutes=30)


def test_twenty_tries_at_once_take_money_once(now: datetime) -> None:
    order = orders.placed({"A": 1}, payment=KEPT, now=now)
    outcomes: list[str] = []

    def pay() -> None:
        try:
            outcomes.append(pay_again(order.id, now=now).order.status)
        except (OrderInProgress, PaymentNotRetryable) as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=pay) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    settling.settle_unfinished(now=now + timedelta(seconds=11))
    assert Counter(outcomes)["CONFIRMED"] >= 1
    assert orders.status_of(order.id) == "CONFIRMED"
    assert secured() == order.total_minor
    assert len([row for row in payments.payment_audit() if row.amount_minor]) == 2


def test_the_routes_of_a_declined_order_and_its_next_payment(now: datetime) -> None:
    client = client_of(customer())
    body = {
        "lines": [{"sku": "A", "quantity": 1}],
        "shipping_address": {k: v for k, v in orders.ADDRESS.items() if v},
        "payment": {"method": "card", "token": "tok_declined", "keep_on_decline": True},
    }
    declined = send(client, "/api/v1/orders", body, key="k1")
    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    path = declined.headers["Location"]
    order_id = declined.json()["order_id"]
    assert path == f"/api/v1/orders/{order_id}"
    assert declined.json()["errors"][0]["current"] == order_id
    waiting = client.get(path).json()
    assert (waiting["status"], waiting["payment"]["status"]) == ("PENDING", "DECLINED")
    again = send(client, "/api/v1/orders", body, key="k1")
    assert (again.status_code, again.headers["Location"]) == (402, path)
    assert again.json()["order_id"] == order_id

    body["payment"] |= {"keep_on_decline": False}
    ended = send(client, "/api/v1/orders", body, key="ended")
    assert (ended.status_code, "order_id" in ended.json()) == (402, False)
    assert ended.json()["decline_reason"] == "declined"

    card = {"payment": {"method": "card", "token": "tok_visa"}}
    stranger = send(client_of(customer()), f"{path}/payment", card, key="k2")
    paid = send(client, f"{path}/payment", card, key="k2")
    replayed = send(client, f"{path}/payment", card, key="k2")

    assert stranger.status_code == 404
    assert (paid.status_code, paid.json()["status"]) == (201, "CONFIRMED")
    assert replayed.headers["Idempotency-Replayed"] == "true"
    history = client.get(f"{path}/history").json()["items"]
    assert [entry["code"] for entry in history] == ["placed", "payment_tried_again", "confirmed"]
    refused = send(client, f"{path}/payment", card, key="k3")
    assert (refused.status_code, refused.json()["code"]) == (409, "payment_not_retryable")


def send(client: Client, path: str, body: Any, *, key: str) -> Any:
    return client.post(
        path, body, content_type="application/json", headers={"Idempotency-Key": key}
    )


# Prepaid


def test_a_prepaid_order_waits_for_its_money(settings: Any, now: datetime) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer", "card"]
    placed = orders.place(
        {"A": 1}, payment=PaymentChoice(method="bank_transfer", token=""), now=now
    )
    assert (placed.order.status, placed.payment_status) == ("PENDING", PaymentStatus.PENDING)
    due = placed.order.pay_until
    assert due is not None
    assert due > now + timedelta(days=1)
    for days in range(1, 4):
        settling.settle_unfinished(now=min(now + timedelta(days=days), due - timedelta(hours=1)))
    assert orders.status_of(placed.order.id) == "PENDING"

    payment_services.record_receipt(
        payment_id=placed.order.id,
        amount=Money(placed.order.total_minor, "GBP"),
        reference="bank-1",
        received_at=now + timedelta(days=1),
        now=now + timedelta(days=1),
    )
    deliver_outbox()

    assert orders.status_of(placed.order.id) == "CONFIRMED"
    assert state_of(placed.order.id) is PaymentStatus.CAPTURED


def test_a_prepaid_order_that_is_not_paid_in_time_is_rejected(settings: Any, now: datetime) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer", "card"]
    order = orders.placed(
        {"A": 1}, payment=PaymentChoice(method="bank_transfer", token=""), now=now
    )
    assert order.pay_until is not None

    settling.settle_unfinished(now=order.pay_until + timedelta(seconds=1))

    ended = Order.objects.get()
    assert (ended.status, ended.reason) == ("REJECTED", "payment_not_completed")
    assert held() == 0


def test_money_that_is_sent_instead_of_a_card_has_the_time_of_an_order_placed_so(
    settings: Any, now: datetime
) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer", "card"]
    order = orders.placed({"A": 1}, payment=KEPT, now=now)
    transfer = PaymentChoice(method="bank_transfer", token="")

    again = pay_again(order.id, payment=transfer, now=now + timedelta(minutes=20))

    assert again.order.pay_until == now + timedelta(days=settings.PAYMENT_DUE_DAYS)


def test_a_try_that_a_batch_takes_up_has_no_more_time_than_at_its_own_request(
    settings: Any, now: datetime
) -> None:
    settings.PAYMENT_METHODS = ["bank_transfer", "card"]
    order = orders.placed({"A": 1}, payment=KEPT, now=now)
    later = now + timedelta(minutes=20)
    transfer = PaymentChoice(method="bank_transfer", token="")
    order = Order.objects.whole(order.id)
    order.pay_again(transfer, payment_id=new_id(), drop_earlier=False, now=later)
    order.save()  # and its process is gone

    batches.settle_many(causes={order.id: Correlation(correlation_id="late")}, now=later)

    due = now + timedelta(days=settings.PAYMENT_DUE_DAYS)
    assert Order.objects.get().pay_until == due
    [state] = payments.payment_states([Order.objects.get().payment_id]).values()
    assert state.due_at == due


def test_a_try_that_others_are_settling_is_answered_as_it_stands(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = orders.placed({"A": 1}, payment=KEPT, now=now)
    carry_on = settling.carry_on

    def lose(case: Any, **asked: Any) -> Any:
        carry_on(case, **asked)
        raise ConcurrentModification

    monkeypatch.setattr(settling, "carry_on", lose)
    paid = pay_again(order.id, now=now)

    assert (paid.order.status, paid.payment_status) == ("CONFIRMED", PaymentStatus.AUTHORISED)


@pytest.mark.parametrize(
    ("token", "reason", "detail"),
    [
        ("tok_insufficient_funds", "insufficient_funds", "not enough money behind the card"),
        ("tok_expired", "card_expired", "The card has expired"),
        ("tok_declined", "declined", "The bank declined the payment"),
    ],
)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_declined_card_says_why_in_the_problem_and_in_the_order(
    now: datetime, token: str, reason: str, detail: str, keeps: bool
) -> None:
    client = client_of(customer())
    body = {
        "lines": [{"sku": "A", "quantity": 1}],
        "shipping_address": {k: v for k, v in orders.ADDRESS.items() if v},
        "payment": {"method": "card", "token": token, "keep_on_decline": keeps},
    }
    for _ in range(2):  # the second time as the order stands by then
        declined = send(client, "/api/v1/orders", body, key="k")
        assert (declined.status_code, declined.json()["decline_reason"]) == (402, reason)
        assert detail in declined.json()["detail"]
    order = client.get(declined.headers["Location"]).json()
    assert (order["payment"]["status"], order["payment"]["decline_reason"]) == ("DECLINED", reason)
    payment = client.get(f"/api/v1/payments/{order['payment']['id']}").json()
    assert payment["decline_reason"] == reason


def test_an_order_whose_payment_is_good_tells_no_reason(now: datetime) -> None:
    order = orders.placed({"A": 1}, now=now)
    client = client_of(staff("support"))
    assert "decline_reason" not in client.get(f"/api/v1/orders/{order.id}").json()["payment"]
    payment = client.get(f"/api/v1/payments/{order.payment_id}").json()
    assert payment["decline_reason"] is None


def test_that_a_card_is_stolen_is_told_to_staff_and_not_to_who_uses_it(
    gateway: ScriptedGateway,  # noqa: F811
    now: datetime,
) -> None:
    gateway.refusal = "stolen_card"
    someone = customer()
    refused = orders.place({"A": 1}, customer_id=someone.id, now=now)
    refusal = refused.refusal()
    assert refusal is not None
    assert refusal.members == {"decline_reason": "declined"}
    assert "stolen" not in refusal.detail

    path = f"/api/v1/payments/{refused.order.payment_id}"
    theirs = client_of(someone).get(path).json()
    ours = client_of(staff("support")).get(path).json()

    assert (theirs["decline_code"], ours["decline_code"]) == ("declined", "stolen_card")
    assert theirs["operations"][0]["decline_code"] == "declined"
    assert ours["operations"][0]["decline_code"] == "stolen_card"
