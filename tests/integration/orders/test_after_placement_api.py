"""What is done to an order after it was confirmed, as clients see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer, staff
from tests.support.placing_api import body, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(now: datetime) -> None:
    goods.product(name="White lantern", sku="85123A", price_minor=255, stock=10, now=now)


@pytest.fixture
def person() -> Client:
    return client_of(customer())


@pytest.fixture
def clerk() -> Client:
    return client_of(staff("admin"))


@pytest.fixture
def order(shop: None, person: Client) -> dict[str, Any]:
    placed: dict[str, Any] = post(person, body(lines=[{"sku": "85123A", "quantity": 4}])).json()
    return placed


def send(client: Client, order: dict[str, Any], path: str, content: Any = None, **more: Any) -> Any:
    headers = {"Idempotency-Key": more.pop("key", str(new_id()))} | more
    return client.post(
        f"/api/v1/orders/{order['id']}/{path}",
        {} if content is None else content,
        content_type="application/json",
        headers=headers,
    )


def line(order: dict[str, Any], quantity: int) -> dict[str, Any]:
    return {"line_id": order["lines"][0]["id"], "quantity": quantity}


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def read(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/v1/orders/{order['id']}").json()
    return found


def test_the_whole_way_from_a_part_to_its_refund(
    order: dict[str, Any], person: Client, clerk: Client
) -> None:
    sent = send(clerk, order, "fulfilments", {"lines": [line(order, 2)], "carrier": "DHL"})
    assert sent.status_code == 201
    parcel = sent.json()
    assert (parcel["captured"], parcel["carrier"]) == (money("5.10"), "DHL")
    assert parcel["lines"] == [{"line_id": order["lines"][0]["id"], "sku": "85123A", "quantity": 2}]

    tracked = clerk.patch(
        f"/api/v1/orders/{order['id']}/fulfilments/{parcel['id']}",
        {"carrier": "DHL", "tracking_number": "JD1"},
        content_type="application/json",
    )
    assert tracked.json()["tracking_number"] == "JD1"
    listed = person.get(f"/api/v1/orders/{order['id']}/fulfilments").json()
    assert [found["tracking_number"] for found in listed["items"]] == ["JD1"]

    cancelled = send(clerk, order, "cancel", {"lines": [line(order, 1)]})
    assert (cancelled.status_code, cancelled.json()["total"]) == (200, money("7.65"))
    assert send(clerk, order, "fulfilments").status_code == 201
    assert read(person, order)["status"] == "COMPLETED"

    asked = send(person, order, "returns", {"lines": [line(order, 1)], "reason": "too_small"})
    assert (asked.status_code, asked.json()["state"]) == (201, "REQUESTED")
    way = f"returns/{asked.json()['id']}"
    assert send(person, order, f"{way}/approve").status_code == 403
    assert send(clerk, order, f"{way}/approve").json()["state"] == "APPROVED"
    received = send(clerk, order, f"{way}/receive", key="parcel-7")
    assert (received.json()["state"], received.json()["lines"][0]["restocked"]) == ("RECEIVED", 1)
    again = send(clerk, order, f"{way}/receive", key="parcel-7")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (received.json(), "true")

    refunded = send(clerk, order, "refunds", {"return_id": asked.json()["id"]})
    assert (refunded.status_code, refunded.json()["given_back"]) == (201, money("2.55"))
    assert refunded.json()["state"] == "DONE"
    after = read(person, order)
    assert (after["refunded"], after["return_status"]) == (money("2.55"), "PARTIALLY_RETURNED")


def test_an_order_tells_what_was_taken_so_far_also_by_payments_own_doors(
    order: dict[str, Any], person: Client, clerk: Client
) -> None:
    assert (order["captured"], order["refunded"]) == (money("0.00"), money("0.00"))
    send(clerk, order, "capture", {"amount": money("2.55")})
    path = f"/api/v1/orders/{order['id']}"
    seen = person.get(path)
    assert seen.json()["captured"] == money("2.55")

    more = {"amount": {"amount": "1.00", "currency": "GBP"}}
    taken = clerk.post(
        f"/api/v1/payments/{order['payment']['id']}/capture",
        more,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert taken.status_code == 200, taken.content
    again = person.get(path, headers={"If-None-Match": seen["ETag"]})
    assert (again.status_code, again.json()["captured"]) == (200, money("3.55"))
    send(clerk, order, "refunds", {"amount": money("1.00")})
    [listed] = person.get("/api/v1/orders").json()["items"]
    assert (listed["captured"], listed["refunded"]) == (money("3.55"), money("1.00"))


def test_customers_see_what_happened_but_not_what_staff_tell_each_other(
    order: dict[str, Any], person: Client, clerk: Client
) -> None:
    assert send(clerk, order, "notes", {"text": "Rang twice."}).status_code == 204
    send(clerk, order, "fulfilments", {"lines": [line(order, 1)]})

    seen = person.get(f"/api/v1/orders/{order['id']}/history").json()["items"]
    assert "note" not in [entry["code"] for entry in seen]
    assert seen[-1]["code"] == "fulfilled"
    assert seen[-1]["actor"] == {"kind": "staff", "id": None}
    known = clerk.get(f"/api/v1/orders/{order['id']}/history").json()["items"]
    assert [entry["text"] for entry in known if entry["code"] == "note"] == ["Rang twice."]


def test_a_note_says_something(order: dict[str, Any], clerk: Client) -> None:
    refused = send(clerk, order, "notes", {"text": " \n "})
    assert refused.status_code == 400
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/text", "bad_format")
    ]
    assert send(clerk, order, "notes", {"text": " Rang.\nTwice. "}).status_code == 204
    known = clerk.get(f"/api/v1/orders/{order['id']}/history").json()["items"]
    assert [entry["text"] for entry in known if entry["code"] == "note"] == ["Rang.\nTwice."]


def test_an_amount_is_above_zero_and_told_as_money(
    order: dict[str, Any], clerk: Client, settings: Any
) -> None:
    captured = send(clerk, order, "capture", {"amount": money("0.00")})
    assert (captured.status_code, captured.json()["code"]) == (400, "invalid_payment_amount")
    too_much = send(clerk, order, "capture", {"amount": money("999.00")})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "capture_exceeds_total")
    assert too_much.json()["detail"] == f"{order['total']['amount']} GBP are left to be taken."

    send(clerk, order, "capture")
    refunded = send(clerk, order, "refunds", {"amount": money("0.00")})
    assert (refunded.status_code, refunded.json()["code"]) == (400, "invalid_payment_amount")
    too_much = send(clerk, order, "refunds", {"amount": money("999.00")})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "refund_exceeds_payment")
    assert too_much.json()["detail"] == f"{order['total']['amount']} GBP at most, not 999.00 GBP."


def test_whoever_looks_sees_what_was_asked_of_an_order_and_how_far_it_is(
    order: dict[str, Any],
    person: Client,
    clerk: Client,
    settings: Any,
    django_assert_num_queries: Any,
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 300}
    send(clerk, order, "fulfilments", {"lines": [line(order, 3)]})
    send(clerk, order, "refunds", {"amount": money("1.00")})
    wanted = send(clerk, order, "refunds", {"amount": money("2.50"), "reason": "broken"})
    path = f"/api/v1/orders/{order['id']}/steps"

    with django_assert_num_queries(3, using=alias_of("orders")):  # the order, its lines and steps
        known = clerk.get(path).json()

    assert known["next"] is None
    assert [(step["kind"], step["state"]) for step in known["items"]] == [
        ("FULFIL", "DONE"),
        ("REFUND", "DONE"),
        ("REFUND", "AWAITING_APPROVAL"),
    ]
    waits = known["items"][-1]
    assert waits == wanted.json()
    assert (waits["given_back"], waits["reason"]) == (money("2.50"), "broken")
    assert (waits["requested_by"]["kind"], waits["decided_by"]) == ("staff", None)
    seen = person.get(path).json()["items"]
    assert [(step["kind"], step["requested_by"]["id"]) for step in seen] == [
        ("FULFIL", None),
        ("REFUND", None),
    ]

    second = client_of(staff("admin"))
    send(second, order, f"steps/{waits['id']}/refuse", {"reason": "too_much"})
    refused = clerk.get(path).json()["items"][-1]
    assert (refused["state"], refused["refusal"]) == ("REFUSED", "not_approved")
    assert refused["decided_by"]["id"] not in (None, refused["requested_by"]["id"])
    assert len(person.get(path).json()["items"]) == 2


def test_customers_see_what_they_asked_for_themselves(
    order: dict[str, Any], person: Client
) -> None:
    assert send(person, order, "cancel", {"lines": [line(order, 1)]}).status_code == 200

    [step] = person.get(f"/api/v1/orders/{order['id']}/steps").json()["items"]

    assert (step["kind"], step["state"]) == ("CANCEL_LINES", "DONE")
    assert step["requested_by"]["kind"] == "customer"


def test_goods_that_are_not_paid_for_take_a_scope_of_their_own(
    order: dict[str, Any], clerk: Client
) -> None:
    unpaid = {"lines": [line(order, 1)], "capture": False}
    packer = client_of(staff("fulfilment"))

    refused = send(packer, order, "fulfilments", unpaid)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_paid_for")

    sent = send(clerk, order, "fulfilments", unpaid)
    assert (sent.status_code, sent.json()["captured"]) == (201, money("0.00"))


def test_customers_do_none_of_what_is_for_staff(order: dict[str, Any], person: Client) -> None:
    for path in ("fulfilments", "capture", "edits", "refunds", "notes"):
        assert send(person, order, path).status_code == 403, path
    refused = send(person, order, "cancel", {"refund": True})
    assert refused.status_code == 403


def test_somebody_elses_order_does_not_exist(order: dict[str, Any]) -> None:
    stranger = client_of(customer())
    assert send(stranger, order, "returns", {"lines": [line(order, 1)]}).status_code == 404
    for path in ("fulfilments", "returns", "history", "steps"):
        assert stranger.get(f"/api/v1/orders/{order['id']}/{path}").status_code == 404


def test_an_edit_is_based_on_a_version_and_on_a_total(order: dict[str, Any], clerk: Client) -> None:
    tag = clerk.get(f"/api/v1/orders/{order['id']}").headers["ETag"]
    edit = {"lines": [line(order, 2)], "expected_total": money("5.10")}
    wrong = send(clerk, order, "edits", edit | {"expected_total": money("5.00")})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "price_changed")
    done = send(clerk, order, "edits", edit, **{"If-Match": tag})
    assert (done.status_code, done.json()["state"]) == (200, "DONE")
    stale = send(clerk, order, "edits", edit, **{"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert read(clerk, order)["total"] == money("5.10")


@pytest.mark.parametrize("part", [True, False], ids=["a line", "the whole"])
def test_a_cancellation_is_based_on_a_version(
    order: dict[str, Any], clerk: Client, part: bool
) -> None:
    tag = clerk.get(f"/api/v1/orders/{order['id']}").headers["ETag"]
    assert send(clerk, order, "notes", {"text": "Meanwhile."}).status_code == 204
    wish = {"lines": [line(order, 1)]} if part else {}
    stale = send(clerk, order, "cancel", wish, **{"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert read(clerk, order)["status"] == "CONFIRMED"
    tag = clerk.get(f"/api/v1/orders/{order['id']}").headers["ETag"]
    assert send(clerk, order, "cancel", wish, **{"If-Match": tag}).status_code == 200


def test_a_large_refund_waits_for_a_second_person(
    order: dict[str, Any], clerk: Client, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 500}
    assert send(clerk, order, "capture").json()["taken"] == money("10.20")
    asked = send(clerk, order, "refunds", {"amount": money("5.01"), "reason": "goodwill"})
    assert (asked.status_code, asked.json()["state"]) == (202, "AWAITING_APPROVAL")

    step = f"steps/{asked.json()['id']}"
    own = send(clerk, order, f"{step}/approve")
    assert (own.status_code, own.json()["code"]) == (403, "second_person_required")
    agreed = send(client_of(staff("finance")), order, f"{step}/approve")
    assert (agreed.status_code, agreed.json()["state"]) == (200, "DONE")
    assert read(clerk, order)["refunded"] == money("5.01")


def test_a_key_is_one_parcel(order: dict[str, Any], clerk: Client) -> None:
    part = {"lines": [line(order, 1)]}
    first = send(clerk, order, "fulfilments", part, key="k")
    again = send(clerk, order, "fulfilments", part, key="k")
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    reused = send(clerk, order, "fulfilments", {"lines": [line(order, 2)]}, key="k")
    assert reused.json()["code"] == "idempotency_key_reused"


def test_what_is_given_back_has_to_be_clear(order: dict[str, Any], clerk: Client) -> None:
    unclear = {"lines": [line(order, 1)], "amount": money("1.00")}
    refused = send(clerk, order, "refunds", unclear)
    assert (refused.status_code, refused.json()["code"]) == (422, "ambiguous_refund")


@pytest.mark.parametrize("reason", ["It broke on the way.", "Too_small", "zu-groß", "broken\n"])
def test_a_reason_is_a_code_wherever_one_is_given(
    order: dict[str, Any], clerk: Client, reason: str
) -> None:
    some_id = new_id()
    for path, content in {
        "cancel": {},
        "edits": {},
        "refunds": {"all": True},
        "fulfilments": {},
        "capture": {},
        f"returns/{some_id}/receive": {},
        f"steps/{some_id}/refuse": {},
        "returns": {"lines": [line(order, 1)]},
        f"returns/{some_id}/refuse": {},
    }.items():
        refused = send(clerk, order, path, content | {"reason": reason})

        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body"), path
        assert refused.json()["errors"] == [
            {
                "pointer": "/reason",
                "code": "bad_format",
                "detail": "The text does not have the expected form: a code of small letters,"
                " digits and _, such as damaged.",
            }
        ], path
    assert read(clerk, order)["status"] == "CONFIRMED"


def test_the_reason_of_a_parcel_and_a_capture_is_told(
    order: dict[str, Any], clerk: Client, person: Client
) -> None:
    taken = send(clerk, order, "capture", {"amount": money("1.00"), "reason": "before_sending"})
    assert taken.json()["reason"] == "before_sending"
    send(clerk, order, "fulfilments", {"reason": "expedited"})
    entries = person.get(f"/api/v1/orders/{order['id']}/history").json()["items"]
    told = {entry["code"]: entry["data"].get("reason") for entry in entries}
    assert (told["captured"], told["fulfilled"]) == ("before_sending", "expedited")


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"reason": "goodwill"},
        {"shipping": False},
        {"all": False},
        {"all": True, "shipping": True},
        {"all": True, "amount": {"amount": "1.00", "currency": "GBP"}},
    ],
)
def test_a_forgotten_field_is_no_refund_of_everything(
    order: dict[str, Any], clerk: Client, wish: dict[str, Any]
) -> None:
    send(clerk, order, "capture")
    refused = send(clerk, order, "refunds", wish)
    assert (refused.status_code, refused.json()["code"]) == (422, "ambiguous_refund")
    assert read(clerk, order)["refunded"] == money("0.00")


def test_all_is_given_back_to_who_says_so(order: dict[str, Any], clerk: Client) -> None:
    send(clerk, order, "capture")
    given = send(clerk, order, "refunds", {"all": True})
    assert (given.status_code, given.json()["given_back"]) == (201, money("10.20"))


@pytest.mark.parametrize("path", ["refunds", "capture"])
def test_an_amount_is_in_the_currency_of_the_order(
    order: dict[str, Any], clerk: Client, path: str
) -> None:
    if path == "refunds":
        send(clerk, order, "capture")
    refused = send(clerk, order, path, {"amount": {"amount": "1.00", "currency": "EUR"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "currency_mismatch")
    [fault] = refused.json()["errors"]
    assert (fault["pointer"], fault["current"]) == ("/amount/currency", "GBP")


def test_parts_of_a_refund_are_no_way_around_the_second_person(
    order: dict[str, Any], clerk: Client, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 500}
    send(clerk, order, "capture")
    other = client_of(staff("finance"))
    first = send(clerk, order, "refunds", {"amount": money("4.90")})
    assert first.json()["state"] == "DONE"
    assert send(other, order, "refunds", {"amount": money("0.20")}).json()["state"] == "DONE"
    beyond = send(clerk, order, "refunds", {"amount": money("0.11")})
    assert (beyond.status_code, beyond.json()["state"]) == (202, "AWAITING_APPROVAL")
    agreed = send(other, order, f"steps/{beyond.json()['id']}/approve")
    assert agreed.json()["state"] == "DONE"
    # What somebody agreed to is not counted again.
    within = send(clerk, order, "refunds", {"amount": money("0.10")})
    assert within.json()["state"] == "DONE"


def test_a_line_that_came_back_is_named_once(
    order: dict[str, Any], person: Client, clerk: Client
) -> None:
    send(clerk, order, "fulfilments")
    asked = send(person, order, "returns", {"lines": [line(order, 2)]}).json()
    send(clerk, order, f"returns/{asked['id']}/approve")
    found = {"line_id": order["lines"][0]["id"], "restocked": 1}
    way = f"returns/{asked['id']}/receive"
    refused = send(clerk, order, way, {"lines": [found, found]})
    assert (refused.status_code, refused.json()["code"]) == (422, "duplicate_line")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/lines/1/line_id"]
    assert send(clerk, order, way, {"lines": [found]}).status_code == 200


@pytest.mark.parametrize("path", ["fulfilments", "cancel", "refunds", "returns"])
def test_a_line_that_the_order_does_not_have_is_pointed_at(
    order: dict[str, Any], clerk: Client, path: str
) -> None:
    send(clerk, order, "fulfilments", {"lines": [line(order, 2)]})
    lines = [line(order, 1), {"line_id": str(new_id()), "quantity": 1}]
    refused = send(clerk, order, path, {"lines": lines})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_line")
    faults = [(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]]
    assert faults == [("/lines/1/line_id", "unknown_line")]


def test_a_line_that_is_not_in_the_return_is_pointed_at(
    order: dict[str, Any], person: Client, clerk: Client
) -> None:
    send(clerk, order, "fulfilments")
    asked = send(person, order, "returns", {"lines": [line(order, 2)]}).json()
    send(clerk, order, f"returns/{asked['id']}/approve")
    other = {"line_id": str(new_id()), "restocked": 1}
    refused = send(clerk, order, f"returns/{asked['id']}/receive", {"lines": [other]})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_line")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/lines/0/line_id"]
