"""Orders that staff take for customers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client

from domains.orders.admin import telephone
from domains.orders.errors import OrderInProgress
from domains.orders.models import Order
from domains.payments.gateways.port import Authorise
from domains.payments.models import SavedMethod
from domains.payments.rules.gateways import KeptMethod
from domains.products.services import price_lists, prices
from domains.users.services import deactivate, set_customer_group
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway, gateway  # noqa: F401
from tests.support.admin_pages import filled, text_of
from tests.support.factories import orders, pricing
from tests.support.factories import products as goods
from tests.support.factories.users import EVERY_SCOPE, admin_client_of, customer, staff

pytestmark = pytest.mark.django_db

ADD = "/admin/orders/order/add/"
SAID = {f"address_{name}": text for name, text in orders.ADDRESS.items()} | {"method": "invoice"}
BILLING = {"name": "Accounts", "line1": "2 High Street", "city": "York", "country": "gb"}


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff("support"))


def looked_at(client: Client, **said: Any) -> HttpResponse:
    """The page that shows the price, or what is wrong."""
    return client.post(ADD, filled(client.get(ADD)) | SAID | said | {"look": "yes"})


def seen(client: Client, **said: Any) -> dict[str, Any]:
    """The form after its owner was shown the price."""
    return filled(looked_at(client, **said))


def told(page: HttpResponse) -> str:
    """What it would come to."""
    return " ".join(page.context["comes_to"].sentences)


def dear_list(now: datetime, *, code: str, **whose: Any) -> None:
    """A price list by which an A is 7.00."""
    price_lists.create_price_list(code=code, name=code, currency="GBP", now=now, **whose)
    prices.set_price(sku="A", money=Money(700, "GBP"), price_list=code, actor_id=None, now=now)


@pytest.fixture(autouse=True)
def shop(now: datetime) -> None:
    goods.stocked({"A": 9, "B": 1}, now=now)


def test_a_price_is_shown_and_then_the_order_is_placed_once(clerk: Client) -> None:
    ann = customer(email="ann@example.com")
    form = filled(clerk.get(ADD)) | SAID | {"email": "Ann@example.com", "items": "A 2\nB"}
    shown = clerk.post(ADD, form | {"look": "yes"})
    assert "In all 30.00 GBP." in text_of(shown)
    assert not Order.objects.exists()
    form = filled(shown) | {"confirm": "yes"}
    page = text_of(clerk.post(ADD, form, follow=True))
    order = Order.objects.get()
    assert f"Order {order.number} is placed: 30.00 GBP." in page
    assert (order.customer_id, order.source, order.status) == (ann.pk, "staff", "CONFIRMED")
    assert order.payment_method == "invoice"


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "bob@example.com"},
        {"address_line1": "9 Other Road"},
        {"method": "card", "payment_token": "tok_visa"},
        {"billing_vat_id": "DE999"},
    ],
)
def test_what_was_changed_after_it_was_shown_is_shown_again(
    clerk: Client, changed: dict[str, str]
) -> None:
    customer(email="ann@example.com")
    customer(email="bob@example.com")
    form = seen(clerk, email="ann@example.com", items="A") | {"note": "called back"}
    again = clerk.post(ADD, form | changed | {"confirm": "yes"})
    assert again.context["outdated"] is True
    assert not Order.objects.exists()
    clerk.post(ADD, filled(again) | {"confirm": "yes"})
    assert Order.objects.count() == 1


def test_the_page_says_for_whom_where_to_and_how_it_is_paid(clerk: Client) -> None:
    customer(email="ann@example.com")
    page = text_of(looked_at(clerk, email="ann@example.com", items="A"))
    assert "For ann@example.com, a customer with an account:" in page
    assert "Delivered to Ann Smith, 1 Mill Lane, LS1 1AA Leeds, GB." in page
    assert "Paid by invoice." in page


def test_who_has_no_account_orders_as_a_guest(clerk: Client) -> None:
    shown = looked_at(clerk, email="new@example.com", items="A")
    assert "A guest, without an account, would owe it" in text_of(shown)
    clerk.post(ADD, filled(shown) | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.customer_id, order.email) == (None, "new@example.com")


def test_nobody_pays_in_a_way_that_was_not_asked_for(clerk: Client) -> None:
    assert filled(clerk.get(ADD))["method"] == ""
    shown = looked_at(clerk, email="new@example.com", items="A", method="")
    assert list(shown.context["form"].errors) == ["method"]


def test_an_account_that_is_closed_orders_nothing(clerk: Client, now: datetime) -> None:
    ann = customer(email="ann@example.com")
    deactivate(user_id=ann.pk, scopes=EVERY_SCOPE, now=now)
    shown = looked_at(clerk, email="ann@example.com", items="A")
    assert shown.context["form"].errors["email"] == ["The account of this address is closed."]


def test_the_prices_of_the_customers_group_hold(clerk: Client, now: datetime) -> None:
    ann = customer(email="ann@example.com")
    set_customer_group(user_id=ann.pk, customer_group="trade", scopes=EVERY_SCOPE, now=now)
    dear_list(now, code="trade", customer_group="trade")
    clerk.post(ADD, seen(clerk, email="ann@example.com", items="A") | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.customer_group, order.total_minor) == ("trade", 700)


def test_the_channel_is_chosen_among_those_there_are(clerk: Client, now: datetime) -> None:
    price_lists.name_channel(code="fair-of-orders", name="At the fair")
    dear_list(now, code="fair", channel="fair-of-orders")
    assert '<option value="fair-of-orders">At the fair</option>' in text_of(clerk.get(ADD))
    form = seen(clerk, email="new@example.com", items="A", channel="fair-of-orders")
    clerk.post(ADD, form | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.channel, order.total_minor) == ("fair-of-orders", 700)


def test_the_currency_is_the_shops_unless_another_is_named(clerk: Client, now: datetime) -> None:
    assert filled(clerk.get(ADD))["currency"] == "GBP"
    prices.set_price(sku="A", money=Money(1250, "EUR"), actor_id=None, now=now)
    form = seen(clerk, email="new@example.com", items="A", currency="eur")
    clerk.post(ADD, form | {"confirm": "yes"})
    assert Order.objects.get().total == Money(1250, "EUR")
    shown = looked_at(clerk, email="new@example.com", items="A", currency="EUX")
    assert list(shown.context["form"].errors) == ["currency"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, None),
        (
            {"company": "Acme Ltd", "vat_id": "gb 980.780-684"},
            orders.ADDRESS | {"company": "Acme Ltd", "vat_id": "GB980780684"},
        ),
        (
            BILLING,
            dict.fromkeys((*orders.ADDRESS, "company", "vat_id"), "") | BILLING | {"country": "GB"},
        ),
    ],
)
def test_the_invoice_goes_where_it_is_wanted(
    clerk: Client, said: dict[str, str], kept: dict[str, str] | None
) -> None:
    billing = {f"billing_{name}": text for name, text in said.items()}
    shown = looked_at(clerk, email="new@example.com", items="A", **billing)
    assert ("Invoiced to " in told(shown)) == bool(said)
    clerk.post(ADD, filled(shown) | {"confirm": "yes"})
    assert Order.objects.get().billing_address == kept


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"line1": "2 High Street"}, ["billing_name", "billing_city", "billing_country"]),
        ({"vat_id": "980780684"}, ["billing_vat_id"]),
        (BILLING | {"country": "UK"}, ["billing_country"]),
    ],
)
def test_an_address_of_the_invoice_is_whole_or_none(
    clerk: Client, said: dict[str, str], wrong: list[str]
) -> None:
    billing = {f"billing_{name}": text for name, text in said.items()}
    shown = looked_at(clerk, email="new@example.com", items="A", **billing)
    assert list(shown.context["form"].errors) == wrong


def test_names_are_on_one_line_and_a_note_can_be_read(clerk: Client) -> None:
    said = {
        "address_name": "Ann\nSmith\x07",
        "billing_company": "Ac\x0bme\nGmbH",
        "coupons": "SPR\x0bING",
        "note": "\x07",
    }
    shown = looked_at(clerk, email="new@example.com", items="A", **said)
    errors = shown.context["form"].errors.as_data()
    assert {name: errors[name][0].code for name in errors} == dict.fromkeys(said, "bad_format")
    shown = looked_at(clerk, email="new@example.com", items="A", note="Ring.\nTwice.")
    assert not shown.context["form"].errors


@pytest.mark.parametrize(
    "items",
    [
        "A 2\nB",
        "A\t2\nB\t",
        "  A   2\r\n\r\nB 1  ",
        "A\t2\t\r\nB\t1\r\n",
        "\nB\nA \t 2 \n",
        "A\u00a02\nB\u202f1",
        "\ufeffA\u2003\u20032\u200b\n\u00a0\nB\u3000",
        "\u00a0A\u00a0\t\u00a02\nB",
    ],
)
def test_items_are_written_or_copied_from_a_spreadsheet(items: str) -> None:
    wanted = {line.sku: line.quantity for line in telephone.LinesField().clean(items)}
    assert wanted == {"A": 2, "B": 1}


def test_a_sku_has_blanks_where_a_tab_says_where_it_ends() -> None:
    (line,) = telephone.LinesField().clean("Mug of Ada\t3")
    assert (line.sku, line.quantity) == ("Mug of Ada", 3)
    (line,) = telephone.LinesField().clean("Mug of Ada\t")
    assert (line.sku, line.quantity) == ("Mug of Ada", 1)


@pytest.mark.parametrize(
    "items",
    ["", " \n\t\n", "Mug of Ada 3", "\t2", "A\tMug\t2", "A\t0", "A\t1000001", f"A {'9' * 5000}"],
)
def test_what_is_no_sku_and_number_is_told(items: str) -> None:
    with pytest.raises(ValidationError):
        telephone.LinesField().clean(items)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"items": "X 1"}, "X is not sold here."),
        ({"items": "B 2"}, "There are not 2 of B."),
        ({"items": "A two"}, "is not a SKU and a number."),
        ({"items": "A", "method": "card"}, "token"),
        ({"items": "A", "address_country": "UK"}, "UK is no code of a country"),
    ],
)
def test_what_cannot_be_had_is_told_and_nothing_is_placed(
    clerk: Client, said: dict[str, str], refusal: str
) -> None:
    form = filled(clerk.get(ADD)) | SAID | {"email": "a@example.com"} | said
    assert refusal in text_of(clerk.post(ADD, form | {"look": "yes"}))
    assert not Order.objects.exists()


def test_only_who_may_order_for_others_does() -> None:
    onlooker = admin_client_of(staff("finance"))
    assert onlooker.get(ADD).status_code == 403
    assert onlooker.post(ADD, {}).status_code == 403


def test_what_is_confirmed_twice_is_the_same_order_though_nothing_is_left(clerk: Client) -> None:
    form = seen(clerk, email="new@example.com", items="B 1") | {"confirm": "yes"}
    first, second = (clerk.post(ADD, form) for _ in range(2))
    order = Order.objects.get()
    assert first.headers["Location"] == second.headers["Location"]
    assert first.headers["Location"] == f"/admin/orders/order/{order.pk}/change/"


def test_a_form_that_made_an_order_makes_no_other_one(clerk: Client) -> None:
    form = seen(clerk, email="new@example.com", items="A 1") | {"confirm": "yes"}
    clerk.post(ADD, form)
    shown = clerk.post(ADD, form | {"items": "A 2"})
    assert "An order was placed by this form, before it was changed." in text_of(shown)
    assert Order.objects.count() == 1


def test_what_is_corrected_after_a_decline_is_placed(clerk: Client) -> None:
    card = {"method": "card", "payment_token": "tok_declined"}
    form = seen(clerk, email="new@example.com", items="A 1", **card) | {"confirm": "yes"}
    declined = clerk.post(ADD, form)
    assert "was declined." in text_of(declined)
    assert list(declined.context["form"].errors) == ["payment_token"]

    form = filled(declined) | {"payment_token": "tok_visa"}
    shown = clerk.post(ADD, form | {"look": "yes"})
    first, second = (clerk.post(ADD, filled(shown) | {"confirm": "yes"}) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert sorted(Order.objects.values_list("status", flat=True)) == ["CONFIRMED", "REJECTED"]


def test_a_declined_form_that_is_sent_again_is_declined_again(clerk: Client) -> None:
    card = {"method": "card", "payment_token": "tok_declined"}
    form = seen(clerk, email="new@example.com", items="A 1", **card) | {"confirm": "yes"}
    for _ in range(2):
        assert "was declined." in text_of(clerk.post(ADD, form))
    assert Order.objects.get().status == "REJECTED"


def test_a_form_whose_order_is_being_placed_stays_what_it_is(
    clerk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_at_work(*given: Any, **named: Any) -> Order:
        raise OrderInProgress("It is being decided.")

    form = seen(clerk, email="new@example.com", items="A 1") | {"confirm": "yes"}
    monkeypatch.setattr(telephone, "place", is_at_work)
    assert filled(clerk.post(ADD, form))["token"] == form["token"]


def test_the_shipping_is_chosen_among_what_is_offered(clerk: Client, now: datetime) -> None:
    pricing.shipping_method("standard", now=now)
    pricing.shipping_method("express", now=now, price_minor=495, position=1)
    form = seen(clerk, email="new@example.com", items="A 1", shipping_method="express")
    clerk.post(ADD, form | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.shipping_method, order.total_minor) == ("express", 1495)


def test_a_price_that_turns_while_it_is_confirmed_is_shown_and_not_charged(
    clerk: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = telephone.place

    def turns_first(*given: Any, **named: Any) -> Order:
        prices.set_price(sku="A", money=Money(1200, "GBP"), actor_id=None, now=now)
        return places(*given, **named)

    form = seen(clerk, email="new@example.com", items="A 1") | {"confirm": "yes"}
    monkeypatch.setattr(telephone, "place", turns_first)
    refused = clerk.post(ADD, form)

    assert "The total is 12.00 GBP, and not 10.00 GBP." in text_of(refused)
    assert "items" in refused.context["form"].errors
    assert not Order.objects.exists()


def test_several_coupons_are_named_a_line_each(clerk: Client, now: datetime) -> None:
    pricing.coupon("TEN", now=now)
    pricing.coupon("FIVE", now=now, promotion={"percent": Decimal(5)})
    said = {"email": "new@example.com", "items": "A 1"}
    form = seen(clerk, coupons="TEN\r\n\r\n FIVE \nTEN", **said)
    clerk.post(ADD, form | {"confirm": "yes"})
    order = Order.objects.get()
    assert (order.coupons, order.discount_minor) == (["TEN", "FIVE"], 145)

    refused = looked_at(clerk, coupons="TEN\nNEVER", **said).context["form"].errors
    assert list(refused) == ["coupons"]
    assert looked_at(clerk, coupons="\n".join(map(str, range(11))), **said).context["form"].errors[
        "coupons"
    ] == ["10 coupons at most."]


def test_the_form_is_kept_after_a_decline_and_places_one_order(clerk: Client) -> None:
    """From the page of the decline, or from the one before, where a browser goes back to."""
    card = {"method": "card", "payment_token": "tok_insufficient_funds"}
    before = seen(clerk, email="new@example.com", items="A 2", **card) | {"confirm": "yes"}
    declined = clerk.post(ADD, before)
    assert "Nothing was placed." in text_of(declined)
    assert "There is not enough money behind the card." in text_of(declined)
    assert filled(declined)["items"] == "A 2"

    visa = {"payment_token": "tok_visa"}
    shown = clerk.post(ADD, before | visa | {"confirm": "yes"})
    assert shown.context["outdated"] is True
    first = clerk.post(ADD, filled(shown) | {"confirm": "yes"})
    second = clerk.post(
        ADD, filled(clerk.post(ADD, filled(declined) | visa | {"look": "yes"})) | {"confirm": "yes"}
    )
    third = clerk.post(ADD, before | visa | {"confirm": "yes"})
    assert {page.headers["Location"] for page in (first, second, third)} == {
        f"/admin/orders/order/{Order.objects.get(status='CONFIRMED').pk}/change/"
    }
    assert Order.objects.count() == 2


def test_a_saved_card_of_the_customer_is_paid_with(
    clerk: Client,
    now: datetime,
    settings: Any,
    gateway: ScriptedGateway,  # noqa: F811
) -> None:
    ann = customer(email="ann@example.com")
    card = saved_card(ann.pk, now)
    other = saved_card(customer(email="bob@example.com").pk, now)
    assert "payment_saved_card" not in filled(clerk.get(ADD))
    said = {"email": "ann@example.com", "items": "A", "method": "card"}
    refused = looked_at(clerk, **said)
    assert "Visa ending in 4242, until 04/2030" in text_of(refused)

    stranger = looked_at(clerk, **said, payment_saved_card=str(other.pk))
    assert list(stranger.context["form"].errors) == ["payment_saved_card"]
    both = looked_at(clerk, **said, payment_saved_card=str(card.pk), payment_token="tok_visa")
    assert both.context["form"].errors["payment_token"] == ["Not beside a saved card."]

    form = seen(clerk, **said, payment_saved_card=str(card.pk))
    clerk.post(ADD, form | {"confirm": "yes"})
    assert Order.objects.get().status == "CONFIRMED"
    (asked,) = gateway.sent
    assert isinstance(asked, Authorise)
    assert (asked.token, asked.saved_method) == ("", card.token)


def saved_card(customer_id: UUID, now: datetime) -> SavedMethod:
    kept = KeptMethod(
        token=f"kept_{customer_id}", brand="visa", last4="4242", expiry_month=4, expiry_year=2030
    )
    method = SavedMethod.kept(kept, customer_id=customer_id, gateway="scripted", now=now)
    method.save()
    return method
