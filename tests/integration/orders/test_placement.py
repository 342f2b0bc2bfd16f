"""Placing an order: what it costs, what it promises, and what is left when it is refused."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext, override_settings

from domains.orders.errors import (
    OrderInProgress,
    OutOfStock,
    TotalTooLarge,
    UnknownPaymentMethod,
    UnknownSku,
)
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import batches, placement, settling
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from infrastructure.database.contexts import alias_of, aliases
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.ids import new_id
from infrastructure.money import MAX_AMOUNT_MINOR
from infrastructure.observability.correlation import Correlation
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import orders
from tests.support.factories import pricing as prices
from tests.support.factories import products as goods
from tests.support.kill_points import Died
from tests.support.placed_orders import events_of, payment_of, stock_of

pytestmark = pytest.mark.django_db


def test_an_order_is_confirmed_with_its_stock_and_its_guarantee(now: datetime) -> None:
    goods.stocked({"A": 10, "B": 5}, now=now)

    order = orders.placed({"A": 2, "B": 1}, now=now)

    assert order.status == "CONFIRMED"
    assert order.total_minor == 3 * 1000
    assert order.unsettled_since is None
    assert order.payment_token == ""
    assert payment_of(order) is PaymentStatus.AUTHORISED
    assert stock_of("A") == (10, 2)
    assert stock_of("B") == (5, 1)
    assert Counter(events_of(order.id)) == Counter(
        [
            "orders.order_created",
            "products.stock_reserved",
            "payments.payment_authorised",
            "orders.order_status_updated",
        ]
    )


@override_settings(PRICING_TERMS_SECONDS=60.0)
def test_a_placement_is_one_read_and_five_statements(now: datetime) -> None:
    goods.stocked({"A": 10, "B": 5, "C": 5}, now=now)
    orders.placed({"A": 1}, now=now)  # draws the block of numbers

    captured = [CaptureQueriesContext(connections[alias]) for alias in aliases()]
    for capture in captured:
        capture.__enter__()
    orders.placed({"A": 1, "B": 1, "C": 1}, now=now)
    for capture in captured:
        capture.__exit__(None, None, None)

    statements = [query["sql"] for capture in captured for query in capture.captured_queries]
    assert len(statements) == 6
    assert sum(sql.lstrip().startswith("SELECT") for sql in statements) == 1


def test_what_is_plainly_short_is_refused_and_leaves_no_trace(now: datetime) -> None:
    goods.stocked({"A": 1, "B": 5}, now=now)

    with pytest.raises(OutOfStock) as refused:
        orders.place({"B": 1, "A": 2}, now=now)

    assert [(e.pointer, e.code) for e in refused.value.errors] == [
        ("/lines/1/quantity", "out_of_stock")
    ]
    assert Order.objects.count() == 0
    assert stock_of("A") == (1, 0)


def test_lines_of_one_sku_are_counted_together(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    lines = [placement.WantedLine(sku="A", quantity=2), placement.WantedLine(sku="A", quantity=2)]

    with pytest.raises(OutOfStock) as refused:
        _place_lines(lines, now=now)

    assert len(refused.value.errors) == 2


def test_an_unknown_sku_and_an_archived_product_are_refused(now: datetime) -> None:
    goods.product(sku="GONE", stock=5, status="archived", now=now)
    with pytest.raises(UnknownSku) as refused:
        orders.place({"GONE": 1, "NEVER": 1}, now=now)
    assert [e.pointer for e in refused.value.errors] == ["/lines/0/sku", "/lines/1/sku"]


def test_an_unknown_payment_method_is_refused_before_anything_is_written(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    with pytest.raises(UnknownPaymentMethod):
        orders.place({"A": 1}, payment=PaymentChoice(method="shells", token=""), now=now)
    assert Order.objects.count() == 0


def test_a_declined_payment_rejects_the_order_and_frees_its_stock(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)

    order = orders.placed({"A": 3}, payment=orders.DECLINED, now=now)

    assert (order.status, order.reason) == ("REJECTED", "payment_declined")
    assert order.unsettled_since is None
    assert stock_of("A") == (3, 0)
    refusal = order.refusal()
    assert refusal is not None
    assert (refusal.code, refusal.status) == ("payment_declined", 402)


def test_something_that_costs_cannot_be_paid_as_free(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    with pytest.raises(UnknownPaymentMethod):
        orders.place({"A": 1}, payment=PaymentChoice(method="free", token=""), now=now)
    assert Order.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_an_order_whose_payment_cannot_even_begin_is_rejected(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one whose method was withdrawn between taking and settling it."""
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 2}, asynchronous=True, now=now)

    def refuse(**_: object) -> None:
        raise payments.UnknownPaymentMethod("Not any more.")

    monkeypatch.setattr(payments, "authorise", refuse)
    settled = settling.settle(order_id=order.id, now=now)

    assert (settled.status, settled.reason) == ("REJECTED", "unknown_payment_method")
    assert settled.unsettled_since is None
    assert stock_of("A") == (3, 0)


