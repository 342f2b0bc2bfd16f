"""Prices in the admin: what was set, and changes by percent that are looked at first."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from domains.products.models import Price, PriceEntry
from domains.products.services import prices
from infrastructure.money import Money
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def client() -> Client:
    return users.admin_client_of(users.staff("catalogue"))


@pytest.fixture(autouse=True)
def goods(now: datetime) -> None:
    products.product(now=now, sku="A", price_minor=1000)
    products.product(now=now, sku="B", name="Bell", price_minor=333)


def send(client: Client, **form: str) -> Any:
    selected = [str(price.pk) for price in Price.objects.order_by("sku")]
    path = reverse("admin:products_price_changelist")
    asked = {"action": "change_by_percent", "_selected_action": selected}
    return client.post(path, asked | form, follow=True)


def previewed(page: Any) -> str:
    found = re.search(r'name="previewed" value="([^"]+)"', page.content.decode())
    assert found
    return found.group(1)


def messages(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


def amounts() -> list[int | None]:
    return list(Price.objects.order_by("sku").values_list("amount_minor", flat=True))


def test_a_change_by_percent_is_looked_at_before_it_is_made(client: Client) -> None:
    asked = send(client)
    assert 'name="percent"' in asked.content.decode()
    assert 'name="change"' not in asked.content.decode()
    page = send(client, percent="-5", preview="Preview")
    shown = re.findall(r"<td>([^<]+)</td>", page.content.decode())
    assert shown == [
        *("A", "base", "1", "10.00 GBP", "9.50 GBP"),
        *("B", "base", "1", "3.33 GBP", "3.16 GBP"),
    ]
    assert amounts() == [1000, 333]
    done = send(client, percent="-5", change="Change", previewed=previewed(page))
    assert messages(done) == [("success", "2 prices changed by -5 percent.")]
    assert amounts() == [950, 316]


def test_sending_it_twice_changes_once(client: Client) -> None:
    digest = previewed(send(client, percent="10", preview="Preview"))
    send(client, percent="10", change="Change", previewed=digest)
    again = send(client, percent="10", change="Change", previewed=digest)
    assert [level for level, _ in messages(again)] == ["error"]
    assert previewed(again) != digest
    assert amounts() == [1100, 366]


def test_what_others_changed_since_is_looked_at_again(client: Client, now: datetime) -> None:
    digest = previewed(send(client, percent="10", preview="Preview"))
    prices.set_price(sku="B", money=Money(400, "GBP"), actor_id=None, now=now + DAY)
    refused = send(client, percent="10", change="Change", previewed=digest)
    assert [level for level, _ in messages(refused)] == ["error"]
    assert amounts() == [1000, 400]
    unseen = send(client, percent="10", change="Change")
    assert [level for level, _ in messages(unseen)] == ["error"]
    assert amounts() == [1000, 400]


@pytest.mark.parametrize("percent", ["-101", "1001", "ten", ""])
def test_a_percentage_that_cannot_be_is_refused(percent: str, client: Client) -> None:
    answer = send(client, percent=percent, change="Change")
    assert "errorlist" in answer.content.decode()
    assert amounts() == [1000, 333]


def test_who_may_not_write_the_catalogue_changes_nothing() -> None:
    client = users.admin_client_of(users.staff("support"))
    send(client, percent="10", change="Change")
    assert PriceEntry.objects.count() == 2


def test_every_entry_of_a_price_is_shown_with_what_became_of_it(
    client: Client, now: datetime
) -> None:
    prices.set_price(
        sku="A", money=Money(800, "GBP"), kind="sale", min_quantity=5, actor_id=None, now=now
    )
    price = prices.set_price(sku="A", money=Money(900, "GBP"), actor_id=None, now=now)
    page = client.get(reverse("admin:products_price_change", args=[price.pk])).content.decode()
    for text in ("10.00 GBP", "9.00 GBP", "8.00 GBP", "Superseded", "sale"):
        assert text in page
