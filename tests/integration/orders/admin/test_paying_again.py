"""Another try of payment that staff make for an order which waits for one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from domains.orders.models import Order, PaymentChoice
from infrastructure import clock
from tests.support.admin_pages import filled, text_of
from tests.support.after_placement import codes_of, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, staff
from tests.support.paying import KEPT, held, secured

pytestmark = pytest.mark.django_db

VISA = {"method": "card", "token_of_payment": "tok_visa"}


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff("support"))


@pytest.fixture
def declined() -> Order:
    """An order that waits for another payment, since now."""
    now = clock.now()
    goods.stocked({"A": 9}, now=now)
    return orders.placed({"A": 2}, payment=KEPT, now=now)


def address(order: Order) -> str:
    return reverse("admin:orders_order_do", args=[order.pk, "pay"])


def page_of(client: Client, order: Order) -> str:
    return text_of(client.get(reverse("admin:orders_order_change", args=[order.pk])))


def shown(client: Client, order: Order, **said: Any) -> HttpResponse:
    form = filled(client.get(address(order))) | VISA | said
    return client.post(address(order), form | {"look": "yes"})


def test_another_payment_is_seen_first_and_then_tried(clerk: Client, declined: Order) -> None:
    assert f'href="{address(declined)}"' in page_of(clerk, declined)
    look = shown(clerk, declined)
    assert "20.00 GBP are to be paid by card." in text_of(look)
    assert "the order is over" not in text_of(look)
    assert (reread(declined).status, secured()) == ("PENDING", 0)

    done = text_of(clerk.post(address(declined), filled(look) | {"confirm": "yes"}, follow=True))
    assert f"{declined.number}: paid by card; it is confirmed." in done
    assert "Another payment tried" in done
    assert (reread(declined).status, secured(), held()) == ("CONFIRMED", 2000, 2)
    assert address(declined) not in page_of(clerk, declined)


def test_a_try_that_is_declined_may_be_corrected(clerk: Client, declined: Order) -> None:
    form = filled(shown(clerk, declined, token_of_payment="tok_insufficient_funds"))
    refused = clerk.post(address(declined), form | {"confirm": "yes"})
    assert refused.context["form"].errors["token_of_payment"] == [
        "The payment was declined: insufficient funds. The order waits for another one."
    ]
    assert reread(declined).status == "PENDING"

    look = clerk.post(address(declined), filled(refused) | VISA | {"look": "yes"})
    clerk.post(address(declined), filled(look) | {"confirm": "yes"})
    assert (reread(declined).status, secured()) == ("CONFIRMED", 2000)
    assert codes_of(declined) == ["payment_tried_again", "payment_tried_again"]


def test_a_form_that_is_sent_twice_is_one_try(clerk: Client, declined: Order) -> None:
    form = filled(shown(clerk, declined)) | {"confirm": "yes"}
    clerk.post(address(declined), form)
    again = clerk.post(address(declined), form, follow=True)
    assert f"{declined.number}: this was sent before, and tried once." in text_of(again)
    assert codes_of(declined).count("payment_tried_again") == 1


def test_what_may_still_come_is_let_go_first(clerk: Client) -> None:
    now = clock.now()
    goods.stocked({"A": 9}, now=now)
    by_bank = PaymentChoice(method="bank_transfer", token="")
    order = orders.placed({"A": 1}, payment=by_bank, now=now)
    look = shown(clerk, order)
    assert "The payment before is let go first" in text_of(look)
    clerk.post(address(order), filled(look) | {"confirm": "yes"})
    assert (reread(order).status, reread(order).payment_method) == ("CONFIRMED", "card")


def test_that_a_decline_ends_the_order_is_said_before_and_afterwards(clerk: Client) -> None:
    now = clock.now()
    goods.stocked({"A": 9}, now=now)
    by_bank = PaymentChoice(method="bank_transfer", token="")
    order = orders.placed({"A": 1}, payment=by_bank, now=now)
    look = shown(clerk, order, token_of_payment="tok_expired")
    assert "Where it is declined, the order is over." in text_of(look)
    done = text_of(clerk.post(address(order), filled(look) | {"confirm": "yes"}, follow=True))
    assert (
        f"{order.number}: the order is over. The payment of order {order.number} was declined."
        in done
    )
    assert (reread(order).status, held()) == ("REJECTED", 0)


def test_a_guest_does_not_owe_it_without_a_word(clerk: Client) -> None:
    now = clock.now()
    goods.stocked({"A": 9}, now=now)
    guest = orders.placed({"A": 1}, payment=KEPT, customer_id=None, email="g@example.com", now=now)
    look = text_of(shown(clerk, guest, method="invoice", token_of_payment=""))
    assert "A guest, without an account, would owe it" in look


def test_an_order_that_waits_for_nothing_offers_none(clerk: Client, now: datetime) -> None:
    goods.stocked({"A": 9}, now=now)
    paid = orders.placed({"A": 1}, now=now)
    rejected = orders.placed({"A": 1}, payment=orders.DECLINED, now=now)
    overdue = orders.placed({"A": 1}, payment=KEPT, now=now)  # long ago
    for order in (paid, rejected, overdue):
        assert address(order) not in page_of(clerk, order)
        assert f"Order {order.number} is " in text_of(shown(clerk, order))
        assert reread(order).payment_id == order.id


@pytest.mark.parametrize("role", ["finance", "fulfilment"])
def test_who_takes_no_orders_tries_no_payment(declined: Order, role: str) -> None:
    other = admin_client_of(staff(role))
    assert address(declined) not in page_of(other, declined)
    assert other.get(address(declined)).status_code == 403
