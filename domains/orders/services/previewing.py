"""What a command would come to, before anybody asks for it: the same decisions, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.orders.errors import PaymentCaptured
from domains.orders.models import Order, OrderStep
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.rules import steps as rules
from domains.orders.rules.history import By
from domains.orders.rules.placement import Status
from domains.orders.rules.steps import StepState
from domains.orders.services import editing, fulfilling
from domains.orders.services.beginning import approval_limits
from domains.orders.services.cases import money_of
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """takes, gives: what is taken from the customer, and given back. total: what the order costs
    then. needs_approval: whether a second person has to agree."""

    takes: Money
    gives: Money
    total: Money
    needs_approval: bool = False
    pays_anew: bool = False


def fulfilment(
    *,
    order_id: UUID,
    lines: Mapping[UUID, int] | None,
    warehouse: str,
    capture: bool,
    may_be_unpaid: bool = False,
    by: By,
    now: datetime,
) -> Preview:
    return _preview(
        order_id,
        lambda order, money: order.begin_fulfilment(
            lines,
            warehouse=warehouse,
            tracking=Tracking(),
            captures=capture,
            may_be_unpaid=may_be_unpaid or fulfilling.is_on_account(order),
            money=money,
            actor=by,
            now=now,
        ),
    )


def capture(*, order_id: UUID, amount_minor: int | None, by: By, now: datetime) -> Preview:
    return _preview(
        order_id,
        lambda order, money: order.begin_capture(amount_minor, money=money, actor=by, now=now),
    )


def refund(*, order_id: UUID, wish: RefundWish, by: By, now: datetime) -> Preview:
    return _preview(
        order_id,
        lambda order, money: order.begin_refund(
            wish, reason="", money=money, limits=approval_limits(order, money), actor=by, now=now
        ),
    )


def cancellation(
    *,
    order_id: UUID,
    lines: Mapping[UUID, int] | None,
    refund: bool,
    by: By,
    now: datetime,
) -> Preview:
    """Without lines: of the whole order."""
    order = Order.objects.whole(order_id)
    if lines is not None and not order.takes_all(lines):
        worth = sum(
            rules.worth_of_cancelling(order.line(line_id), units)
            for line_id, units in lines.items()
        )
        return _preview(
            order_id,
            lambda order, money: order.begin_cancel_lines(
                lines,
                refund=refund,
                reason="",
                money=money,
                limits=approval_limits(order, money),
                actor=by,
                now=now,
            ),
            total_minor=max(order.total_minor - worth, 0),
        )
    if money_of(order).kept:
        if not refund:
            raise PaymentCaptured(f"The payment of order {order.number} has been captured.")
        return _preview(
            order_id,
            lambda order, money: order.begin_cancel_with_refund(
                reason="", money=money, limits=approval_limits(order, money), actor=by, now=now
            ),
        )
    order.request_cancel(reason="", now=now)
    nothing = Money(0, order.currency)
    return Preview(takes=nothing, gives=nothing, total=order.total)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallingOff:
    """What calling an order off gives: money that is held for it, and units."""

    let_go: Money
    units: int


def calling_off(*, order_id: UUID, now: datetime) -> CallingOff | None:
    """Of a whole order without giving money back; None where it is cancelled already. Raises
    OrderNotCancellable, StepInProgress, PaymentCaptured."""
    order = Order.objects.whole(order_id)
    if order.status == Status.CANCELLED:
        return None
    money = money_of(order)
    if money.kept:
        raise PaymentCaptured(f"The payment of order {order.number} has been captured.")
    order.request_cancel(reason="", now=now)
    return CallingOff(
        let_go=Money(money.authorised - money.captured, order.currency),
        units=sum(line.open for line in order.lines),
    )


def edit(*, order_id: UUID, changes: editing.Edit, by: By, now: datetime) -> Preview:
    def make(order: Order, money: rules.Money) -> OrderStep:
        return editing.begin_edit(order, changes, reason="", money=money, by=by, now=now)

    return _preview(order_id, make)


def refundable(order: Order) -> Money:
    """What was taken for an order and not given back."""
    return Money(money_of(order).kept, order.currency)


def capturable(order: Order) -> Money:
    """What is left to be taken for an order."""
    return Money(max(order.total_minor - money_of(order).for_goods, 0), order.currency)


def _preview(
    order_id: UUID,
    make: Callable[[Order, rules.Money], OrderStep],
    *,
    total_minor: int | None = None,
) -> Preview:
    order = Order.objects.whole(order_id)
    step = make(order, money_of(order))
    planned = step.params.get("order", {}).get("total_minor", order.total_minor)
    return Preview(
        takes=Money(step.takes_minor, order.currency),
        gives=Money(step.gives_minor, order.currency),
        total=Money(planned if total_minor is None else total_minor, order.currency),
        needs_approval=step.state == StepState.AWAITING_APPROVAL,
        pays_anew=bool(step.params.get("pays_anew")),
    )