@pytest.mark.parametrize("lines", [1, 20])
def test_an_order_worth_more_than_can_be_charged_is_refused(now: datetime, lines: int) -> None:
    goods.product(sku="GOLD", price_minor=MAX_AMOUNT_MINOR // 2, stock=10**8, now=now)
    wanted = [placement.WantedLine(sku="GOLD", quantity=1_000_000)] * lines
    with pytest.raises(TotalTooLarge) as refused:
        _place_lines(wanted, now=now)
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/lines", "total_too_large")]
    assert Order.objects.count() == 0
    assert orders.placed({"GOLD": 2}, now=now).status == "CONFIRMED"


def test_discounts_make_no_order_of_what_is_worth_more_than_can_be_charged(now: datetime) -> None:
    goods.product(sku="GOLD", price_minor=MAX_AMOUNT_MINOR // 2, stock=10, now=now)
    prices.promotion(percent=Decimal(90), now=now)
    with pytest.raises(TotalTooLarge):
        orders.place({"GOLD": 3}, now=now)
    assert Order.objects.count() == 0
    order = orders.placed({"GOLD": 2}, now=now)
    assert (order.subtotal_minor, order.total_minor) == (MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR // 10)


def test_an_order_of_nothing_to_pay_needs_no_gateway(now: datetime) -> None:
    goods.product(sku="FREE", price_minor=0, stock=5, now=now)
    order = orders.placed({"FREE": 1}, payment=orders.DECLINED, now=now)
    assert (order.status, order.reason) == ("CONFIRMED", "")


def test_goods_may_be_bought_on_account(now: datetime) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 1}, payment=PaymentChoice(method="invoice", token=""), now=now)
    assert order.status == "CONFIRMED"


@pytest.mark.django_db(transaction=True)
def test_a_gateway_that_does_not_answer_leaves_the_order_pending_until_it_does(
    now: datetime,
) -> None:
    goods.stocked({"A": 3}, now=now)
    slow = PaymentChoice(method="card", token="tok_timeout")

    order = orders.placed({"A": 1}, payment=slow, now=now)
    assert order.status == "PENDING"
    assert stock_of("A") == (3, 1)

    settling.settle_unfinished(now=now + timedelta(seconds=11))
    assert orders.status_of(order.id) == "CONFIRMED"
    assert stock_of("A") == (3, 1)


# The same request again


@pytest.mark.django_db(transaction=True)
def test_the_same_key_again_gives_the_same_order(now: datetime) -> None:
    goods.stocked({"A": 2}, now=now)
    key = orders.key("again")

    first = orders.place({"A": 2}, key=key, now=now)
    second = orders.place({"A": 2}, key=key, now=now)

    assert (first.replayed, second.replayed) == (False, True)
    assert second.order.id == first.order.id
    assert second.payment_status == PaymentStatus.AUTHORISED
    assert stock_of("A") == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_after_the_order_was_taken_is_repeated_for_the_same_key(now: datetime) -> None:
    goods.stocked({"A": 2}, now=now)
    key = orders.key("again")
    orders.place({"A": 2}, payment=orders.DECLINED, key=key, now=now)
    again = orders.place({"A": 2}, payment=orders.DECLINED, key=key, now=now)
    refusal = again.order.refusal()
    assert again.replayed
    assert refusal is not None
    assert refusal.code == "payment_declined"


@pytest.mark.django_db(transaction=True)
def test_a_key_with_another_body_is_refused(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    orders.place({"A": 1}, key=orders.key("k", body="one"), now=now)
    with pytest.raises(IdempotencyKeyReused):
        orders.place({"A": 2}, key=orders.key("k", body="two"), now=now)
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_first_request_is_undecided_the_second_is_told_so(now: datetime) -> None:
    goods.stocked({"A": 5}, now=now)
    key = orders.key("k")
    slow = PaymentChoice(method="card", token="tok_timeout")
    orders.place({"A": 1}, payment=slow, key=key, now=now)
    with pytest.raises(OrderInProgress):
        orders.place({"A": 1}, payment=slow, key=key, now=now + timedelta(seconds=9))


@pytest.mark.django_db(transaction=True)
def test_what_the_gateway_does_not_answer_is_replayed_once_nobody_can_be_at_work(
    now: datetime,
) -> None:
    goods.stocked({"A": 5}, now=now)
    key = orders.key("k")
    slow = PaymentChoice(method="card", token="tok_timeout")
    first = orders.place({"A": 1}, payment=slow, key=key, now=now)

    again = orders.place({"A": 1}, payment=slow, key=key, now=now + timedelta(seconds=10))

    assert (again.order.id, again.order.status, again.replayed) == (first.order.id, "PENDING", True)


@pytest.mark.django_db(transaction=True)
def test_an_order_that_waits_for_its_rejection_does_not_ask_for_another_payment(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 5}, now=now)
    key = orders.key("k")

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setitem(settling._STEPS, settling.Step.REJECT, die)
        with pytest.raises(Died):
            orders.place({"A": 1}, payment=orders.DECLINED, key=key, now=now)

    again = orders.place(
        {"A": 1}, payment=orders.DECLINED, key=key, now=now + timedelta(seconds=10)
    )

    assert (again.order.status, again.payment_status) == ("PENDING", "DECLINED")
    assert again.refusal() is None
    settling.settle(order_id=again.order.id, now=now + timedelta(seconds=11))
    refused = orders.place(
        {"A": 1}, payment=orders.DECLINED, key=key, now=now + timedelta(seconds=12)
    ).refusal()
    assert refused is not None
    assert (refused.code, refused.members) == ("payment_declined", {"decline_reason": "declined"})


# Asynchronous


def test_an_asynchronous_order_is_pending_until_it_is_settled(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)
    order = orders.placed({"A": 1}, asynchronous=True, now=now)
    assert order.status == "PENDING"
    assert stock_of("A") == (10, 0)

    assert settling.settle(order_id=order.id, now=now).status == "CONFIRMED"
    assert stock_of("A") == (10, 1)


@pytest.mark.django_db(transaction=True)
def test_asynchronous_orders_beyond_the_stock_are_rejected_with_the_same_code(
    now: datetime,
) -> None:
    goods.stocked({"A": 3}, now=now)
    taken = [orders.placed({"A": 1}, asynchronous=True, now=now).id for _ in range(3)]
    taken.append(orders.placed({"A": 2}, asynchronous=True, now=now).id)

    causes = {order_id: Correlation(correlation_id=str(order_id)) for order_id in taken}
    batches.settle_many(causes=causes, now=now)

    # One statement held for all of them, and those that came first came first.
    settled = Order.objects.filter(pk__in=taken)
    assert {o.id: o.status for o in settled} == dict.fromkeys(taken[:3], "CONFIRMED") | {
        taken[3]: "REJECTED"
    }
    assert stock_of("A") == (3, 3)
    reserved = OutboxMessage.objects.using(alias_of("products")).filter(
        name="products.stock_reserved"
    )
    assert {row.key: row.correlation_id for row in reserved} == {
        str(order_id): str(order_id) for order_id in taken[:3]
    }
    rejected = settled.filter(status="REJECTED").first()
    assert rejected is not None
    refusal = rejected.refusal()
    assert refusal is not None
    assert refusal.errors[0].pointer == "/lines/0/quantity"


@pytest.mark.django_db(transaction=True)
def test_an_order_that_cannot_be_settled_holds_up_no_other(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "RECOVERY_BATCH", 2)
    goods.stocked({"A": 10}, now=now)
    silent = PaymentChoice(method="card", token="tok_timeout")
    stuck = [orders.placed({"A": 1}, payment=silent, now=now).id for _ in range(2)]
    killed = orders.placed({"A": 1}, asynchronous=True, now=now).id
    monkeypatch.setattr("domains.payments.public.authorise", _never_answers(stuck))

    for seconds in (11, 12):
        with suppress(TimeoutError):
            settling.settle_unfinished(now=now + timedelta(seconds=seconds))

    assert orders.status_of(killed) == "CONFIRMED"
    assert {orders.status_of(order_id) for order_id in stuck} == {"PENDING"}


def test_an_unsettled_order_is_due_less_and_less_often(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)
    order = orders.placed({"A": 1}, asynchronous=True, now=now)
    waits = []
    at = now
    for _ in range(40):
        at = Order.objects.get(pk=order.id).settle_at
        assert Order.objects.take_due(now=at - timedelta(microseconds=1), limit=10) == []
        assert Order.objects.take_due(now=at, limit=10) == [order.id]
        waits.append((Order.objects.get(pk=order.id).settle_at - at).total_seconds())
    assert (waits[0], waits[-1]) == (5.0, 300.0)
    assert waits == sorted(waits)
    assert Order.objects.get(pk=order.id).version == 1


def test_recovery_leaves_young_orders_to_their_requests(now: datetime) -> None:
    goods.stocked({"A": 10}, now=now)
    order = orders.placed({"A": 1}, asynchronous=True, now=now)
    assert settling.settle_unfinished(now=now + timedelta(seconds=9)) == 0
    assert orders.status_of(order.id) == "PENDING"


def _place_lines(lines: list[placement.WantedLine], *, now: datetime) -> placement.Placed:
    wish = placement.Wish(
        customer_id=new_id(),
        lines=lines,
        currency="GBP",
        shipping_address=orders.ADDRESS,
        payment=orders.VISA,
    )
    return placement.place_order(wish=wish, key=orders.key(), now=now)


def _never_answers(order_ids: list[Any]) -> Any:
    authorise = payments.authorise

    def answer(**request: Any) -> Any:
        if request["payment_id"] in order_ids:
            raise TimeoutError
        return authorise(**request)

    return answer
