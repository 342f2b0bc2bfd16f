"""The routes of promotions, coupons, taxes, shipping methods and quotes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from domains.pricing.models import Coupon, Promotion, ShippingMethod, TaxRate
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from tests.support.factories import pricing, products, users

pytestmark = pytest.mark.django_db

API = "/api/v1"
EXPRESS = {
    "code": "express",
    "name": "Express",
    "kind": "flat",
    "rates": {"GBP": {"price": "4.95", "free_from": "50.00"}},
}
VAT = {"country": "GB", "name": "VAT", "percent": "20"}
TEN = {"name": "Ten off", "kind": "percentage", "automatic": False, "percent": "10"}


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
    call = getattr(client, method)
    if method == "get":
        return call(f"{API}{path}", headers=headers)
    return call(f"{API}{path}", body, content_type="application/json", headers=headers)


def post(client: Client, path: str, body: Any = None, **headers: str) -> HttpResponse:
    return send(client, "post", path, body, **headers)


def faults(response: HttpResponse) -> list[tuple[str, str]]:
    return [(one["pointer"], one["code"]) for one in response.json()["errors"]]


@pytest.mark.django_db(transaction=True)
def test_a_shipping_method_is_made_changed_and_archived(staff: Client) -> None:
    made = post(staff, "/shipping-terms", EXPRESS | {"countries": ["GB", "IE"]})
    assert (made.status_code, made["Location"]) == (201, f"{API}/shipping-terms/express")
    assert made.json()["rates"] == {"GBP": {"price": "4.95", "tiers": [], "free_from": "50.00"}}
    assert made.json()["countries"] == ["GB", "IE"]
    assert post(staff, "/shipping-terms", EXPRESS).json()["code"] == "shipping_method_taken"

    path = "/shipping-terms/express"
    assert send(staff, "patch", path, {"position": 3}).status_code == 428
    edited = send(staff, "patch", path, {"position": 3}, if_match=made["ETag"])
    assert (edited.status_code, edited.json()["position"]) == (200, 3)
    stale = send(staff, "patch", path, {"position": 4}, if_match=made["ETag"])
    assert stale.json()["code"] == "stale_version"

    archived = post(staff, f"{path}/archive")
    assert archived.json()["archived_at"] is not None
    assert post(staff, f"{path}/archive").json()["code"] == "archived"
    later = send(staff, "patch", path, {"name": "X"}, if_match=archived["ETag"])
    assert (later.status_code, later.json()["code"]) == (409, "archived")
    assert send(staff, "get", "/shipping-terms?archived=false").json()["items"] == []
    assert ShippingMethod.objects.get().name == "Express"


def test_prices_of_a_shipping_method_are_checked(staff: Client) -> None:
    tiers = [{"up_to_g": 2000, "price": "5.00"}, {"up_to_g": 1000, "price": "3.00"}]
    wrong = EXPRESS | {"kind": "weight", "rates": {"GBP": {"tiers": tiers}, "EUR": {}}}
    refused = post(staff, "/shipping-terms", wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_shipping_method")
    assert faults(refused) == [
        ("/rates/EUR/tiers", "tiers_not_ascending"),
        ("/rates/GBP/tiers", "tiers_not_ascending"),
    ]
    fractions = post(staff, "/shipping-terms", EXPRESS | {"rates": {"JPY": {"price": "4.5"}}})
    assert (fractions.status_code, fractions.json()["code"]) == (400, "invalid_body")
    assert not ShippingMethod.objects.exists()


def test_everybody_may_ask_which_methods_go_somewhere(
    client: Client, staff: Client, django_assert_num_queries: Any
) -> None:
    post(staff, "/shipping-terms", EXPRESS | {"countries": ["GB"], "position": 1})
    post(staff, "/shipping-terms", EXPRESS | {"code": "post", "name": "Post", "rates": {"GBP": {}}})
    post(staff, "/tax-rates", VAT)
    with django_assert_num_queries(1, using=alias_of("pricing")):
        there = send(client, "get", "/shipping-methods?country=GB&currency=GBP")
    found = {one["code"]: one["total"]["amount"] for one in there.json()["items"]}
    assert list(found.items()) == [("post", "0.00"), ("express", "4.95")]
    assert there.json()["items"][1]["tax"] == {"amount": "0.83", "currency": "GBP"}
    elsewhere = send(client, "get", "/shipping-methods?country=FR")
    assert [one["code"] for one in elsewhere.json()["items"]] == ["post"]
    assert faults(send(client, "get", "/shipping-methods?currency=XXY")) == [
        ("?currency", "unknown_currency")
    ]


@pytest.mark.django_db(transaction=True)
def test_a_place_has_one_rate_for_a_tax_class(staff: Client) -> None:
    made = post(staff, "/tax-rates", VAT)
    assert (made.status_code, made.json()["percent"]) == (201, "20")
    assert post(staff, "/tax-rates", VAT).json()["code"] == "tax_rate_taken"
    assert (
        post(staff, "/tax-rates", VAT | {"region": "Jersey", "percent": "5.5"}).json()["region"]
        == "JERSEY"
    )
    path = f"/tax-rates/{made.json()['id']}"
    edited = send(staff, "patch", path, {"percent": "17.5"}, if_match=made["ETag"])
    assert edited.json()["percent"] == "17.5"
    assert post(staff, f"{path}/archive").status_code == 200
    assert post(staff, "/tax-rates", VAT).status_code == 201
    listed = send(staff, "get", "/tax-rates?country=GB&archived=false").json()["items"]
    assert [(one["region"], one["percent"]) for one in listed] == [("", "20"), ("JERSEY", "5.5")]
    assert TaxRate.objects.count() == 3


def test_a_promotion_is_made_changed_and_archived(staff: Client) -> None:
    conditions = {"minimum_subtotal": {"GBP": "20.00"}, "countries": ["GB"]}
    body = TEN | {"conditions": conditions, "usage_limit": 5}
    made = post(staff, "/promotions", body, idempotency_key="a")
    assert made.status_code == 201
    assert made.json()["conditions"]["minimum_subtotal"] == {"GBP": "20.00"}
    assert (made.json()["status"], made.json()["used"]) == ("active", 0)
    again = post(staff, "/promotions", body, idempotency_key="a")
    assert (again["Idempotency-Replayed"], again.json()) == ("true", made.json())
    assert Promotion.objects.get().percent == Decimal(10)

    path = f"/promotions/{made.json()['id']}"
    paused = send(staff, "patch", path, {"active": False}, if_match=made["ETag"])
    assert paused.json()["status"] == "paused"
    assert [
        len(send(staff, "get", f"/promotions?status={status}").json()["items"])
        for status in ("active", "paused", "archived")
    ] == [0, 1, 0]
    assert post(staff, f"{path}/archive").json()["status"] == "archived"
    assert post(staff, f"{path}/coupons", {"count": 1}).json()["code"] == "archived"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"percent": "0"}, ("/percent", "invalid_percentage")),
        ({"percent": "100.5"}, ("/percent", "invalid_percentage")),
        ({"kind": "free_shipping"}, ("/percent", "percent_not_wanted")),
        ({"amounts": {"GBP": "1.00"}}, ("/amounts", "amounts_not_wanted")),
        ({"kind": "fixed_order", "percent": None}, ("/amounts", "amounts_needed")),
        (
            {"conditions": {"shipping_methods": ["express"]}},
            ("/conditions/shipping_methods", "shipping_methods_not_wanted"),
        ),
        (
            {"valid_from": "2026-05-02T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z"},
            ("/valid_until", "invalid_validity"),
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    staff: Client, wrong: Any, expected: tuple[str, str]
) -> None:
    refused = post(staff, "/promotions", TEN | wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_promotion")
    assert faults(refused) == [expected]
    assert not Promotion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_whoever_archives_is_told_so_again_under_their_key(staff: Client) -> None:
    promotion_id = post(staff, "/promotions", TEN).json()["id"]
    post(staff, "/coupons", {"code": "WELCOME10", "promotion_id": promotion_id})
    post(staff, "/shipping-terms", EXPRESS)
    rate_id = post(staff, "/tax-rates", VAT).json()["id"]
    for path in (
        "/coupons/WELCOME10",
        f"/promotions/{promotion_id}",
        "/shipping-terms/express",
        f"/tax-rates/{rate_id}",
    ):
        tag = send(staff, "get", path)["ETag"]
        headers = {"idempotency_key": "mine", "if_match": tag}
        first = post(staff, f"{path}/archive", **headers)
        again = post(staff, f"{path}/archive", **headers)
        assert (first.status_code, again.status_code) == (200, 200), path
        assert first.json() == again.json()
        assert first["ETag"] == again["ETag"]
        assert "Idempotency-Replayed" not in first
        assert again["Idempotency-Replayed"] == "true"
        other = post(staff, f"{path}/archive", idempotency_key="another")
        assert (other.status_code, other.json()["code"]) == (409, "archived")


@pytest.mark.django_db(transaction=True)
def test_coupons_are_made_one_by_one_and_many_at_once(staff: Client) -> None:
    promotion_id = post(staff, "/promotions", TEN).json()["id"]
    body = {"code": "welcome10", "promotion_id": promotion_id, "usage_limit": 3}
    made = post(staff, "/coupons", body)
    assert (made.status_code, made.json()["code"]) == (201, "WELCOME10")
    assert made["Location"] == f"{API}/coupons/WELCOME10"
    assert post(staff, "/coupons", body).json()["code"] == "coupon_taken"
    many = {"count": 1200, "batch": "May", "prefix": "may-"}
    path = f"/promotions/{promotion_id}/coupons"
    batch = post(staff, path, many, idempotency_key="b").json()
    assert len(set(batch["codes"])) == 1200
    assert all(code.startswith("MAY-") and len(code) == 14 for code in batch["codes"])
    assert post(staff, path, many, idempotency_key="b").json() == batch
    assert Coupon.objects.filter(usage_limit=1, batch="May").count() == 1200
    found = send(staff, "get", f"/coupons?batch_id={batch['batch_id']}&limit=2")
    assert [one["code"] for one in found.json()["items"]] == batch["codes"][:-3:-1]
    assert len(send(staff, "get", "/coupons?prefix=wel").json()["items"]) == 1
    edited = send(
        staff, "patch", "/coupons/welcome10", {"usage_limit": None}, if_match=made["ETag"]
    )
    assert edited.json()["usage_limit"] is None
    assert post(staff, "/coupons/WELCOME10/archive").json()["archived_at"] is not None


def test_a_coupon_needs_a_promotion_that_needs_coupons(staff: Client) -> None:
    everybody = post(staff, "/promotions", TEN | {"automatic": True}).json()["id"]
    refused = post(staff, "/coupons", {"code": "a b", "promotion_id": everybody})
    assert faults(refused) == [
        ("/code", "bad_format"),
        ("/promotion_id", "promotion_needs_no_coupon"),
    ]
    missing = post(
        staff, "/coupons", {"code": "A", "promotion_id": "01980000-0000-7000-8000-000000000001"}
    )
    assert (missing.status_code, missing.json()["code"]) == (404, "promotion_not_found")


def test_only_staff_of_pricing_see_and_change_terms(customer: Client, client: Client) -> None:
    support = users.client_of(users.staff("support"))
    for path in ("/promotions", "/coupons", "/tax-rates", "/shipping-terms"):
        assert send(client, "get", path).status_code == 401
        assert send(customer, "get", path).status_code == 403
        assert send(support, "get", path).json() == {"items": [], "next": None}
        assert post(support, path, {}).status_code == 403


def test_lists_are_one_statement(staff: Client, django_assert_num_queries: Any) -> None:
    now = clock.now()
    for number in range(3):
        pricing.coupon(f"C{number}", now=now)
        pricing.shipping_method(f"m{number}", now=now)
        pricing.tax_rate(now=now, region=f"R{number}")
    staff.get(f"{API}/promotions")
    for path in ("/promotions", "/coupons", "/tax-rates", "/shipping-terms"):
        with django_assert_num_queries(1, using=alias_of("pricing")):
            first = send(staff, "get", f"{path}?limit=2").json()
        assert (len(first["items"]), first["next"] is not None) == (2, True)
        rest = send(staff, "get", f"{path}?limit=2&cursor={first['next']}").json()
        assert (len(rest["items"]), rest["next"]) == (1, None)


def test_codes_cannot_be_guessed_as_fast_as_goods_are_quoted(settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"coupons": "2/h"}
    guesser = Client(REMOTE_ADDR="192.0.2.77")
    asked = {"items": [{"sku": "A", "quantity": 1}]}

    guesses = [post(guesser, "/quotes", asked | {"coupons": [f"G{n}"]}) for n in range(3)]

    assert [answer.status_code for answer in guesses] == [200, 200, 429]
    assert post(guesser, "/quotes", asked).status_code == 200


def test_anybody_may_ask_what_goods_come_to(client: Client) -> None:
    now = clock.now() - timedelta(days=1)
    products.product(now=now, sku="A", price_minor=1000)
    pricing.shipping_method(now=now, price_minor=300)
    pricing.tax_rate(now=now)
    pricing.coupon("TEN", now=now)
    answer = post(
        client,
        "/quotes",
        {
            "items": [{"sku": "GONE", "quantity": 1}, {"sku": "A", "quantity": 2}],
            "country": "GB",
            "coupons": ["ten", "NONE"],
        },
    )
    assert answer.status_code == 200
    found = answer.json()
    assert {name: found[name]["amount"] for name in ("subtotal", "discount", "tax", "total")} == {
        "subtotal": "20.00",
        "discount": "2.00",
        "tax": "3.50",
        "total": "21.00",
    }
    [line] = found["lines"]
    assert (line["sku"], line["total"]["amount"], line["tax_rate"]) == ("A", "18.00", "20")
    assert [(one["code"], one["pointer"]) for one in found["problems"]] == [
        ("unknown_sku", "/items/0/sku"),
        ("unknown_coupon", "/coupons/1"),
    ]
    euros = post(client, "/quotes", {"items": [{"sku": "A", "quantity": 1}], "currency": "EUR"})
    [problem] = euros.json()["problems"]
    assert (problem["code"], problem["pointer"], problem["detail"]) == (
        "not_sold_in_currency",
        "/items/0/sku",
        "A is not sold in EUR.",
    )
    channel = post(client, "/quotes", {"items": [{"sku": "A", "quantity": 1}], "channel": "none"})
    assert (channel.status_code, channel.json()["code"]) == (400, "unknown_channel")
