"""Staff name a company for an order's invoice, as long as there is none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from domains.orders.models import Order, OrderChange, OrderStep
from domains.orders.services.invoicing import issue_due
from tests.support.admin_pages import filled, text_of
from tests.support.after_placement import reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, staff
from tests.support.order_steps import capture

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff())


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 9}, now=now)
    return orders.placed({"A": 2}, now=now)


def changed(client: Client, order: Order, **said: Any) -> tuple[str, str]:
    """What the page says would happen, and what it says after that was confirmed."""
    url = reverse("admin:orders_order_do", args=[order.pk, "edit"])
    shown = client.post(url, filled(client.get(url)) | said | {"look": "yes"})
    done = client.post(url, filled(shown) | {"confirm": "yes"}, follow=True)
    return text_of(shown), text_of(done)


def test_a_company_is_named_at_the_address_of_the_goods(clerk: Client, order: Order) -> None:
    said = {"billing_company": "Lamps Ltd", "billing_vat_id": "gb 123456789"}
    shown, done = changed(clerk, order, **said)
    assert "The order costs 20.00 GBP then, and 20.00 GBP now." in shown
    assert "The invoice will be made out to Lamps Ltd, Ann Smith, 1 Mill Lane" in shown
    assert f"{order.number}: changed." in done
    named = {"company": "Lamps Ltd", "vat_id": "GB123456789"}
    assert reread(order).billing_address == orders.ADDRESS | named

    shown, _ = changed(clerk, order)
    assert "Everything is as it was." in shown
    emptied = {f"billing_{name}": "" for name in ("company", "vat_id", *orders.ADDRESS)}
    shown, _ = changed(clerk, order, **emptied)
    assert "The invoice will be made out to whom the goods go to." in shown
    assert reread(order).billing_address is None


def test_after_the_invoice_nobody_is_asked_for_it(
    clerk: Client, order: Order, now: datetime
) -> None:
    url = reverse("admin:orders_order_do", args=[order.pk, "edit"])
    before = filled(clerk.get(url))
    capture(order, now)
    issue_due(order_id=order.id, now=now)
    assert [name for name in before if name.startswith("billing_")]
    assert not [name for name in filled(clerk.get(url)) if name.startswith("billing_")]


def test_an_edit_sent_again_after_the_invoice_was_done_once(
    clerk: Client, order: Order, now: datetime
) -> None:
    url = reverse("admin:orders_order_do", args=[order.pk, "edit"])
    said = {"billing_company": "Lamps Ltd", "look": "yes"}
    form = filled(clerk.post(url, filled(clerk.get(url)) | said)) | {"confirm": "yes"}
    assert "changed." in text_of(clerk.post(url, form, follow=True))
    capture(order, now)
    issue_due(order_id=order.id, now=now)
    version = reread(order).version

    again = text_of(clerk.post(url, form, follow=True))
    assert f"{order.number}: this was sent before, and done once." in again
    other = clerk.post(url, form | {"billing_company": "Lights Ltd"})
    assert "came with another body before." in text_of(other)
    assert reread(order).version == version


@pytest.mark.parametrize(
    "said",
    [
        {"billing_company": "Ac\x0bme\nGmbH"},
        {"billing_city": "Yo\x1brk"},
        {"address_name": "Ann\nSmith"},
    ],
)
def test_what_an_invoice_shows_is_on_one_line(
    clerk: Client, order: Order, said: dict[str, str]
) -> None:
    url = reverse("admin:orders_order_do", args=[order.pk, "edit"])
    shown = clerk.post(url, filled(clerk.get(url)) | said | {"look": "yes"})
    errors = shown.context["form"].errors.as_data()
    assert {name: [error.code for error in found] for name, found in errors.items()} == {
        next(iter(said)): ["bad_format"]
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"address_line1": "9 Other Road"},
        {"billing_vat_id": "DE999"},
        {"sku": "B", "quantity": "1", "token_of_payment": "tok_visa"},
    ],
)
def test_what_was_changed_after_it_was_shown_is_shown_again(
    clerk: Client, order: Order, now: datetime, changed: dict[str, str]
) -> None:
    goods.stocked({"B": 5}, now=now)
    url = reverse("admin:orders_order_do", args=[order.pk, "edit"])
    said = {"address_line2": "Second floor", "look": "yes"}
    shown = clerk.post(url, filled(clerk.get(url)) | said)
    assert "Second floor" in " ".join(shown.context["comes_to"].sentences)
    again = clerk.post(url, filled(shown) | changed | {"confirm": "yes"})
    assert again.context["outdated"] is True
    assert Order.objects.get(pk=order.pk).version == order.version
    done = filled(again) | {"reason": "staff_error", "confirm": "yes"}
    assert "changed." in text_of(clerk.post(url, done, follow=True))


def test_an_edit_says_what_becomes_of_lines_and_addresses(
    clerk: Client, order: Order, now: datetime
) -> None:
    goods.stocked({"B": 5}, now=now)
    url = reverse("admin:orders_order_do", args=[order.pk, "edit"])
    line = order.lines[0]
    said = {f"units_{line.id}": "1", "sku": "B", "quantity": "2", "billing_vat_id": "DE999"}
    said |= {"billing_company": "Lamps Ltd", "token_of_payment": "tok_visa", "look": "yes"}
    sentences = clerk.post(url, filled(clerk.get(url)) | said).context["comes_to"].sentences
    assert f"1 × {line.sku}, {line.name}, and not {line.standing}." in sentences
    assert "2 × B are added." in sentences
    assert sentences[-1].startswith("The invoice will be made out to Lamps Ltd, ")
    assert sentences[-1].endswith(", DE999.")


def test_the_timeline_tells_which_addresses_were_there_before(clerk: Client, order: Order) -> None:
    changed(clerk, order, billing_company="Lamps Ltd", address_line1="9 Dock Road")
    _, page = changed(clerk, order, billing_company="Lights Ltd")
    assert (
        "Another address for the goods; before: Ann Smith, 1 Mill Lane, LS1 1AA Leeds, GB<" in page
    )
    assert "Another address for the invoice; before: that of the goods<" in page
    assert "Another address for the invoice; before: Lamps Ltd, Ann Smith, 9 Dock Road" in page
    assert "address changed: True" not in page
    assert not [note for note in OrderChange.objects.all() if "Mill Lane" in str(note.data)]


def test_an_edit_of_before_addresses_were_kept_says_that_they_changed(
    clerk: Client, order: Order
) -> None:
    _, page = changed(clerk, order, address_line1="9 Dock Road")
    QuerySet(OrderStep).update(former_address=None)
    page = text_of(clerk.get(reverse("admin:orders_order_change", args=[order.pk])))
    assert "<div>Another address for the goods</div>" in page
