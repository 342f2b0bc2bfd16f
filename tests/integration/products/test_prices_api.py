"""The routes of prices, price lists and channels, and the prices that products show to whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from domains.products.models import PriceEntry
from domains.users import services as accounts
from infrastructure import clock
from tests.support.factories import products, users

pytestmark = pytest.mark.django_db

API = "/api/v1"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def lantern(now: datetime) -> None:
    products.product(now=now - 365 * DAY, sku="A", price_minor=1000)


@pytest.fixture
def trader() -> Client:
    ann = users.customer()
    accounts.set_customer_group(
        user_id=ann.id, customer_group="trade", scopes=users.EVERY_SCOPE, now=users.NOW
    )
    return users.client_of(ann)


def pounds(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def put(client: Client, amount: str, **more: Any) -> HttpResponse:
    return client.put(
        f"{API}/variants/A/price", pounds(amount) | more, content_type="application/json"
    )


def make_list(staff: Client, code: str, **terms: Any) -> HttpResponse:
    body = {"code": code, "name": code.title(), "currency": "GBP"} | terms
    return staff.post(f"{API}/price-lists", body, content_type="application/json")


def variant(client: Client, **query: str) -> dict[str, Any]:
    """The variant as the list and the page show it; they agree."""
    [item] = client.get(f"{API}/products", query).json()["items"]
    [listed] = item["variants"]
    [detailed] = client.get(f"{API}/products/{item['slug']}", query).json()["variants"]
    parts = ("price", "reduction", "price_tiers")
    assert [listed[part] for part in parts] == [detailed[part] for part in parts]
    return {part: listed[part] for part in parts}


def test_a_sale_is_shown_with_the_regular_price_and_the_lowest_of_30_days(
    staff: Client, client: Client
) -> None:
    answer = put(staff, "8.00", kind="sale")
    assert answer.status_code == 200
    reduction = {"regular_price": pounds("10.00"), "lowest_price_30_days": pounds("10.00")}
    assert variant(client) == {"price": pounds("8.00"), "reduction": reduction, "price_tiers": []}
    body = answer.json()
    assert (body["price"], body["reduction"], body["price_list"]) == (
        pounds("8.00"),
        reduction,
        None,
    )


def test_tiers_are_shown(staff: Client, client: Client) -> None:
    put(staff, "9.00", min_quantity=10)
    assert variant(client)["price_tiers"] == [{"min_quantity": 10, "price": pounds("9.00")}]


def test_a_price_can_be_scheduled(staff: Client, client: Client) -> None:
    begin = clock.now() + DAY
    answer = put(staff, "8.00", kind="sale", valid_from=begin.isoformat())
    assert answer.json()["price"] == pounds("10.00")
    assert answer.json()["changes_at"] is not None
    assert variant(client)["price"] == pounds("10.00")


def test_the_group_of_the_caller_decides_and_nobody_can_ask_for_one(
    staff: Client, client: Client, customer: Client, trader: Client
) -> None:
    assert make_list(staff, "trade", customer_group="trade").status_code == 201
    put(staff, "7.00", price_list="trade")
    assert variant(trader)["price"] == pounds("7.00")
    for other in (client, customer, staff):
        assert variant(other)["price"] == pounds("10.00")
    refused = client.get(f"{API}/products", {"customer_group": "trade"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameters")


def test_the_channel_that_is_asked_for_decides(staff: Client, client: Client) -> None:
    named = staff.put(f"{API}/channels/fair", {"name": "Fair"}, content_type="application/json")
    assert (named.status_code, named.json()) == (200, {"code": "fair", "name": "Fair"})
    make_list(staff, "fair", channel="fair")
    put(staff, "12.00", price_list="fair")
    assert variant(client, channel="fair")["price"] == pounds("12.00")
    assert variant(client)["price"] == pounds("10.00")
    for path in ("products", "products/white-metal-lantern"):
        refused = client.get(f"{API}/{path}", {"channel": "unheard-of"})
        assert (refused.status_code, refused.json()["code"]) == (400, "unknown_channel")
        assert refused.json()["errors"][0]["pointer"] == "?channel"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": "-1.00"}, 400, "negative_price"),
        ({"amount": "1.001"}, 400, "invalid_body"),
        ({"min_quantity": 0}, 400, "invalid_body"),
        ({"kind": "cheap"}, 400, "invalid_body"),
        ({"price_list": "none"}, 400, "unknown_price_list"),
        ({"valid_from": "2020-01-01T00:00:00Z"}, 400, "invalid_validity"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, 400, "invalid_validity"),
        ({"valid_from": "2099-01-01T00:00:00"}, 400, "invalid_body"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    body: dict[str, Any], status: int, code: str, staff: Client
) -> None:
    refused = put(staff, body.pop("amount", "5.00"), **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert PriceEntry.objects.count() == 1


def test_an_entry_is_cancelled_once(staff: Client) -> None:
    put(staff, "8.00", valid_from=(clock.now() + DAY).isoformat())
    entry = PriceEntry.objects.get(number=2)
    path = f"{API}/variants/A/prices/{entry.id}"
    assert staff.delete(path).status_code == 204
    again = staff.delete(path)
    assert (again.status_code, again.json()["code"]) == (409, "price_entry_ended")
    other = staff.delete(f"{API}/variants/B/prices/{entry.id}")
    assert (other.status_code, other.json()["code"]) == (404, "price_entry_not_found")


def test_a_price_is_withdrawn(staff: Client, client: Client) -> None:
    assert staff.delete(f"{API}/variants/A/price").status_code == 204
    assert variant(client) == {"price": None, "reduction": None, "price_tiers": []}
    none = staff.delete(f"{API}/variants/A/price?currency=EUR")
    assert (none.status_code, none.json()["code"]) == (404, "price_not_found")


def test_staff_are_told_which_price_applies_and_why(staff: Client) -> None:
    make_list(staff, "trade", customer_group="trade", priority=5)
    make_list(staff, "off", active=False)
    put(staff, "9.00", min_quantity=10)
    put(staff, "8.00", price_list="trade", min_quantity=20)
    put(staff, "1.00", price_list="off")
    path = f"{API}/variants/A/prices"
    told = staff.get(path, {"customer_group": "trade", "quantity": 12}).json()
    assert (told["sku"], told["quantity"]) == ("A", 12)
    assert (told["applies"]["price"], told["applies"]["why"]) == (pounds("9.00"), "regular_tier")
    assert told["applies"]["price_list"] is None
    summary = [
        (one["price_list"], one["asked"], one["why"], [e["verdict"] for e in one["entries"]])
        for one in told["lists"]
    ]
    assert summary == [
        ("trade", True, "holds", ["quantity_not_reached"]),
        ("off", False, "inactive", ["applies"]),
        (None, True, "base", ["applies", "not_the_cheapest"]),
    ]
    more = staff.get(path, {"customer_group": "trade", "quantity": 20}).json()["applies"]
    assert (more["price"], more["price_list"]) == (pounds("8.00"), "trade")
    retail = staff.get(path, {"quantity": 20}).json()
    assert retail["applies"]["price"] == pounds("9.00")
    assert [one["why"] for one in retail["lists"]] == ["other_group", "inactive", "base"] or [
        one["why"] for one in retail["lists"]
    ] == ["inactive", "other_group", "base"]
    before = staff.get(path, {"at": "2020-01-01T00:00:00Z"}).json()
    assert before["applies"] is None
    missing = staff.get(f"{API}/variants/B/prices")
    assert (missing.status_code, missing.json()["code"]) == (404, "variant_not_found")


def test_the_timeline_tells_what_was_really_asked(staff: Client, now: datetime) -> None:
    put(staff, "8.00", kind="sale", valid_until=(clock.now() + DAY).isoformat())
    told = staff.get(f"{API}/variants/A/price-timeline").json()["items"]
    assert [(one["price"], one["kind"]) for one in told] == [
        (pounds("10.00"), "regular"),
        (pounds("8.00"), "sale"),
        (pounds("10.00"), "regular"),
    ]
    assert told[0]["until_at"] == told[1]["from_at"]
    early = staff.get(
        f"{API}/variants/A/price-timeline",
        {"from_at": (now - 400 * DAY).isoformat(), "until_at": (now - 364 * DAY).isoformat()},
    ).json()["items"]
    assert [one["price"] for one in early] == [None, pounds("10.00")]


def test_the_history_says_who(now: datetime) -> None:
    clerk = users.staff("catalogue")
    client = users.client_of(clerk)
    put(client, "9.00")
    [last, first] = client.get(f"{API}/variants/A/price-history").json()["items"]
    assert (last["price"], last["actor_id"], last["ending"]) == (
        pounds("9.00"),
        str(clerk.id),
        None,
    )
    assert (first["price"], first["actor_id"], first["ending"]) == (
        pounds("10.00"),
        None,
        "superseded",
    )
    page = client.get(f"{API}/variants/A/price-history", {"limit": 1}).json()
    assert page["items"] == [last]
    rest = client.get(f"{API}/variants/A/price-history", {"limit": 1, "cursor": page["next"]})
    assert rest.json()["items"] == [first]


def test_customers_see_no_history_and_set_nothing(customer: Client, client: Client) -> None:
    for caller, status in ((customer, 403), (client, 401)):
        for path in ("variants/A/prices", "variants/A/price-history", "price-lists", "channels"):
            assert caller.get(f"{API}/{path}").status_code == status
        assert put(caller, "0.01").status_code == status
        assert make_list(caller, "mine").status_code == status
        assert caller.delete(f"{API}/variants/A/price").status_code == status


# Price lists


def test_a_price_list_is_made_read_and_changed(staff: Client) -> None:
    made = make_list(staff, "trade", customer_group="trade", priority=5)
    assert made.status_code == 201
    path = f"{API}/price-lists/trade"
    assert made["Location"] == path
    read = staff.get(path)
    assert read.json() == made.json()
    assert staff.get(f"{API}/price-lists").json() == {"items": [made.json()], "next": None}
    change = {"name": "For the trade", "customer_group": None, "active": False}
    unsure = staff.patch(path, change, content_type="application/json")
    assert unsure.status_code == 428
    changed = staff.patch(
        path, change, content_type="application/json", headers={"If-Match": read["ETag"]}
    )
    assert changed.status_code == 200
    body = changed.json()
    assert (body["name"], body["customer_group"], body["active"]) == ("For the trade", None, False)
    stale = staff.patch(
        path, change, content_type="application/json", headers={"If-Match": read["ETag"]}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")


def test_a_price_list_is_made_once_per_key(staff: Client) -> None:
    body = {"code": "trade", "name": "Trade", "currency": "GBP"}
    answers = [
        staff.post(
            f"{API}/price-lists",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "one"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1]["Idempotency-Replayed"] == "true"
    taken = make_list(staff, "trade")
    assert (taken.status_code, taken.json()["code"]) == (409, "price_list_taken")


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"currency": "XXY"}, "invalid_body"),
        ({"channel": "nowhere"}, "unknown_channel"),
        (
            {"valid_from": "2027-01-02T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"},
            "invalid_validity",
        ),
    ],
)
def test_a_price_list_that_cannot_be_is_refused(
    terms: dict[str, Any], code: str, staff: Client
) -> None:
    refused = make_list(staff, "trade", **terms)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    missing = staff.get(f"{API}/price-lists/trade")
    assert (missing.status_code, missing.json()["code"]) == (404, "price_list_not_found")


def test_a_channel_is_named_by_a_code(staff: Client) -> None:
    for name in ("Web", "Our site"):
        staff.put(f"{API}/channels/web", {"name": name}, content_type="application/json")
    assert staff.get(f"{API}/channels").json() == {"items": [{"code": "web", "name": "Our site"}]}
    refused = staff.put(f"{API}/channels/Web!", {"name": "x"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_code")


def test_a_list_of_products_is_no_more_statements_with_price_lists(
    staff: Client, trader: Client, django_assert_max_num_queries: Any
) -> None:
    make_list(staff, "trade", customer_group="trade")
    put(staff, "7.00", price_list="trade")
    trader.get(f"{API}/products")  # the identity is remembered for five seconds
    with django_assert_max_num_queries(2):
        assert trader.get(f"{API}/products").json()["items"][0]["variants"][0]["price"] == pounds(
            "7.00"
        )
    with django_assert_max_num_queries(1):
        trader.get(f"{API}/products/white-metal-lantern")
