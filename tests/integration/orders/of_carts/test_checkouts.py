"""A cart becomes one order, however often and from wherever its checkout is sent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client

from domains.carts import public as carts
from domains.carts.models import store
from domains.orders.models import Checkout, Order
from domains.orders.services import checkouts, placement, settling
from domains.products import public as products
from domains.products.services import inventory
from infrastructure import clock
from infrastructure.ids import new_id
from infrastructure.money import MAX_AMOUNT_MINOR
from tests.support.carts import guest_cart, put
from tests.support.checkouts import check_out, held, lines_of, open_cart, wish_for
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.factories.users import client_of, customer

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_guests_cart_becomes_an_order_that_they_read_with_its_token(now: datetime) -> None:
    cart = guest_cart(now, put("A", 2, "as a gift"))

    answer = check_out(Client(), cart.id)

    assert answer.status_code == 201, answer.content
    order = answer.json()
    assert (order["status"], order["source"]) == ("CONFIRMED", "cart")
    assert lines_of(order) == {"A": 2}
    assert order["lines"][0]["note"] == "as a gift"
    assert order["total"] == {"amount": "5.10", "currency": "GBP"}
    read = Client().get(
        f"/api/v1/orders/{order['id']}", headers={"Order-Token": order["order_token"]}
    )
    assert (read.status_code, read.json()["email"]) == (200, "ann@example.com")
    with pytest.raises(carts.CartCheckedOut):
        open_cart(cart.id)


def test_the_same_checkout_again_is_answered_with_the_same_order_and_token(now: datetime) -> None:
    cart = guest_cart(now, put("A", 2))

    first, same_key, other_key = (
        check_out(Client(), cart.id, key=key) for key in ("k", "k", "another")
    )

    assert {first.json()["id"]} == {same_key.json()["id"], other_key.json()["id"]}
    assert first.json()["order_token"] == same_key.json()["order_token"]
    assert "Idempotency-Replayed" not in first.headers
    assert same_key.headers["Idempotency-Replayed"] == "true"
    assert other_key.headers["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [({}, "ring"), ({"note": "knock"}, "knock"), ({"note": ""}, "")],
    ids=["none", "another", "none on purpose"],
)
def test_an_order_has_the_note_of_its_cart_unless_the_checkout_brings_one(
    sent: dict[str, str], expected: str, now: datetime
) -> None:
    cart = guest_cart(now, put("A", 2))
    store().change(cart_id=cart.id, owner=None, fields={"note": "ring"}, now=now)

    first, again = (check_out(Client(), cart.id, **sent) for _ in range(2))

    assert (first.status_code, first.json()["note"]) == (201, expected)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")


def test_the_longest_note_of_a_cart_is_one_of_an_order_whichever_way_it_comes(
    now: datetime,
) -> None:
    longest = "n" * 1000
    for sent in ({}, {"note": longest}):
        cart = guest_cart(now, put("A", 1))
        path = f"/api/v1/carts/{cart.id}"
        patched = Client().patch(path, {"note": longest}, content_type="application/json")
        assert patched.status_code == 200
        answer = check_out(Client(), cart.id, key=str(cart.id), **sent)
        assert (answer.status_code, answer.json()["note"]) == (201, longest)


@pytest.mark.parametrize("by", ["guest", "customer"])
@pytest.mark.parametrize("again_by", ["another guest", "another customer"])
def test_who_knows_the_id_of_a_cart_has_not_seen_its_order_by_that(
    by: str, again_by: str, now: datetime
) -> None:
    cart = guest_cart(now, put("A", 2))
    mine = check_out(Client() if by == "guest" else client_of(customer()), cart.id)
    assert mine.status_code == 201, mine.content

    stranger = Client() if again_by == "another guest" else client_of(customer())
    theirs = check_out(stranger, cart.id, key="theirs", email="eve@example.com")

    assert (theirs.status_code, theirs.json()["code"]) == (409, "cart_checked_out")
    assert not {"Order-Token", "Location"} & set(theirs.headers)
    for secret in (mine.json()["id"], "ann@example.com", mine.json().get("order_token", "ann@")):
        assert secret not in theirs.content.decode()


def test_the_order_of_a_customer_who_took_a_guests_cart_is_not_opened_by_their_address(
    now: datetime,
) -> None:
    cart = guest_cart(now, put("A", 2))
    ann = client_of(customer())
    mine = check_out(ann, cart.id)

    as_guest = check_out(Client(), cart.id, key="k2")
    again = check_out(ann, cart.id, key="k3")

    assert (as_guest.status_code, as_guest.json()["code"]) == (409, "cart_checked_out")
    assert "Order-Token" not in as_guest.headers
    assert (again.status_code, again.json()["id"]) == (201, mine.json()["id"])


def test_while_an_order_waits_for_its_customer_nobody_else_learns_of_it(now: datetime) -> None:
    cart = guest_cart(now, put("A", 2))
    kept = {"method": "card", "token": "tok_declined", "keep_on_decline": True}
    assert check_out(Client(), cart.id, payment=kept).status_code == 402

    theirs = check_out(Client(), cart.id, key="theirs", email="eve@example.com")

    assert (theirs.status_code, theirs.json()["code"]) == (409, "cart_checked_out")


def test_the_cart_of_an_order_that_was_cancelled_before_it_was_decided_can_be_ordered(
    now: datetime,
) -> None:
    cart = guest_cart(now, put("A", 2))
    kept = {"method": "card", "token": "tok_declined", "keep_on_decline": True}
    waiting = check_out(Client(), cart.id, payment=kept).json()["errors"][0]["current"]
    cancelled = placement.cancel_order(order_id=UUID(waiting), reason="", now=clock.now())
    assert (cancelled.status, cancelled.confirmed_at) == ("CANCELLED", None)
    assert open_cart(cart.id) == {"A": 2}

    answer = check_out(Client(), cart.id, key="k2")

    assert (answer.status_code, answer.json()["status"]) == (201, "CONFIRMED")


def test_a_wish_that_is_refused_leaves_the_cart_as_it_was(now: datetime) -> None:
    cart = guest_cart(now, put("A", 2))

    def refused(_: carts.CartContents) -> placement.Wish:
        raise placement.EmailRequired

    with pytest.raises(placement.EmailRequired):
        checkouts.check_out(
            cart_id=cart.id, owner=None, version=None, wish=refused, key=orders.key(), now=now
        )

    assert open_cart(cart.id) == {"A": 2}


@pytest.mark.parametrize("keys", ["one", "many"])
def test_twenty_checkouts_of_one_cart_at_once_make_one_order(keys: str, now: datetime) -> None:
    cart = guest_cart(now, put("A", 2))
    wish = wish_for()
    outcomes: list[str] = []

    def send(number: int) -> None:
        try:
            placed = checkouts.check_out(
                cart_id=cart.id,
                owner=None,
                email="ann@example.com",
                version=None,
                wish=wish,
                key=orders.key("one" if keys == "one" else str(number)),
                now=clock.now(),
            )
            outcomes.append(f"{placed.order.status} replayed={placed.replayed}")
        except (placement.OrderInProgress, carts.CartFrozen) as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    at_once([lambda number=number: send(number) for number in range(20)])  # type: ignore[misc]

    assert len(outcomes) == 20
    assert Counter(outcomes)["CONFIRMED replayed=False"] == 1
    assert Order.objects.count() == 1
    assert held("A") == 2
    assert [row.state for row in Checkout.objects.all()] == ["PLACED"]


def at_once(acts: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("changes", "status", "code", "later"),
    [
        ({"payment": {"method": "shells"}}, 422, "unknown_payment_method", 201),
        ({"payment": {"method": "card", "token": "tok_declined"}}, 402, "payment_declined", 402),
        ({"expected_total": {"amount": "5.00", "currency": "GBP"}}, 409, "price_changed", 201),
    ],
)
def test_a_refused_checkout_leaves_the_cart_as_it_was(
    changes: dict[str, Any], status: int, code: str, later: int, now: datetime
) -> None:
    cart = guest_cart(now, put("A", 2))

    refused = check_out(Client(), cart.id, **changes)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert open_cart(cart.id) == {"A": 2}
    assert held("A") == 0
    assert check_out(Client(), cart.id, key="k2").status_code == 201
    # What was rejected stays so under its key; what came to no order meets the cart's.
    again = check_out(Client(), cart.id, **changes)
    assert again.status_code == later


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}])
@pytest.mark.parametrize("own", [0, 3])
def test_what_is_plainly_short_leaves_no_order_and_the_cart_stays(
    now: datetime, own: int, prefer: dict[str, str]
) -> None:
    cart = guest_cart(now, put("A", 6))
    if own:
        hold(cart.id, own, now)

    refused = check_out(Client(), cart.id, headers=prefer)

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "out_of_stock")
    assert [error["pointer"] for error in problem["errors"]] == ["/items/0/quantity"]
    assert not Order.objects.exists()
    assert (open_cart(cart.id), held("A")) == ({"A": 2}, own)


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}])
@pytest.mark.parametrize(
    ("sku", "code", "pointer"),
    [
        ("NOWHERE", "unknown_sku", "/items/1/sku"),
        ("EURO", "not_sold_in_currency", "/items/1/sku"),
        ("GOLD", "total_too_large", "/items"),
    ],
)
def test_a_checkout_points_into_its_cart_as_the_cart_itself_does(
    now: datetime, sku: str, code: str, pointer: str, prefer: dict[str, str]
) -> None:
    goods.product(sku="EURO", currency="EUR", stock=5, now=now)
    goods.product(sku="GOLD", price_minor=MAX_AMOUNT_MINOR, stock=5, now=now)
    cart = guest_cart(now, put("A", 1), put(sku, 2))

    refused = check_out(Client(), cart.id, headers=prefer)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    told = Client().get(f"/api/v1/carts/{cart.id}").json()["problems"]
    for problems in (refused.json()["errors"], told):
        assert [(one["pointer"], one["code"]) for one in problems] == [(pointer, code)]


def test_an_asynchronous_checkout_that_is_rejected_later_points_into_its_cart(
    now: datetime,
) -> None:
    cart = guest_cart(now, put("A", 3))
    accepted = check_out(Client(), cart.id, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202
    inventory.set_stock(levels={"A": 1}, reason="count", now=now)
    settling.settle(order_id=UUID(accepted.json()["id"]), now=now)

    again = check_out(Client(), cart.id, headers={"Prefer": "respond-async"})

    assert (again.status_code, again.json()["code"]) == (409, "out_of_stock")
    assert [error["pointer"] for error in again.json()["errors"]] == ["/items/0/quantity"]


def test_what_a_cart_held_too_long_counts_for_it_once(now: datetime) -> None:
    cart = guest_cart(now, put("A", 6))
    hold(cart.id, 5, now - timedelta(hours=1))

    assert check_out(Client(), cart.id).json()["code"] == "out_of_stock"
    assert not Order.objects.exists()


def hold(cart_id: UUID, quantity: int, at: datetime) -> None:
    lines = goods.lines({"A": quantity})
    products.hold_for_cart(cart_id=cart_id, lines=lines, now=at, ttl=timedelta(minutes=15))


def test_the_order_takes_over_what_the_cart_holds(now: datetime) -> None:
    cart = guest_cart(now, put("A", 5))
    hold(cart.id, 5, now)

    others = orders.place
    with pytest.raises(placement.quoting.OutOfStock):
        others({"A": 1}, now=clock.now())
    answer = check_out(Client(), cart.id)

    assert answer.status_code == 201, answer.content
    assert held("A") == 5


def test_a_customers_cart_answers_to_that_customer_only(now: datetime) -> None:
    ann, bob = customer(), customer()
    made = store().create(owner=ann.id, currency="GBP", channel=None, once=None, now=now).cart
    store().change(cart_id=made.id, owner=ann.id, changes=[put("A", 1)], now=now)

    assert check_out(client_of(bob), made.id).status_code == 404
    assert check_out(Client(), made.id).status_code == 404
    answer = check_out(client_of(ann), made.id)
    assert answer.status_code == 201
    assert "order_token" not in answer.json()
    assert Order.objects.get().customer_id == ann.id


def test_a_cart_that_was_changed_since_is_not_ordered(now: datetime) -> None:
    cart = guest_cart(now, put("A", 1))
    store().change(cart_id=cart.id, owner=None, changes=[put("A", 2)], now=now)

    answer = check_out(Client(), cart.id, headers={"If-Match": f'"v{cart.version}"'})

    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    assert Order.objects.count() == 0


def test_what_became_of_a_checkout_is_forgotten_when_nobody_can_ask_any_more(
    now: datetime,
) -> None:
    check_out(Client(), guest_cart(now, put("A", 1)).id, key="good")
    silent = {"method": "card", "token": "tok_timeout"}
    waiting = check_out(Client(), guest_cart(now, put("A", 1)).id, key="slow", payment=silent)
    assert waiting.json()["status"] == "PENDING"
    given_up = new_id()
    Checkout.objects.abandon(order_id=given_up, cart_id=new_id(), now=clock.now())
    in_time = clock.now() + timedelta(days=29, hours=23)

    assert checkouts.forget_checkouts(now=in_time) == 0
    late = in_time + timedelta(hours=2)
    assert [checkouts.forget_checkouts(now=late, at_most=1) for _ in range(3)] == [1, 1, 0]

    left = Checkout.objects.values_list("order_id", flat=True)
    assert [str(order_id) for order_id in left] == [waiting.json()["id"]]
