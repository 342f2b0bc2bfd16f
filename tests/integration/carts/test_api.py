"""The cart routes as a client sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from domains.products.models import Variant
from domains.products.services import inventory
from domains.products.services.prices import NewPrice, set_prices
from domains.products.services.products import archive_product
from infrastructure.money import Money
from tests.support.carts import events_of
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer

pytestmark = pytest.mark.django_db

CARTS = "/api/v1/carts"


def gbp(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def call(client: Client, method: str, path: str, content: Any = None, **headers: str) -> Any:
    sent = {"content_type": "application/json"} if method != "get" else {}
    if content is not None:
        sent["data"] = content
    return getattr(client, method)(
        f"{CARTS}{path}", headers={n.replace("_", "-"): v for n, v in headers.items()}, **sent
    )


def made(client: Client, *items: tuple[str, int], **fields: Any) -> str:
    """The path of a new cart with these items."""
    answer = call(client, "post", "", fields)
    assert answer.status_code == 201, answer.json()
    path = f"/{answer.json()['id']}"
    if items:
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in items]
        answer = call(client, "post", f"{path}/items", {"items": wanted})
        assert answer.status_code == 200, answer.json()
    return path


def reprice(sku: str, price_minor: int, now: datetime) -> None:
    price = NewPrice(sku=sku, money=Money(price_minor, "GBP"))
    set_prices(prices=[price], actor_id=None, now=now)


def codes(problems: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(problem["code"], problem["pointer"]) for problem in problems]


@pytest.fixture
def guest() -> Client:
    return Client()


@pytest.fixture
def shop(now: datetime) -> None:
    goods.product(name="White lantern", sku="71053", price_minor=255, stock=10, now=now)
    goods.product(name="Tea cup", sku="tea-cup", price_minor=100, stock=3, now=now)


@pytest.mark.usefixtures("shop")
class TestCart:
    def test_a_guest_makes_a_cart_and_fills_it(self, guest):
        answer = call(guest, "post", "", {})
        assert answer.status_code == 201
        assert answer["Location"] == f"{CARTS}/{answer.json()['id']}"
        assert answer["Cache-Control"] == "no-store"
        assert codes(answer.json()["problems"]) == [("cart_empty", "/items")]
        path = f"/{answer.json()['id']}"

        items = [{"sku": "71053", "quantity": 2, "note": "red"}, {"sku": "71053", "quantity": 1}]
        cart = call(guest, "post", f"{path}/items", {"items": items}).json()

        assert cart["items"] == [
            {
                "sku": "71053",
                "name": "White lantern",
                "quantity": 3,
                "note": "red",
                "supply": "ENOUGH",
                "unit_price": gbp("2.55"),
                "subtotal": gbp("7.65"),
                "discount": gbp("0.00"),
                "tax": cart["items"][0]["tax"],
                "tax_rate": cart["items"][0]["tax_rate"],
                "total": gbp("7.65"),
            }
        ]
        assert (cart["subtotal"], cart["total"]) == (gbp("7.65"), gbp("7.65"))
        assert (cart["changes"], cart["problems"]) == ([], [])
        assert call(guest, "get", path).json() == cart

    def test_items_are_set_and_taken_out(self, guest):
        path = made(guest, ("71053", 2))
        cart = call(guest, "put", f"{path}/items/71053", {"quantity": 5, "note": "n"}).json()
        assert [(i["sku"], i["quantity"], i["note"]) for i in cart["items"]] == [("71053", 5, "n")]
        cart = call(guest, "delete", f"{path}/items/71053").json()
        assert cart["items"] == []
        again = call(guest, "delete", f"{path}/items/71053")
        assert (again.status_code, again.json()) == (200, cart)

    def test_what_is_not_sold_does_not_come_in(self, guest):
        path = made(guest)
        items = [{"sku": "71053", "quantity": 1}, {"sku": "nothing", "quantity": 1}]
        answer = call(guest, "post", f"{path}/items", {"items": items})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_sku")
        assert codes(answer.json()["errors"]) == [("unknown_sku", "/items/1/sku")]
        assert call(guest, "get", path).json()["items"] == []

    def test_what_has_no_price_in_the_currency_does_not_come_in(self, guest):
        path = made(guest, currency="EUR")
        item = {"sku": "71053", "quantity": 1}
        answer = call(guest, "post", f"{path}/items", {"items": [item]})
        assert (answer.status_code, answer.json()["code"]) == (422, "not_sold_in_currency")
        assert answer.json()["errors"] == [
            {
                "pointer": "/items/0/sku",
                "code": "not_sold_in_currency",
                "detail": "71053 is not sold in EUR.",
            }
        ]

    def test_fields_are_changed_one_by_one(self, guest):
        path = made(guest, ("71053", 1))
        call(guest, "patch", path, {"note": "ring", "country": "GB", "postcode": "LS1 1AA"})
        fields = {"note": "knock", "coupons": ["None", "NONE", " none "]}
        cart = call(guest, "patch", path, fields).json()
        assert (cart["note"], cart["country"], cart["postcode"]) == ("knock", "GB", "LS1 1AA")
        assert cart["coupons"] == ["None"]
        assert ("unknown_coupon", "/coupons/0") in codes(cart["problems"])
        cart = call(guest, "patch", path, {"coupons": [], "country": None}).json()
        assert (cart["coupons"], cart["country"], cart["problems"]) == ([], None, [])

    def test_codes_cannot_be_guessed_by_way_of_a_cart(self, settings):
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"coupons": "2/h"}
        guesser = Client(REMOTE_ADDR="192.0.2.78")
        path = made(guesser, ("71053", 1))

        guesses = [call(guesser, "patch", path, {"coupons": [f"G{n}"]}) for n in range(3)]

        assert [answer.status_code for answer in guesses] == [200, 200, 429]
        assert guesses[2].json()["code"] == "rate_limited"
        # The cart is as it was, and may be looked at and changed in other ways.
        assert call(guesser, "get", path).json()["coupons"] == ["G1"]
        assert call(guesser, "patch", path, {"note": "ring", "coupons": []}).status_code == 200
        quote = {"items": [{"sku": "71053", "quantity": 1}], "coupons": ["G3"]}
        asked = guesser.post("/api/v1/quotes", quote, content_type="application/json")
        assert asked.status_code == 429

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            ({"currency": "XXX"}, "invalid_body"),
            ({"channel": "nowhere"}, "unknown_channel"),
            ({"email": "a@example.com"}, "invalid_body"),
        ],
    )
    def test_a_cart_that_cannot_be_is_refused(self, guest, content, code):
        answer = call(guest, "post", "", content)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_a_deleted_cart_is_gone(self, guest):
        path = made(guest, ("71053", 1))
        assert call(guest, "delete", path).status_code == 204
        assert call(guest, "get", path).status_code == 404
        assert [e.status for e in events_of(UUID(path[1:]))] == ["OPEN", "OPEN", "DELETED"]


@pytest.mark.usefixtures("shop")
class TestWhose:
    def test_a_customers_cart_is_found_again_and_not_by_others(self, guest):
        ann = client_of(customer())
        assert call(ann, "get", "/current").status_code == 404
        path = made(ann, ("71053", 1))
        cart = call(ann, "get", "/current").json()
        assert f"/{cart['id']}" == path
        assert call(ann, "post", "", {}).status_code == 200
        for stranger in (guest, client_of(customer())):
            for method, rest, content in (
                ("get", "", None),
                ("patch", "", {"note": "x"}),
                ("delete", "", None),
                ("post", "/items", {"items": [{"sku": "71053", "quantity": 1}]}),
                ("put", "/items/71053", {"quantity": 1}),
                ("get", "/problems", None),
                ("get", "/shipping-options", None),
                ("post", "/seen", None),
                ("post", "/hold", None),
                ("delete", "/hold", None),
            ):
                answer = call(stranger, method, f"{path}{rest}", content)
                assert (answer.status_code, answer.json()["code"]) == (404, "cart_not_found")
        assert call(ann, "get", "/current").json() == cart

    def test_a_guests_cart_is_merged_once_at_login(self, guest):
        ann = client_of(customer())
        own = made(ann, ("71053", 1))
        theirs = made(guest, ("71053", 2), ("tea-cup", 1))
        assert call(guest, "post", f"{theirs}/merge").status_code == 401
        answers = [call(ann, "post", f"{theirs}/merge") for _ in range(2)]
        for answer in answers:
            assert f"/{answer.json()['id']}" == own
            assert [(i["sku"], i["quantity"]) for i in answer.json()["items"]] == [
                ("71053", 3),
                ("tea-cup", 1),
            ]
        assert call(guest, "get", theirs).status_code == 404
        answer = call(ann, "post", f"{own}/merge")
        assert (answer.status_code, answer.json()["code"]) == (409, "cart_not_mergeable")


@pytest.mark.usefixtures("shop")
class TestConditions:
    def test_a_change_based_on_what_is_not_so_any_more_is_refused(self, guest):
        path = made(guest, ("71053", 1))
        tag = call(guest, "get", path)["ETag"]
        first = call(guest, "put", f"{path}/items/71053", {"quantity": 2}, If_Match=tag)
        assert first.status_code == 200
        second = call(guest, "put", f"{path}/items/71053", {"quantity": 9}, If_Match=tag)
        assert (second.status_code, second.json()["code"]) == (412, "stale_version")
        assert call(guest, "patch", path, {"note": "x"}, If_Match=first["ETag"]).status_code == 200
        assert call(guest, "delete", path, If_Match=tag).status_code == 412

    def test_the_tag_tells_prices_too(self, guest, now):
        path = made(guest, ("71053", 1))
        first = call(guest, "get", path)
        assert call(guest, "get", path, If_None_Match=first["ETag"]).status_code == 304
        inventory.set_stock(levels={"71053": 0}, reason="count", now=now)
        second = call(guest, "get", path, If_None_Match=first["ETag"])
        assert second.status_code == 200
        assert second["ETag"].split("-")[0] == first["ETag"].split("-")[0]
        # Only the version counts for a change.
        answer = call(guest, "patch", path, {"note": "x"}, If_Match=first["ETag"])
        assert answer.status_code == 200

    def test_a_repeated_addition_is_one(self, guest):
        path = made(guest)
        items = {"items": [{"sku": "71053", "quantity": 2}]}
        first, second = (
            call(guest, "post", f"{path}/items", items, Idempotency_Key="k-1") for _ in range(2)
        )
        assert first.json() == second.json()
        assert [a.get("Idempotency-Replayed") for a in (first, second)] == [None, "true"]
        twice = {"items": items["items"] * 2}
        other = call(guest, "post", f"{path}/items", twice, Idempotency_Key="k-1")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def test_a_repeated_creation_is_one(self, guest):
        first, second = (call(guest, "post", "", {}, Idempotency_Key="k-2") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert second["Idempotency-Replayed"] == "true"


@pytest.mark.usefixtures("shop")
class TestChanges:
    def test_a_price_that_changed_is_told_until_it_was_seen(self, guest, now):
        path = made(guest, ("71053", 2))
        reprice("71053", 300, now)
        for _ in range(2):
            cart = call(guest, "get", path).json()
            assert cart["changes"] == [
                {"code": "price_changed", "sku": "71053", "was": gbp("2.55"), "now": gbp("3.00")}
            ]
            assert cart["total"] == gbp("6.00")
        assert call(guest, "post", f"{path}/seen").json()["changes"] == []
        assert call(guest, "get", path).json()["changes"] == []

    def test_what_changed_since_a_guest_was_told_is_told_after_signing_in(self, guest, now):
        prices = [NewPrice(sku="tea-cup", money=Money(120, "EUR"))]
        set_prices(prices=prices, actor_id=None, now=now)
        person = client_of(customer())
        made(person, currency="EUR")
        path = made(guest, ("71053", 2), ("tea-cup", 1))
        merged = call(person, "post", f"{path}/merge").json()
        for cart in (merged, call(person, "get", "/current").json()):
            assert [(c["code"], c["sku"], c.get("was"), c.get("now")) for c in cart["changes"]] == [
                ("unavailable", "71053", None, None),
                ("currency_changed", "tea-cup", gbp("1.00"), {"amount": "1.20", "currency": "EUR"}),
            ]
        seen = call(person, "post", f"/{merged['id']}/seen").json()
        assert seen["changes"] == []

    def test_what_the_customer_was_told_of_a_line_counts_in_a_merge(self, guest, now):
        person = client_of(customer())
        made(person, ("71053", 1))
        reprice("71053", 300, now)
        path = made(guest, ("71053", 2))
        merged = call(person, "post", f"{path}/merge").json()
        assert [(c["was"], c["now"]) for c in merged["changes"]] == [(gbp("2.55"), gbp("3.00"))]

    def test_goods_that_run_short_or_go_are_told_and_are_problems(self, guest, now):
        path = made(guest, ("71053", 4), ("tea-cup", 1))
        inventory.set_stock(levels={"71053": 3}, reason="count", now=now)
        archive_product(
            product_id=Variant.objects.get(sku="tea-cup").product_id, version=None, now=now
        )
        cart = call(guest, "get", path).json()
        assert [(c["code"], c["sku"]) for c in cart["changes"]] == [
            ("short", "71053"),
            ("unavailable", "tea-cup"),
        ]
        assert codes(cart["problems"]) == [
            ("out_of_stock", "/items/0/quantity"),
            ("unknown_sku", "/items/1/sku"),
        ]
        assert call(guest, "get", f"{path}/problems").json()["items"] == cart["problems"]
        assert [item["total"] for item in cart["items"]] == [gbp("10.20"), None]
        assert cart["total"] == gbp("10.20")
        call(guest, "post", f"{path}/seen")
        inventory.set_stock(levels={"71053": 4}, reason="delivery", now=now)
        assert [c["code"] for c in call(guest, "get", path).json()["changes"]] == [
            "available_again"
        ]


@pytest.mark.usefixtures("shop")
class TestHold:
    def test_what_is_held_for_a_cart_others_cannot_hold_and_it_is_no_problem_to_itself(
        self, guest, now
    ):
        path, other = made(guest, ("71053", 10)), made(guest, ("71053", 1))
        held = call(guest, "post", f"{path}/hold")
        assert held.status_code == 200
        assert held.json()["held_until"] is not None
        assert call(guest, "get", path).json()["problems"] == []
        refused = call(guest, "post", f"{other}/hold")
        assert (refused.status_code, refused.json()["code"]) == (409, "out_of_stock")
        assert refused.json()["title"] == "Not everything is in stock"
        [short] = refused.json()["errors"]
        assert short == {
            "pointer": "/items/0/quantity",
            "code": "out_of_stock",
            "detail": "There are not 1 of 71053.",
        }

        free = call(guest, "delete", f"{path}/hold").json()
        assert (free["held_until"], free["problems"]) == (None, [])
        assert call(guest, "post", f"{other}/hold").status_code == 200

    def test_a_cart_that_is_thrown_away_holds_nothing(self, guest):
        path, other = made(guest, ("71053", 10)), made(guest, ("71053", 10))
        call(guest, "post", f"{path}/hold")
        call(guest, "delete", path)
        assert call(guest, "post", f"{other}/hold").status_code == 200

    def test_what_a_guest_had_held_is_held_for_them_once_they_sign_in(self, guest):
        path, other = made(guest, ("71053", 10)), made(guest, ("71053", 1))
        until = call(guest, "post", f"{path}/hold").json()["held_until"]
        person = client_of(customer())
        merged = call(person, "post", f"{path}/merge").json()
        assert (merged["held_until"], merged["problems"], merged["changes"]) == (until, [], [])
        assert call(guest, "post", f"{other}/hold").status_code == 409
        call(person, "delete", f"/{merged['id']}/hold")
        assert call(guest, "post", f"{other}/hold").status_code == 200

    def test_what_cannot_be_held_of_two_carts_is_told_and_the_rest_is_held(self, guest):
        person = client_of(customer())
        own, path = made(person, ("71053", 3), ("tea-cup", 1)), made(guest, ("71053", 8))
        until = call(guest, "post", f"{path}/hold").json()["held_until"]
        merged = call(person, "post", f"{path}/merge").json()
        assert (f"/{merged['id']}", merged["held_until"]) == (own, until)
        assert codes(merged["problems"]) == [("out_of_stock", "/items/0/quantity")]
        assert [(c["code"], c["sku"]) for c in merged["changes"]] == [("short", "71053")]
        others = [made(guest, ("71053", quantity)) for quantity in (3, 2)]
        answers = [call(guest, "post", f"{other}/hold").status_code for other in others]
        assert answers == [409, 200]  # eight are held, and what is left is anybody's

    def test_nothing_cannot_be_held(self, guest):
        answer = call(guest, "post", f"{made(guest)}/hold")
        assert (answer.status_code, answer.json()["code"]) == (422, "cart_empty")


def test_a_cart_that_never_was_is_not_found(guest):
    answer = call(guest, "get", f"/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "cart_not_found")
