"""What staff do to an order: a page that says what it comes to, and then one service."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import reverse

from domains.orders.admin import doings
from domains.orders.models import Document, Order, PaymentChoice
from domains.orders.queries import orders as queries
from domains.orders.services import fulfilling, invoicing, noting
from domains.products.models import StockItem
from infrastructure.ids import new_id
from tests.support.admin_pages import filled, text_of
from tests.support.after_placement import STAFF, assert_order_agrees, money_of, reread
from tests.support.factories import orders, pricing
from tests.support.factories import products as goods
from tests.support.factories.users import admin_client_of, staff
from tests.support.order_steps import announced, came_back, decided, received

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Client:
    return admin_client_of(staff())


@pytest.fixture
def order(now: datetime) -> Order:
    goods.stocked({"A": 9, "B": 9}, now=now)
    return orders.placed({"A": 2, "B": 1}, now=now)


def send(order: Order, now: datetime) -> Order:
    fulfilling.fulfil(
        order_id=order.id, lines=None, warehouse="main", by=STAFF, key=orders.key(), now=now
    )
    return reread(order)


def address(order: Order, what: str, part: Any = None) -> str:
    if part is None:
        return reverse("admin:orders_order_do", args=[order.pk, what])
    return reverse("admin:orders_order_do_part", args=[order.pk, what, part])


def page_of(client: Client, order: Order) -> str:
    return text_of(client.get(reverse("admin:orders_order_change", args=[order.pk])))


def looked_at(client: Client, url: str, **said: Any) -> dict[str, Any]:
    """The form as a browser would send it after its owner saw what it would come to."""
    form = filled(client.get(url)) | said
    shown = client.post(url, form | {"look": "yes"})
    assert shown.status_code == 200, shown.headers
    assert "What would happen" in text_of(shown)
    return filled(shown)


def done(client: Client, url: str, **said: Any) -> str:
    """What the page says after it was done as it was shown."""
    form = looked_at(client, url, **said)
    return text_of(client.post(url, form | {"confirm": "yes"}, follow=True))


def confirmed(client: Client, url: str, **said: Any) -> str:
    """As `done`, for a page that shows nothing first."""
    form = filled(client.get(url)) | said
    return text_of(client.post(url, form | {"confirm": "yes"}, follow=True))


def field(order: Order, sku: str, name: str = "units") -> str:
    return next(f"{name}_{line.id}" for line in order.lines if line.sku == sku)


def test_nothing_is_done_before_it_was_seen(clerk: Client, order: Order) -> None:
    url = address(order, "capture")
    form = filled(clerk.get(url))
    shown = clerk.post(url, form | {"confirm": "yes"})
    assert "Meanwhile something has changed" in text_of(shown)
    assert money_of(order).captured_minor == 0


def test_a_part_is_captured(clerk: Client, order: Order) -> None:
    said = done(clerk, address(order, "capture"), amount="10.00")
    assert f"{order.number}: 10.00 GBP captured." in said
    assert money_of(order).captured_minor == 1000


def test_what_is_sent_twice_is_done_once(clerk: Client, order: Order) -> None:
    url = address(order, "capture")
    form = looked_at(clerk, url, amount="10.00") | {"confirm": "yes"}
    first, second = (text_of(clerk.post(url, form, follow=True)) for _ in range(2))
    assert f"{order.number}: 10.00 GBP captured." in first
    assert f"{order.number}: this was sent before, and done once." in second
    assert money_of(order).captured_minor == 1000


def test_goods_are_sent_once_though_the_form_has_nothing_left_to_ask_for(
    clerk: Client, order: Order
) -> None:
    url = address(order, "fulfil")
    form = looked_at(clerk, url) | {"confirm": "yes"}
    first, second = (text_of(clerk.post(url, form, follow=True)) for _ in range(2))
    assert f"{order.number}: sent." in first
    assert f"{order.number}: this was sent before, and done once." in second
    assert len(reread(order).fulfilments) == 1


def test_a_form_that_asks_for_more_than_it_left_was_sent_before(
    clerk: Client, now: datetime
) -> None:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 3}, now=now)
    url = address(order, "fulfil")
    form = looked_at(clerk, url, **{field(order, "A"): "2"}) | {"confirm": "yes"}
    first, second = (text_of(clerk.post(url, form, follow=True)) for _ in range(2))
    assert f"{order.number}: sent." in first
    assert f"{order.number}: this was sent before, and done once." in second
    assert [sent.quantity for sent in reread(order).fulfilment_lines] == [2]


@pytest.mark.parametrize("token", ["", "\0", "no-id"])
def test_a_form_that_has_lost_its_token_is_done_by_nobody(
    clerk: Client, order: Order, token: str
) -> None:
    url = address(order, "capture")
    form = looked_at(clerk, url, amount="10.00") | {"confirm": "yes", "token": token}
    assert list(clerk.post(url, form).context["form"].errors) == ["token"]
    assert money_of(order).captured_minor == 0


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"carrier": "Post\nHorn"}, "carrier"),
        ({"tracking_number": "JD\x07014"}, "tracking_number"),
        ({"tracking_url": "https://post.example/\x07"}, "tracking_url"),
        ({"note": "\x07"}, "note"),
    ],
)
def test_what_letters_tell_of_a_parcel_is_on_one_line(
    clerk: Client, order: Order, said: dict[str, str], wrong: str
) -> None:
    url = address(order, "fulfil")
    shown = clerk.post(url, filled(clerk.get(url)) | said | {"look": "yes"})
    errors = shown.context["form"].errors.as_data()
    assert list(errors) == [wrong]
    assert errors[wrong][-1].code == "bad_format"


def test_a_stale_page_does_nothing_and_says_so(clerk: Client, order: Order, now: datetime) -> None:
    url = address(order, "capture")
    form = looked_at(clerk, url, amount="10.00")
    noting.note_order(order_id=order.id, text="Meanwhile.", by=STAFF, now=now)
    answer = clerk.post(url, form | {"confirm": "yes"}, follow=True)
    assert f"Order {order.number} was changed meanwhile." in text_of(answer)
    assert money_of(order).captured_minor == 0


def test_items_are_sent_in_parts_with_their_tracking(clerk: Client, order: Order) -> None:
    said = {field(order, "A"): "1", field(order, "B"): "0", "tracking_number": "JD014"}
    form = looked_at(clerk, address(order, "fulfil"), **said)
    assert form["capture"] == "on"
    shown = done(clerk, address(order, "fulfil"), **said)
    assert "sent." in shown
    assert "JD014" in shown
    assert "1 × A" in shown
    assert reread(order).fulfilment_status == "PARTIALLY_FULFILLED"
    assert money_of(order).captured_minor == 1000
    assert StockItem.objects.get(sku="A").on_hand == 8

    (parcel,) = reread(order).fulfilments
    confirmed(clerk, address(order, "track", parcel.id), tracking_number="JD015", carrier="DHL")
    assert reread(order).fulfilments[0].tracking_number == "JD015"


@pytest.mark.parametrize("method", ["invoice", "bank_transfer"])
def test_money_that_comes_by_bank_is_not_captured_here(
    clerk: Client, now: datetime, method: str
) -> None:
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 2}, payment=PaymentChoice(method=method, token=""), now=now)
    assert address(order, "capture") not in page_of(clerk, order)
    assert "capture" not in filled(clerk.get(address(order, "fulfil")))


def test_a_capture_is_offered_while_something_is_held(
    clerk: Client, order: Order, now: datetime
) -> None:
    assert address(order, "capture") in page_of(clerk, order)
    fulfilling.capture(order_id=order.id, amount_minor=1000, by=STAFF, key=orders.key(), now=now)
    assert address(order, "capture") in page_of(clerk, order)
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    assert address(order, "capture") not in page_of(clerk, order)


def test_why_it_was_done_is_in_the_history(clerk: Client, order: Order) -> None:
    note = "Ada rang; on Friday at the latest."
    why = {"note": note}
    done(clerk, address(order, "capture"), reason="agreed_with_customer", **why)
    done(clerk, address(order, "fulfil"), reason="expedited", **why)
    done(clerk, address(order, "return"), **{field(order, "A"): "2"}, reason="damaged")
    (announced,) = reread(order).returns
    confirmed(clerk, address(order, "decide", announced.id), accept="yes", reason="within_terms")
    done(clerk, address(order, "receive", announced.id), reason="incomplete", **why)

    entries = queries.history_of(reread(order))
    told = [entry.data.get("reason") or entry.text for entry in entries[2:]]
    assert told == [
        *(note, "agreed_with_customer", note, "expedited"),
        *("damaged", "within_terms", note, "incomplete"),
    ]
    for_customers = queries.history_of(reread(order), with_internal=False)
    assert [entry.code for entry in for_customers if entry.text] == []
    page = page_of(clerk, order)
    assert ("Agreed with customer" in page, page.count(note)) == (True, 3)


def test_no_reason_has_to_be_given(clerk: Client, order: Order) -> None:
    done(clerk, address(order, "capture"))
    (captured,) = [e for e in queries.history_of(reread(order)) if e.code == "captured"]
    assert captured.data == {"amount_minor": 3000}


def test_a_line_is_cancelled_and_then_the_whole_order(clerk: Client, order: Order) -> None:
    said = {field(order, "A"): "1", field(order, "B"): "0"}
    done(clerk, address(order, "cancel"), **said, reason="out_of_stock")
    assert reread(order).total_minor == 2000
    done(clerk, address(order, "cancel"), reason="fraud")
    cancelled = reread(order)
    assert (cancelled.status, cancelled.reason) == ("CANCELLED", "fraud")
    assert_order_agrees(order.id)


def test_a_return_goes_from_announced_to_paid_back(
    clerk: Client, order: Order, now: datetime
) -> None:
    send(order, now)
    done(clerk, address(order, "return"), **{field(order, "A"): "2"}, reason="damaged")
    (announced,) = reread(order).returns
    assert address(order, "decide", announced.id) in page_of(clerk, order)
    confirmed(clerk, address(order, "decide", announced.id), accept="yes", reason="within_terms")
    url = address(order, "receive", announced.id)
    counted = {field(order, "A", "restocked"): "1", field(order, "A", "damaged"): "1"}
    done(clerk, url, **counted)
    assert StockItem.objects.get(sku="A").on_hand == 8
    said = done(clerk, address(order, "refund", announced.id), reason="returned")
    assert "20.00 GBP given back." in said
    assert money_of(order).refunded_minor == 2000
    assert_order_agrees(order.id)


def test_a_return_ends_with_nothing_given_back(clerk: Client, order: Order, now: datetime) -> None:
    send(order, now)
    done(clerk, address(order, "return"), **{field(order, "A"): "1"}, reason="changed_mind")
    (announced,) = reread(order).returns
    assert address(order, "end", announced.id) not in page_of(clerk, order)
    confirmed(clerk, address(order, "decide", announced.id), accept="yes", reason="within_terms")
    counted = {field(order, "A", "restocked"): "0", field(order, "A", "damaged"): "1"}
    done(clerk, address(order, "receive", announced.id), **counted)
    url = address(order, "end", announced.id)
    assert url in page_of(clerk, order)
    assert "the return is over." in confirmed(clerk, url, reason="damaged")
    assert [back.state for back in reread(order).returns] == ["REFUSED"]
    assert url not in page_of(clerk, order)
    assert money_of(order).refunded_minor == 0


def test_an_amount_is_given_back(clerk: Client, order: Order, now: datetime) -> None:
    send(order, now)
    done(clerk, address(order, "refund"), amount="1.50", reason="goodwill")
    assert money_of(order).refunded_minor == 150


def test_more_than_was_taken_is_refused_on_the_page(
    clerk: Client, order: Order, now: datetime
) -> None:
    send(order, now)
    url = address(order, "refund")
    form = filled(clerk.get(url)) | {"amount": "1000.00", "reason": "goodwill", "look": "yes"}
    shown = clerk.post(url, form)
    assert "30.00 GBP at most" in text_of(shown)
    assert money_of(order).refunded_minor == 0


def test_what_is_refused_may_be_corrected_and_confirmed_again(clerk: Client, order: Order) -> None:
    url = address(order, "edit")
    form = looked_at(clerk, url, **{field(order, "A"): "4"}, token_of_payment="tok_declined")
    refused = clerk.post(url, form | {"confirm": "yes"})
    assert list(refused.context["form"].errors) == ["token_of_payment"]
    assert reread(order).total_minor == 3000

    twice = clerk.post(url, form | {"confirm": "yes"}, follow=True)
    assert f"{order.number}: this was sent before, and came to nothing." in text_of(twice)

    shown = clerk.post(url, filled(refused) | {"token_of_payment": "tok_visa", "look": "yes"})
    said = text_of(clerk.post(url, filled(shown) | {"confirm": "yes"}, follow=True))
    assert f"{order.number}: changed." in said
    assert reread(order).total_minor == 5000
    assert_order_agrees(order.id)


@override_settings(REFUND_APPROVAL_ABOVE={"GBP": 500})
def test_much_money_takes_a_second_person(clerk: Client, order: Order, now: datetime) -> None:
    send(order, now)
    said = done(clerk, address(order, "refund"), amount="6.00", reason="goodwill")
    assert "it waits for a second person" in said
    (step,) = [step for step in reread(order).steps if step.is_open]
    page = page_of(clerk, order)
    assert "Refund of 6.00 GBP waits for a second person" in page
    assert address(order, "approve", step.id) not in page  # one's own is only taken back
    assert address(order, "disapprove", step.id) in page

    url = address(order, "approve", step.id)
    form = looked_at(clerk, url)
    own = text_of(clerk.post(url, form | {"confirm": "yes"}))
    assert "Whoever asked for it cannot approve it." in own
    assert money_of(order).refunded_minor == 0

    other = admin_client_of(staff("finance"))
    done(other, url)
    assert money_of(order).refunded_minor == 600


@override_settings(REFUND_APPROVAL_ABOVE={"GBP": 500})
def test_a_second_person_may_say_no(clerk: Client, order: Order, now: datetime) -> None:
    send(order, now)
    done(clerk, address(order, "refund"), amount="6.00", reason="goodwill")
    (step,) = [step for step in reread(order).steps if step.is_open]
    other = admin_client_of(staff("finance"))
    confirmed(other, address(order, "disapprove", step.id), reason="wrong_amount")
    assert reread(order).step_id is None
    assert money_of(order).refunded_minor == 0


def test_an_order_is_edited(clerk: Client, order: Order) -> None:
    done(clerk, address(order, "edit"), **{field(order, "A"): "1"}, address_city="York")
    edited = reread(order)
    assert edited.total_minor == 2000
    assert edited.shipping_address["city"] == "York"
    assert_order_agrees(order.id)


def test_the_shipping_of_an_order_is_changed(clerk: Client, now: datetime) -> None:
    pricing.shipping_method("standard", now=now)
    pricing.shipping_method("slow", now=now, position=1)
    goods.stocked({"A": 9}, now=now)
    order = orders.placed({"A": 2}, now=now)
    assert order.shipping_method == "standard"
    done(clerk, address(order, "edit"), shipping_method="slow")
    edited = reread(order)
    assert (edited.shipping_method, edited.shipping_name, edited.total_minor) == (
        "slow",
        "Slow",
        2000,
    )
    assert_order_agrees(order.id)


def test_a_refusal_is_shown_by_its_field(clerk: Client, order: Order) -> None:
    url = address(order, "edit")
    shown = text_of(clerk.post(url, filled(clerk.get(url)) | {"sku": "X", "look": "yes"}))
    field = shown[shown.index("field-sku") : shown.index("field-quantity")]
    assert "X is not sold here." in field


def test_a_return_of_nothing_is_not_announced(clerk: Client, order: Order, now: datetime) -> None:
    url = address(send(order, now), "return")
    shown = clerk.post(url, filled(clerk.get(url)) | {"look": "yes"})
    assert "Say how many of what come back." in text_of(shown)


def test_an_edit_that_changes_nothing_is_refused(clerk: Client, order: Order) -> None:
    url = address(order, "edit")
    shown = clerk.post(url, filled(clerk.get(url)) | {"look": "yes"})
    assert "Everything is as it was." in text_of(shown)
    assert reread(order).version == order.version


def test_notes_are_on_the_timeline(clerk: Client, order: Order) -> None:
    confirmed(clerk, address(order, "note"), text="Called; wants it on Friday.")
    assert "Called; wants it on Friday." in page_of(clerk, order)


@pytest.mark.parametrize("what", sorted(doings.KINDS))
def test_who_lacks_the_scope_is_refused_each_and_offered_none(order: Order, what: str) -> None:
    onlooker = admin_client_of(staff("catalogue"))
    url = address(order, what, new_id() if doings.KINDS[what].has_part else None)
    assert onlooker.get(url).status_code == 403
    assert onlooker.post(url, {}).status_code == 403


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("fulfilment", {"fulfil"}),
        ("support", {"cancel", "edit"}),
        ("finance", {"capture"}),
    ],
)
def test_a_role_is_offered_what_it_may(order: Order, role: str, offered: set[str]) -> None:
    page = page_of(admin_client_of(staff(role)), order)
    found = {what for what in doings.KINDS if f'href="{address(order, what)}"' in page}
    assert found - {"note"} == offered


@pytest.mark.parametrize(
    "what", ["decide", "receive", "end", "track", "approve", "disapprove", "no"]
)
def test_an_address_that_names_nothing_is_no_page(clerk: Client, order: Order, what: str) -> None:
    assert clerk.get(address(order, what)).status_code == 404


@pytest.mark.parametrize("what", ["decide", "receive", "end", "track", "approve"])
def test_a_part_that_is_not_there_leads_back_to_the_order(
    clerk: Client, order: Order, what: str
) -> None:
    answer = clerk.get(address(order, what, new_id()), follow=True)
    assert order.number in text_of(answer)


def test_documents_are_opened_from_the_order(clerk: Client, order: Order, now: datetime) -> None:
    send(order, now)
    (invoice,) = invoicing.issue_due(order_id=order.id, now=now)
    page = page_of(clerk, order)
    assert invoice.number in page
    html = clerk.get(reverse("admin:orders_document_file", args=[invoice.pk, "html"]))
    assert "style-src 'sha256-" in html.headers["Content-Security-Policy"]
    assert invoice.number in text_of(html)
    pdf: HttpResponse = clerk.get(reverse("admin:orders_document_file", args=[invoice.pk, "pdf"]))
    assert pdf.content.startswith(b"%PDF-")
    other = reverse("admin:orders_document_file", args=[invoice.pk, "x"])
    assert clerk.get(other).status_code == 404
    listed = text_of(clerk.get(reverse("admin:orders_document_changelist"), {"q": invoice.number}))
    assert Document.objects.get().number in listed


def test_money_is_given_back_for_a_cancellation_only_by_who_may(
    order: Order, now: datetime
) -> None:
    fulfilling.capture(order_id=order.id, by=STAFF, key=orders.key(), now=now)
    url = address(order, "cancel")
    support = admin_client_of(staff("support"))
    form = filled(support.get(url)) | {"refund": "on", "reason": "fraud", "look": "yes"}
    assert "has been captured" in text_of(support.post(url, form))
    done(admin_client_of(staff()), url, refund="on", reason="fraud")
    assert reread(order).status == "CANCELLED"
    assert money_of(order).refunded_minor == 3000


def test_no_more_is_announced_than_may_come_back(
    clerk: Client, order: Order, now: datetime
) -> None:
    order = send(order, now)
    came_back(order, now, A=1)
    announced(order, now, B=1)
    url = address(order, "return")
    page = clerk.get(url)
    assert page.context["about"] == (
        "A, Thing A: 2 ordered, 2 sent, 0 announced already, 1 back; 1 at most.",
        "B, Thing B: 1 ordered, 1 sent, 1 announced already, 0 back; 0 at most.",
    )
    units = page.context["form"].fields
    assert units[field(order, "A")].max_value == 1
    assert field(order, "B") not in units
    assert url in page_of(clerk, order)

    announced(order, now, A=1)
    assert url not in page_of(clerk, order)


def test_what_was_paid_back_before_it_comes_back_is_said(
    clerk: Client, order: Order, now: datetime
) -> None:
    order = send(order, now)
    url = address(order, "refund")
    shown = clerk.post(
        url, filled(clerk.get(url)) | {field(order, "A"): "1", "reason": "goodwill", "look": "yes"}
    )
    counts = "1 × A did not come back. This counts for them if they do: nothing more is given back"
    assert counts in text_of(shown)
    clerk.post(url, filled(shown) | {"confirm": "yes"})
    assert clerk.get(url).context["form"].fields[field(order, "A")].max_value == 1

    first = "Money went back before for 1 × A that did not come back. It counts first"
    back = announced(order, now, A=2)
    for page in (url, address(order, "decide", back.id)):
        assert first in text_of(clerk.get(page))
    decided(order, back.id, now)
    assert first in text_of(clerk.get(address(order, "receive", back.id)))
    received(order, back.id, now)

    of_return = address(order, "refund", back.id)
    assert "Paid back before: 1 of 2 × A that came back." in text_of(clerk.get(of_return))
    assert "10.00 GBP given back" in done(clerk, of_return, reason="returned")
    assert "did not come back" not in text_of(clerk.get(url))


def test_of_what_did_come_back_nothing_is_said(clerk: Client, order: Order, now: datetime) -> None:
    order = send(order, now)
    came_back(order, now, A=1)
    url = address(order, "refund")
    form = filled(clerk.get(url)) | {field(order, "A"): "1", "reason": "returned"}
    assert "did not come back" not in text_of(clerk.post(url, form | {"look": "yes"}))
