"""The catalogue through the cache: read once, and never shown as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from domains.products.models import StockItem
from domains.products.services import inventory
from domains.users import services as accounts
from infrastructure import clock
from infrastructure.cache.tiers import Cache
from infrastructure.database.contexts import alias_of
from tests.support.caches import installed_cache
from tests.support.factories import products as factory
from tests.support.factories import users
from tests.support.messaging import deliver_outbox

pytestmark = pytest.mark.django_db(transaction=True)

API = "/api/v1"
READS = (
    "/products",
    "/products?facets=categories,price,available&category=lights",
    "/products/lantern",
    "/categories",
    "/categories/lights",
)


@pytest.fixture
def now() -> datetime:
    """Events of long ago invalidate nothing, so these are of today."""
    return clock.now()


@pytest.fixture(autouse=True)
def cache(settings: Any) -> Iterator[Cache]:
    with installed_cache(settings, f"test-{uuid4().hex}") as cache:
        yield cache


@pytest.fixture(autouse=True)
def lantern(now: datetime, staff: Client) -> UUID:
    for name in ("Lights", "Garden"):
        staff.post(f"{API}/categories", {"name": name}, content_type="application/json")
    return factory.product(
        now=now, name="Lantern", sku="A", price_minor=1000, stock=3, categories=("lights",)
    )


@pytest.fixture
def anybody() -> Client:
    return Client()


@pytest.fixture
def trader() -> Client:
    ann = users.customer()
    accounts.set_customer_group(
        user_id=ann.id, customer_group="trade", scopes=users.EVERY_SCOPE, now=users.NOW
    )
    return users.client_of(ann)


def put(client: Client, path: str, body: object, **headers: str) -> HttpResponse:
    return client.put(f"{API}{path}", body, content_type="application/json", headers=headers)


def patch(client: Client, path: str, body: object) -> HttpResponse:
    etag = client.get(f"{API}{path}")["ETag"]
    return client.patch(
        f"{API}{path}", body, content_type="application/json", headers={"If-Match": etag}
    )


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connections[alias_of("products")]) as captured:
        assert client.get(f"{API}{path}").status_code == 200
    return len(captured)


def shown_price(client: Client, path: str = "/products") -> str:
    [item] = client.get(f"{API}{path}").json()["items"]
    price: str = item["variants"][0]["price"]["amount"]
    return price


@pytest.mark.parametrize("path", READS)
def test_a_read_is_loaded_once_and_says_the_same_ever_after(anybody: Client, path: str) -> None:
    first = anybody.get(f"{API}{path}")
    assert first.headers["Cache-Control"].startswith("public, ")
    assert statements(anybody, path) == 0
    again = anybody.get(f"{API}{path}")
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    unchanged = anybody.get(f"{API}{path}", headers={"If-None-Match": first["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def change_price(staff: Client) -> HttpResponse:
    return put(staff, "/variants/A/price", {"amount": "12.00", "currency": "GBP"})


def rename_product(staff: Client) -> HttpResponse:
    return patch(staff, "/products/lantern", {"name": "Lamp"})


def rename_category(staff: Client) -> HttpResponse:
    return patch(staff, "/categories/lights", {"name": "Lamps"})


def list_elsewhere(staff: Client) -> HttpResponse:
    return patch(staff, "/products/lantern", {"categories": ["lights", "garden"]})


def add_a_category(staff: Client) -> HttpResponse:
    body = {"name": "Candles", "parent": "lights"}
    return staff.post(f"{API}/categories", body, content_type="application/json")


def add_a_product(staff: Client) -> HttpResponse:
    variant = {"sku": "B", "price": {"amount": "5.00", "currency": "GBP"}}
    body = {"name": "Candle", "status": "active", "categories": ["lights"], "variants": [variant]}
    return staff.post(f"{API}/products", body, content_type="application/json")


LISTS, DETAIL, CATEGORY_PAGES = READS[:2], READS[2:3], READS[3:]


@pytest.mark.parametrize(
    ("change", "shows_in"),
    [
        (change_price, [*LISTS, *DETAIL]),
        (rename_product, [*LISTS, *DETAIL]),
        (rename_category, [*DETAIL, *CATEGORY_PAGES]),
        (list_elsewhere, [*DETAIL, CATEGORY_PAGES[0]]),
        (add_a_category, CATEGORY_PAGES),
        (add_a_product, [*LISTS, *CATEGORY_PAGES]),
    ],
)
def test_a_change_is_shown_everywhere_before_its_event_is_handled(
    anybody: Client,
    staff: Client,
    change: Callable[[Client], HttpResponse],
    shows_in: list[str],
) -> None:
    before = {path: anybody.get(f"{API}{path}").content for path in READS}
    assert change(staff).status_code in (200, 201)
    after = {path: anybody.get(f"{API}{path}").content for path in READS}
    assert {path for path in READS if before[path] != after[path]} >= set(shows_in)


def test_what_is_archived_is_gone(anybody: Client, staff: Client) -> None:
    assert anybody.get(f"{API}/products/lantern").status_code == 200
    assert staff.delete(f"{API}/products/lantern").status_code == 204
    assert anybody.get(f"{API}/products/lantern").status_code == 404
    assert anybody.get(f"{API}/products").json()["items"] == []


def test_a_slug_that_moved_leads_on_and_is_not_kept(anybody: Client, staff: Client) -> None:
    assert anybody.get(f"{API}/products/lantern").status_code == 200
    assert patch(staff, "/products/lantern", {"slug": "lamp"}).status_code == 200
    for _ in range(2):
        moved = anybody.get(f"{API}/products/lantern?currency=GBP")
        assert (moved.status_code, moved["Location"]) == (301, f"{API}/products/lamp?currency=GBP")


def available(client: Client, **headers: str) -> list[bool]:
    """As a list and the product itself say."""
    [item] = client.get(f"{API}/products", headers=headers).json()["items"]
    detail = client.get(f"{API}/products/lantern", headers=headers).json()
    return [found["variants"][0]["available"] for found in (item, detail)]


def on_sale(client: Client, **headers: str) -> list[str]:
    """What is left, as a list that is filtered by it says."""
    found = client.get(f"{API}/products?available=true", headers=headers).json()
    return [item["slug"] for item in found["items"]]


@pytest.mark.parametrize("hint", [True, False])
def test_what_sells_out_is_shown_so_at_once_or_when_the_event_is_handled(
    anybody: Client, now: datetime, hint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_outbox()
    for path in READS:
        anybody.get(f"{API}{path}")
    assert on_sale(anybody) == ["lantern"]
    with monkeypatch.context() as patched:
        if not hint:
            patched.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
        factory.held({"A": 3}, now=now)
    assert not StockItem.objects.get(sku="A").available
    assert available(anybody) == [not hint] * 2
    deliver_outbox()
    assert available(anybody) == [False] * 2
    assert on_sale(anybody) == []


def adjust(staff: Client) -> None:
    body = {"delta": -3, "reason": "damage"}
    said = staff.post(f"{API}/inventory/A/adjustments", body, content_type="application/json")
    assert said.status_code == 201


def count(staff: Client) -> None:
    body = {"on_hand": 0, "change_from": 3, "reason": "count"}
    assert put(staff, "/inventory/A", body).status_code == 200


def count_many(staff: Client) -> None:
    inventory.set_stock(levels={"A": 0}, reason="count", now=clock.now())


@pytest.mark.parametrize("change", [adjust, count, count_many])
def test_what_staff_do_to_the_stock_shows_at_once_in_filtered_lists_too(
    anybody: Client, staff: Client, change: Callable[[Client], None]
) -> None:
    deliver_outbox()
    assert (available(anybody), on_sale(anybody)) == ([True] * 2, ["lantern"])
    change(staff)
    assert (available(anybody), on_sale(anybody)) == ([False] * 2, [])


def test_a_price_leaves_lists_alone_that_do_not_show_it(
    anybody: Client, staff: Client, now: datetime
) -> None:
    factory.product(now=now, name="Spade", sku="S", price_minor=1000, categories=("garden",))
    others = ["/products?category=garden", "/products/spade", "/categories"]
    by_price = "/products?category=garden&sort=price"
    for path in (*others, by_price):
        anybody.get(f"{API}{path}")
    assert change_price(staff).status_code == 200
    assert [statements(anybody, path) for path in others] == [0, 0, 0]
    assert statements(anybody, by_price) > 0


@pytest.mark.parametrize(("turned", "left_alone"), [("price", "available"), ("available", "price")])
def test_what_turns_leaves_lists_alone_that_count_something_else(
    anybody: Client, staff: Client, now: datetime, turned: str, left_alone: str
) -> None:
    factory.product(now=now, name="Spade", sku="S", price_minor=1000, categories=("garden",))
    garden = "/products?category=garden&facets="
    others = [f"{garden}{left_alone},categories,attributes", f"{garden}categories"]
    for path in (*others, f"{garden}{turned}"):
        anybody.get(f"{API}{path}")
    if turned == "price":
        change_price(staff)
    else:
        adjust(staff)
    assert [statements(anybody, path) for path in others] == [0, 0]
    assert statements(anybody, f"{garden}{turned}") > 0


def test_a_draft_leaves_lists_alone(anybody: Client, staff: Client, now: datetime) -> None:
    factory.product(now=now, name="Secret", sku="S", status="draft")
    deliver_outbox()
    for path in READS:
        anybody.get(f"{API}{path}")
    assert patch(staff, "/products/secret", {"name": "Secrets"}).status_code == 200
    deliver_outbox()
    assert [statements(anybody, path) for path in READS] == [0] * len(READS)


@pytest.mark.parametrize("path", READS[:3])
def test_without_the_hint_the_event_does_it(
    anybody: Client, staff: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_outbox()
    before = anybody.get(f"{API}{path}").content
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
    assert change_price(staff).status_code == 200
    assert anybody.get(f"{API}{path}").content == before
    deliver_outbox()
    assert b"12.00" in anybody.get(f"{API}{path}").content


def test_events_of_long_ago_cost_nothing(
    now: datetime, cache: Cache, anybody: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_outbox()
    anybody.get(f"{API}/products")
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
    before = cache.local.sequence
    inventory.adjust_stock(
        sku="A", delta=-3, reason="count", actor_id=None, now=now - timedelta(hours=1)
    )
    deliver_outbox()
    assert cache.local.sequence == before


def test_groups_see_their_prices_and_others_theirs(
    anybody: Client, trader: Client, staff: Client
) -> None:
    body = {"code": "trade", "name": "Trade", "currency": "GBP", "customer_group": "trade"}
    made = staff.post(f"{API}/price-lists", body, content_type="application/json")
    assert made.status_code == 201
    offer = {"amount": "8.00", "currency": "GBP", "price_list": "trade"}
    assert put(staff, "/variants/A/price", offer).status_code == 200
    customer = users.client_of(users.customer())
    for _ in range(3):
        assert [shown_price(who) for who in (anybody, trader, customer, trader)] == [
            "10.00",
            "8.00",
            "10.00",
            "8.00",
        ]
    assert patch(staff, "/price-lists/trade", {"active": False}).status_code == 200
    assert [shown_price(trader), shown_price(anybody)] == ["10.00", "10.00"]


def test_staff_see_drafts_and_leave_none_behind(
    anybody: Client, staff: Client, now: datetime
) -> None:
    factory.product(now=now, name="Secret", sku="S", status="draft")
    assert staff.get(f"{API}/products/secret").status_code == 200
    assert staff.get(f"{API}/products/secret").headers["Cache-Control"] == "no-store"
    assert anybody.get(f"{API}/products/secret").status_code == 404


def test_a_page_ends_with_the_price_that_it_shows(
    anybody: Client, staff: Client, cache: Cache, now: datetime
) -> None:
    turns = now + timedelta(seconds=20)
    sale = {"amount": "7.00", "currency": "GBP", "kind": "sale", "valid_from": turns.isoformat()}
    assert put(staff, "/variants/A/price", sale).status_code == 200
    for path in READS[:3]:
        cached = anybody.get(f"{API}{path}").headers["Cache-Control"]
        assert cached != "public, max-age=5, s-maxage=10, stale-while-revalidate=30"
    held = cache.local.at(f"{API}/products/lantern")
    assert held is not None
    assert held.entry.expires_at == pytest.approx(turns.timestamp(), abs=0.001)


def test_who_changed_something_sees_it_whatever_caches_know(
    anybody: Client, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown_price(anybody) == "10.00"
    monkeypatch.setattr("infrastructure.cache.invalidation._hint", lambda tags: None)
    token = change_price(staff)["Consistency-Token"]
    assert shown_price(anybody) == "10.00"
    answer = anybody.get(f"{API}/products", headers={"Consistency-Token": token})
    assert answer.json()["items"][0]["variants"][0]["price"]["amount"] == "12.00"
    # What was loaded for them is everybody's now.
    assert shown_price(anybody) == "12.00"


@pytest.mark.parametrize("enabled", [True, False])
def test_every_write_to_the_catalogue_says_what_reads_must_have_seen(
    staff: Client, settings: Any, enabled: bool
) -> None:
    settings.CACHE_ENABLED = enabled
    said = [
        change_price(staff),
        put(staff, "/channels/web", {"name": "Shop"}),
        put(staff, "/channels/web", {"name": "Shop"}),
        *(
            staff.post(
                f"{API}/categories",
                {"name": "Candles"},
                content_type="application/json",
                headers={"Idempotency-Key": "k"},
            )
            for _ in range(2)
        ),
    ]
    assert [answer.status_code for answer in said] == [200, 200, 200, 201, 201]
    assert said[-1]["Idempotency-Replayed"] == "true"
    assert ["Consistency-Token" in answer for answer in said] == [True] * 5


def test_people_who_are_signed_in_are_read_for_once(trader: Client) -> None:
    for path in READS:
        assert trader.get(f"{API}{path}").headers["Cache-Control"] == "private, no-cache"
        assert statements(trader, path) == 0


def test_a_page_that_is_asked_for_with_its_cursor_is_kept_too(
    anybody: Client, now: datetime
) -> None:
    factory.stocked({"X": 1, "Y": 1}, now=now)
    first = anybody.get(f"{API}/products?limit=1")
    path = first["Link"].split(">")[0].removeprefix(f"<{API}")
    assert anybody.get(f"{API}{path}").json()["items"][0]["name"] == "Thing X"
    assert statements(anybody, path) == 0
