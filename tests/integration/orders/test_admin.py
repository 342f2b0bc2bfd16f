"""The staff's order screens: they show, and their actions are the commands."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.urls import reverse

from domains.orders.admin.orders import OrderAdmin
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import placement
from domains.payments.services import capture
from tests.support.admin_pages import filled, text_of
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, staff
from tests.support.order_steps import edit, more
from tests.support.paying import KEPT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 9}, now=now)
    return orders.placed({"A": 2}, now=now)


def test_orders_are_shown_and_nothing_can_be_typed_into_them(order: Order) -> None:
    client = admin_client_of(staff())
    listed = client.get(reverse("admin:orders_order_changelist"), {"q": order.number})
    assert order.number in listed.content.decode()
    page = client.get(reverse("admin:orders_order_change", args=[order.id])).content.decode()
    for shown in (order.number, "Confirmed", "Authorised", "20.00 GBP", "1 Mill Lane"):
        assert shown in page
    assert "tok_" not in page
    assert 'name="status"' not in page


def test_cancelling_asks_for_a_reason_and_then_cancels(order: Order) -> None:
    client = admin_client_of(staff("support"))
    url = reverse("admin:orders_order_changelist")
    form = {"action": "cancel", "_selected_action": [str(order.id)]}

    asked = client.post(url, form)
    assert '<option value="fraud">Fraud</option>' in asked.content.decode()
    words = {"reason": "Ada Lovelace rang and did not want it any more, nor anything else."}
    again = client.post(url, form | {"confirmed": "yes"} | words)
    assert '<option value="fraud">Fraud</option>' in again.content.decode()
    assert orders.status_of(order.id) == "CONFIRMED"

    client.post(url, filled(again) | {"reason": "fraud"})
    cancelled = Order.objects.get(pk=order.id)
    assert (cancelled.status, cancelled.reason) == ("CANCELLED", "fraud")
    [change] = cancelled.change_rows.all()
    assert (change.code, str(change.actor_id)) == (
        "cancel_requested",
        client.session["_auth_user_id"],
    )


def test_a_refusal_is_shown_as_the_api_says_it(order: Order, now: datetime) -> None:
    capture(payment_id=order.id, now=now)
    client = admin_client_of(staff("support"))
    url = reverse("admin:orders_order_changelist")
    asked = client.post(url, {"action": "cancel", "_selected_action": [str(order.id)]})
    answer = client.post(url, filled(asked) | {"reason": "other"}, follow=True)
    assert f"The payment of order {order.number} has been captured." in answer.content.decode()


def test_who_may_not_cancel_is_not_offered_it(order: Order) -> None:
    client = admin_client_of(staff("finance"))
    listed = client.get(reverse("admin:orders_order_changelist")).content.decode()
    assert order.number in listed
    assert 'value="cancel"' not in listed


def test_settling_asks_first(now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    overdue = orders.placed({"A": 2}, payment=KEPT, now=now)
    client = admin_client_of(staff("support"))
    url = reverse("admin:orders_order_changelist")
    form = {"action": "settle", "_selected_action": [str(overdue.id)]}

    asked = client.post(url, form)
    assert "Take what is left to do for these orders now" in text_of(asked)
    assert orders.status_of(overdue.id) == "PENDING"

    done = client.post(url, filled(asked), follow=True)
    assert f"{overdue.number}: rejected." in text_of(done)
    assert orders.status_of(overdue.id) == "REJECTED"


def test_more_than_may_be_done_at_once_is_refused_whole(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OrderAdmin, "most_at_once", 1)
    goods.stocked({"A": 9}, now=now)
    several = [orders.placed({"A": 1}, now=now) for _ in range(3)]
    client = admin_client_of(staff("support"))
    form = {"action": "cancel", "_selected_action": [str(order.id) for order in several]}
    for sent in (form, form | {"confirmed": "yes", "reason": "fraud"}):
        answer = client.post(reverse("admin:orders_order_changelist"), sent, follow=True)
        assert "Nothing was done: 3 are selected, and 1 is the most at once." in text_of(answer)
    assert {orders.status_of(order.id) for order in several} == {"CONFIRMED"}


def test_the_page_before_says_what_calling_off_each_gives(order: Order, now: datetime) -> None:
    paid, gone = orders.placed({"A": 1}, now=now), orders.placed({"A": 1}, now=now)
    capture(payment_id=paid.id, now=now)
    placement.cancel_order(order_id=gone.id, reason="fraud", now=now)
    owed = orders.placed({"A": 2}, payment=PaymentChoice(method="bank_transfer", token=""), now=now)
    rejected = orders.placed({"A": 1}, payment=orders.DECLINED, now=now)

    selected = [str(one.id) for one in (order, paid, gone, owed, rejected)]
    page = (
        admin_client_of(staff("support"))
        .post(
            reverse("admin:orders_order_changelist"),
            {"action": "cancel", "_selected_action": selected},
        )
        .content.decode()
    )

    assert f"{order.number}: CONFIRMED, 20.00 GBP: 20.00 GBP let go, 2 units released" in page
    assert f"would be refused: The payment of order {paid.number} has been captured." in page
    assert f"{gone.number}: CANCELLED, 10.00 GBP: it is cancelled already" in page
    assert f"{owed.number}: PENDING, 20.00 GBP: 2 units released" in page
    assert f"would be refused: Order {rejected.number} is REJECTED." in page
    assert "In all: 20.00 GBP let go, 4 units released, 2 of 5 refused." in page
    assert orders.status_of(order.id) == "CONFIRMED"


def test_an_order_that_is_not_as_it_was_shown_is_left_out_and_said_so(
    order: Order, now: datetime
) -> None:
    paid, fewer = orders.placed({"A": 1}, now=now), orders.placed({"A": 3}, now=now)
    client = admin_client_of(staff("support"))
    url = reverse("admin:orders_order_changelist")
    selected = [str(one.id) for one in (order, paid, fewer)]
    form = filled(client.post(url, {"action": "cancel", "_selected_action": selected}))
    capture(payment_id=paid.id, now=now)
    edit(fewer, now, lines=[more(fewer, "A", 2)])

    page = text_of(client.post(url, form | {"reason": "fraud"}, follow=True))

    left_out = "left out, since it is not what was shown. By now:"
    captured = f"would be refused: The payment of order {paid.number} has been captured."
    for told in (
        f"{order.number}: cancelled.",
        f"{paid.number}: {left_out} {captured}",
        f"{fewer.number}: {left_out} 30.00 GBP let go, 2 units released.",
    ):
        assert told in page
    assert (
        f'<a href="{reverse("admin:orders_order_change", args=[fewer.id])}">Look at it</a>' in page
    )
    assert [orders.status_of(one.id) for one in (order, paid, fewer)] == [
        "CANCELLED",
        "CONFIRMED",
        "CONFIRMED",
    ]
