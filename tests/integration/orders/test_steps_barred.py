"""A step whose goods are barred, and that is not saved as refused yet: whoever takes it up ends it,
with the refusal that it was barred for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from domains.orders.errors import OrderError
from domains.orders.models import Order
from domains.orders.services import editing, fulfilling, settling
from domains.orders.services.editing import Edit, LineEdit
from domains.payments import public as payments
from domains.products import public as products
from domains.products.services import inventory
from tests.support.after_placement import (
    STAFF,
    assert_books_agree,
    assert_order_agrees,
    line_ids,
    reread,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)

INVOICE = orders.PaymentChoice(method="invoice", token="")


class Killed(BaseException):
    """Nothing of the process comes after it."""


def once_then(monkeypatch: pytest.MonkeyPatch, owner: Any, call: str, first: Any) -> None:
    """The first call is `first`'s, which gets the real one as well."""
    goes_on = getattr(owner, call)
    called: list[str] = []

    def instead(*given: Any, **asked: Any) -> Any:
        if called:
            return goes_on(*given, **asked)
        called.append(call)
        return first(goes_on, *given, **asked)

    monkeypatch.setattr(owner, call, instead)


def killed(_goes_on: Any, *_given: Any, **_asked: Any) -> None:
    raise Killed


def count(on_hand: int, now: datetime) -> None:
    inventory.set_stock(levels={"A": on_hand}, reason="count", now=now)


def send(order: Order, now: datetime) -> object:
    return fulfilling.fulfil(
        order_id=order.id, lines=None, warehouse="main", by=STAFF, key=None, now=now
    )


def recovered(order: Order, now: datetime) -> tuple[str, str, str]:
    """How recovery ends the order's only step."""
    settling.settle_unfinished(now=now + timedelta(minutes=1))
    order = reread(order)
    [step] = order.steps
    assert order.step_id is None
    return step.kind, step.state, step.refusal


@pytest.mark.parametrize("is_card", [True, False])
@pytest.mark.parametrize("are_goods_back", [True, False])
def test_a_parcel_is_refused_by_recovery_and_the_next_one_is_sent(
    now: datetime, monkeypatch: pytest.MonkeyPatch, is_card: bool, are_goods_back: bool
) -> None:
    goods.stocked({"A": 2}, now=now)
    order = orders.placed({"A": 2}, now=now, payment=orders.VISA if is_card else INVOICE)
    count(0, now)
    once_then(monkeypatch, Order, "refuse_step", killed)
    with pytest.raises(Killed):
        send(order, now)
    if are_goods_back:
        count(2, now)

    assert recovered(order, now) == ("FULFIL", "REFUSED", "not_in_warehouse")

    count(2, now)
    send(order, now)
    assert (reread(order).status, stock_of("A")) == ("COMPLETED", (0, 0))
    assert_order_agrees(order.id)


def test_a_step_is_refused_also_where_somebody_saves_the_order_after_the_bar(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.stocked({"A": 2}, now=now)
    order = orders.placed({"A": 2}, now=now, payment=INVOICE)
    count(0, now)

    def others_save(bars: Any, **asked: Any) -> Any:
        answer = bars(**asked)
        found = reread(order)
        found.note("noted", actor=STAFF, at=now)
        found.save()
        return answer

    once_then(monkeypatch, products, "bar_change", others_save)
    with pytest.raises(OrderError) as refused:
        send(order, now)

    assert refused.value.code == "not_in_warehouse"
    [step] = reread(order).steps
    assert (step.state, step.refusal) == ("REFUSED", "not_in_warehouse")


@pytest.mark.parametrize("is_void", [True, False])
@pytest.mark.parametrize("are_goods_back", [True, False])
def test_an_edit_whose_void_failed_is_refused_and_holds_no_money(
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    is_void: bool,
    are_goods_back: bool,
) -> None:
    """is_void: the payment was let go all the same, before the process died."""
    goods.stocked({"A": 3}, now=now)
    order = orders.placed({"A": 1}, now=now)
    more = Edit(lines=[LineEdit(line_id=line_ids(order)["A"], quantity=3)], token="tok_visa")

    def goods_go(goes_on: Any, **asked: Any) -> Any:
        count(1, now)
        return goes_on(**asked)

    def fails(voids: Any, **asked: Any) -> None:
        if is_void:
            voids(**asked)
        raise ConnectionError

    once_then(monkeypatch, products, "change_hold", goods_go)
    once_then(monkeypatch, payments, "void", fails)
    with pytest.raises(ConnectionError):
        editing.edit(
            order_id=order.id, changes=more, reason="", by=STAFF, key=orders.key(), now=now
        )
    if are_goods_back:
        count(3, now)

    with capture_logs() as logs:
        assert recovered(order, now) == ("EDIT", "REFUSED", "out_of_stock")

    order = reread(order)
    payment = payments.payment_view(order.steps[0].id)
    assert payment is not None
    assert payment.status == "VOIDED"
    assert stock_of("A") == (3 if are_goods_back else 1, 1)
    assert not [line for line in logs if line["log_level"] == "error"]
    deliver_outbox()
    assert_order_agrees(order.id)
    assert_books_agree(now)
