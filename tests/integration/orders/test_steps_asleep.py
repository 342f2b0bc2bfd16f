"""Whoever read a step and slept, while others refused it, moves nothing for it any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from domains.orders.models import Order, OrderStep
from domains.orders.services import editing, fulfilling, returning, settling
from domains.orders.services.editing import Edit, LineEdit
from domains.products import public as products
from domains.products.models import Warehouse
from domains.products.services import inventory, warehouses
from infrastructure.errors import DomainError
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    line_ids,
    money_of,
    reread,
    units,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)


def asleep_before(
    monkeypatch: pytest.MonkeyPatch, call: str, meanwhile: Callable[[], object]
) -> None:
    """The first that calls this of products does so only after `meanwhile`."""
    goes_on = getattr(products, call)
    slept: list[str] = []

    def sleep(**asked: Any) -> Any:
        if not slept:
            slept.append(call)
            meanwhile()
        return goes_on(**asked)

    monkeypatch.setattr(products, call, sleep)


def settled_by_others(order: Order, now: datetime) -> OrderStep:
    found = settling.settle(order_id=order.id, now=now)
    assert found.steps[-1].state == "REFUSED", "others have to be faster"
    assert isinstance(found.steps[-1], OrderStep)
    return found.steps[-1]


def count(sku: str, on_hand: int, now: datetime) -> None:
    inventory.set_stock(levels={sku: on_hand}, reason="count", now=now)


def carried_out(work: Callable[[], object]) -> None:
    """What whoever slept is told is the refusal."""
    with pytest.raises(DomainError):
        work()


@pytest.mark.parametrize("method", ["card", "invoice"])
def test_a_parcel_that_was_refused_is_not_sent_when_there_are_goods_again(
    now: datetime, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    goods.stocked({"A": 2}, now=now)
    payment = orders.VISA if method == "card" else orders.PaymentChoice(method="invoice", token="")
    order = orders.placed({"A": 2}, now=now, payment=payment)

    def others_refuse_it() -> None:
        count("A", 0, now)
        assert settled_by_others(order, now).refusal == "not_in_warehouse"
        count("A", 2, now)

    asleep_before(monkeypatch, "take_out", others_refuse_it)

    def send() -> object:
        return fulfilling.fulfil(
            order_id=order.id, lines=None, warehouse="main", by=STAFF, key=None, now=now
        )

    carried_out(send)
    assert stock_of("A") == (2, 2)
    assert [line.fulfilled for line in reread(order).lines] == [0]
    send()
    assert (reread(order).status, stock_of("A")) == ("COMPLETED", (0, 0))
    assert money_of(order).captured_minor == (2_000 if method == "card" else 0)
    assert_order_agrees(order.id)


def test_an_edit_that_was_refused_holds_nothing_when_there_are_goods_again(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 1}, now=now)
    more = Edit(lines=[LineEdit(line_id=line_ids(order)["A"], quantity=3)], token="tok_visa")

    def others_refuse_it() -> None:
        count("A", 1, now)
        assert settled_by_others(order, now).refusal == "out_of_stock"
        count("A", 3, now)

    asleep_before(monkeypatch, "change_hold", others_refuse_it)
    carried_out(
        lambda: editing.edit(
            order_id=order.id, changes=more, reason="", by=STAFF, key=orders.key(), now=now
        )
    )

    order = reread(order)
    assert (stock_of("A"), order.lines[0].quantity, order.payment_id) == ((3, 1), 1, order.id)
    deliver_outbox()
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_goods_of_a_receipt_that_was_refused_lie_nowhere_until_the_next(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 2}, now=now)
    warehouses.open_warehouse(code="north", name="North", now=now)
    order = orders.placed({"A": 2}, now=now)
    fulfilling.fulfil(order_id=order.id, lines=None, warehouse="main", by=STAFF, key=None, now=now)
    _, back, _ = returning.request_return(
        order_id=order.id, lines=units(order, {"A": 2}), reason="", by=STAFF, key=None, now=now
    )
    returning.decide_return(
        order_id=order.id, return_id=back.id, approve=True, reason="", by=STAFF, now=now
    )

    def north_is(active: bool) -> None:
        version = Warehouse.objects.get(pk="north").version
        warehouses.edit_warehouse(code="north", active=active, version=version)

    def others_refuse_it() -> None:
        north_is(False)
        assert settled_by_others(order, now).refusal == "warehouse_inactive"
        north_is(True)

    asleep_before(monkeypatch, "restock", others_refuse_it)

    def receive(warehouse: str) -> object:
        return returning.receive_return(
            order_id=order.id,
            return_id=back.id,
            inspected=None,
            warehouse=warehouse,
            by=STAFF,
            key=None,
            now=now,
        )

    carried_out(lambda: receive("north"))
    assert stock_of("A") == (0, 0)
    receive("main")
    assert stock_of("A") == (2, 0)
    assert reread(order).returned(back.id).state == "RECEIVED"
    deliver_outbox()
    assert_order_agrees(order.id)
    assert_books_agree(now)


def test_a_step_whose_goods_were_moved_is_not_refused(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round: who would refuse it finds that somebody has sent the goods."""
    goods.stocked({"A": 2}, now=now)
    order = orders.placed(
        {"A": 2}, now=now, payment=orders.PaymentChoice(method="invoice", token="")
    )
    sends, slept = products.take_out, []

    def is_overtaken(**asked: Any) -> Any:
        if slept:
            return sends(**asked)
        slept.append(True)
        sends(**asked)
        raise products_refusal

    products_refusal = DomainError("As it was a moment ago.")
    products_refusal.status = 409
    monkeypatch.setattr(products, "take_out", is_overtaken)

    fulfilling.fulfil(order_id=order.id, lines=None, warehouse="main", by=STAFF, key=None, now=now)

    assert (reread(order).status, stock_of("A")) == ("COMPLETED", (0, 0))
    assert_order_agrees(order.id)
