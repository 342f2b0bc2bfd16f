"""Cards of customers on the telephone that their bank wants to have confirmed (3-D Secure)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from domains.orders.models import Order
from domains.orders.services import settling
from domains.payments.gateways.port import Authorise
from domains.payments.rules.gateways import Reply
from infrastructure import clock
from tests.integration.payments.conftest import ScriptedGateway, gateway  # noqa: F401
from tests.support.admin_pages import filled, text_of
from tests.support.after_placement import reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, staff
from tests.support.paying import ASKED, KEPT

pytestmark = pytest.mark.django_db

ADD = "/admin/orders/order/add/"
BACK = "http://testserver/admin/orders/order/confirmed/"
CARD = {"method": "card", "payment_token": "tok_visa"}


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff("admin"))


@pytest.fixture(autouse=True)
def bank(gateway: ScriptedGateway) -> ScriptedGateway:  # noqa: F811
    """Every card has to be confirmed."""
    goods.stocked({"A": 9}, now=clock.now())
    gateway.action_url = ASKED
    return gateway


def placed(client: Client) -> Order:
    said = {f"address_{name}": text for name, text in orders.ADDRESS.items()} | CARD
    said |= {"email": "new@example.com", "items": "A 2", "look": "yes"}
    shown = client.post(ADD, filled(client.get(ADD)) | said)
    client.post(ADD, filled(shown) | {"confirm": "yes"})
    return Order.objects.get()


def do(client: Client, order: Order, what: str, **said: Any) -> str:
    """The page after it was confirmed, whatever it showed."""
    address = reverse("admin:orders_order_do", args=[order.pk, what])
    form = filled(client.get(address)) | said
    shown = client.post(address, form | {"look": "yes"})
    return text_of(client.post(address, filled(shown) | {"confirm": "yes"}, follow=True))


def page_of(client: Client, order: Order) -> str:
    return text_of(client.get(reverse("admin:orders_order_change", args=[order.pk])))


def confirm(bank: ScriptedGateway) -> None:
    """The customer did, with the bank."""
    (key,) = {asked.key for asked in bank.sent[-1:] if isinstance(asked, Authorise)}
    bank.decide(key, Reply(gateway_reference="ref"))


def test_an_order_by_telephone_waits_for_the_bank_and_shows_where(
    clerk: Client, bank: ScriptedGateway
) -> None:
    order = placed(clerk)
    assert order.status == "PENDING"
    assert bank.sent[0].return_url == BACK  # type: ignore[union-attr]
    assert order.pay_until is not None
    page = page_of(clerk, order)
    assert (
        f'readonly id="confirm-at" class="wide" aria-label="Where they confirm it" value="{ASKED}"'
        in page
    )
    assert f"with their bank, until {order.pay_until:%Y-%m-%d %H:%M} UTC" in page

    confirm(bank)
    assert f"{order.number}: it is confirmed." in do(clerk, order, "ask")
    assert ASKED not in page_of(clerk, order)
    assert reread(order).status == "CONFIRMED"


def test_who_asks_too_early_is_told_so(clerk: Client) -> None:
    order = placed(clerk)
    page = do(clerk, order, "ask")
    assert f"{order.number}: the customer has not confirmed the payment yet." in page
    assert reread(order).status == "PENDING"


def test_what_nobody_confirms_ends_by_itself(clerk: Client) -> None:
    order = placed(clerk)
    assert order.pay_until is not None
    settling.settle(order_id=order.id, now=order.pay_until + timedelta(seconds=1))
    assert (reread(order).status, reread(order).reason) == ("REJECTED", "payment_not_completed")
    page = page_of(clerk, order)
    assert ASKED not in page
    assert "do/ask/" not in page


def test_another_payment_may_have_to_be_confirmed(clerk: Client, bank: ScriptedGateway) -> None:
    bank.refusal = "card_declined"
    order = orders.placed({"A": 1}, payment=KEPT, now=clock.now())
    bank.refusal = ""
    page = do(clerk, order, "pay", method="card", token_of_payment="tok_visa")
    assert f"{order.number}: the customer has to confirm the payment." in page
    assert f'value="{ASKED}"' in page
    confirm(bank)
    assert f"{order.number}: it is confirmed." in do(clerk, order, "ask")


def test_an_edit_that_has_to_be_confirmed_shows_where(clerk: Client, bank: ScriptedGateway) -> None:
    bank.action_url = ""
    order = orders.placed({"A": 1}, now=clock.now())
    bank.action_url = ASKED
    line: UUID = order.lines[0].id
    page = do(clerk, order, "edit", **{f"units_{line}": "3", "token_of_payment": "tok_visa"})
    assert f"{order.number}: asked for; the customer has to confirm the payment." in page
    assert f'value="{ASKED}"' in page
    assert bank.sent[-1].return_url == BACK  # type: ignore[union-attr]
    assert reread(order).total_minor == 1000

    confirm(bank)
    do(clerk, order, "ask")
    assert reread(order).total_minor == 3000


def test_the_storefronts_page_is_where_customers_come_back_to_if_there_is_one(
    clerk: Client, bank: ScriptedGateway, settings: Any
) -> None:
    settings.PAYMENT_RETURN_URL = "https://shop.example/paid"
    placed(clerk)
    assert bank.sent[0].return_url == "https://shop.example/paid"  # type: ignore[union-attr]


def test_who_comes_back_needs_no_login_and_is_told_nothing_of_an_order() -> None:
    page = Client().get(BACK)
    assert page.status_code == 200
    assert "Your bank has answered." in text_of(page)
