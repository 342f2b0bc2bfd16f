"""What a settling knows of an order: its goods, its promotions and its money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings

from domains.orders.models import Order
from domains.orders.rules import placement as rules
from domains.orders.rules.placement import Guarantee, Hold, Uses
from domains.orders.rules.steps import Money, StepState
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.pricing import public as pricing
from domains.products import public as products


class PaymentFacts(Protocol):
    """What an answer of payments and a state of theirs have in common."""

    @property
    def status(self) -> PaymentStatus: ...
    @property
    def decline_code(self) -> str | None: ...
    @property
    def decline(self) -> payments.Decline | None: ...
    @property
    def action_url(self) -> str | None: ...
    @property
    def action_deadline(self) -> datetime | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def holds_rest(self) -> bool: ...
    @property
    def captured_minor(self) -> int: ...


@dataclass(slots=True)
class Case:
    """An order, and what this settling knows of it.

    pay_until: until when the customer may confirm or send the payment; None unless it waits for
    them. refusal: why payments cannot even begin, as a code: no gateway will ever be asked.
    is_unpayable: the gateway was not to be called, so that nothing has begun. is_busy: only by this
    process, which has enough calls under way. holds_rest: a part was taken, and more is held.
    """

    order: Order
    hold: Hold = Hold.NONE
    uses: Uses = Uses.NONE
    payment: PaymentStatus | None = None
    decline_code: str = ""
    decline: payments.Decline | None = None
    action_url: str = ""
    pay_until: datetime | None = None
    is_prepaid: bool = False
    holds_rest: bool = False
    captured_minor: int = 0
    is_paid: bool = False
    is_overdue: bool = False
    is_unpayable: bool = False
    is_busy: bool = False
    was_given_time: bool = False
    shortages: list[dict[str, Any]] = field(default_factory=list)
    refused_use: str = ""
    refusal: str = ""

    def __post_init__(self) -> None:
        if self.uses == Uses.NONE and self.order.uses:
            self.uses = Uses.OPEN

    def note_hold(self, answer: products.HoldOutcome) -> None:
        if isinstance(answer, products.Held):
            self.hold = Hold.HELD
        elif isinstance(answer, products.Released):
            self.hold = Hold.RELEASED
        else:
            self.hold = Hold.REFUSED
            self.shortages = [
                {"sku": short.sku, "requested": short.requested, "available": short.available}
                for short in answer.shortages
            ]

    def note_payment(self, told: PaymentFacts | None) -> None:
        """None: nothing is known of it, since it has not begun."""
        self.payment = None if told is None else told.status
        self.decline_code = "" if told is None else told.decline_code or ""
        self.decline = None if told is None else told.decline
        self.action_url = "" if told is None else told.action_url or ""
        self.pay_until = None if told is None else told.action_deadline or told.due_at
        self.is_prepaid = told is not None and told.due_at is not None
        self.holds_rest = told is not None and told.holds_rest
        self.captured_minor = 0 if told is None else told.captured_minor

    @property
    def guarantee(self) -> Guarantee:
        if self.refusal:
            return Guarantee.REFUSED
        if self.payment is None:
            return Guarantee.NONE
        if self.pay_until is not None:
            return Guarantee.WAITING
        return _GUARANTEES[self.payment]

    @property
    def facts(self) -> rules.Facts:
        order, step = self.order, self.order.open_step
        return rules.Facts(
            status=order.status,
            cancel_requested=order.cancel_requested_at is not None,
            finished=order.unsettled_since is None,
            hold=self.hold,
            uses=self.uses,
            guarantee=self.guarantee,
            keeps_on_decline=order.keep_on_decline,
            awaits_payment=order.pay_until is not None
            and (self.pay_until is None or self.pay_until <= order.pay_until),
            overdue=self.is_overdue,
            supersedes=order.superseded_payment_id is not None,
            step_open=step is not None and step.state != StepState.AWAITING_APPROVAL,
            step_waits=step is not None and step.state == StepState.AWAITING_APPROVAL,
            sent=order.is_sent,
            paid=self.is_paid,
            unpayable=self.is_unpayable,
            given_time=self.was_given_time,
            holds_rest=self.holds_rest,
        )


def case_of(order: Order, *, now: datetime) -> Case:
    (case,) = cases_of([order], now=now)
    return case


def cases_of(orders: Sequence[Order], *, now: datetime) -> list[Case]:
    """What is true of these orders: a statement per context that is asked, however many they are.
    Pricing is asked of those only that make use of a limited promotion."""
    held = products.hold_state([order.id for order in orders])
    paid = payments.payment_states([order.payment_id for order in orders])
    limited = [order.id for order in orders if order.uses]
    redeemed = pricing.redemption_states(limited) if limited else {}
    return [
        _case(
            order,
            hold=held.get(order.id),
            uses=redeemed.get(order.id),
            payment=paid.get(order.payment_id),
            now=now,
        )
        for order in orders
    ]


def _case(
    order: Order,
    *,
    hold: products.HoldState | None,
    uses: pricing.RedemptionState | None,
    payment: payments.PaymentState | None,
    now: datetime,
) -> Case:
    case = Case(
        order,
        hold=Hold.NONE if hold is None else _HOLDS[hold],
        uses=Uses.NONE if uses is None else _USES[uses],
        is_paid=is_paid(order, payment),
        is_overdue=order.pay_until is not None and order.pay_until <= now,
        was_given_time=order.unsettled_since is not None
        and now - order.unsettled_since >= timedelta(seconds=settings.PAYMENTS_DOWN_SECONDS),
    )
    case.note_payment(payment)
    return case


def latest_try(order: Order) -> datetime | None:
    """Until when another try may wait for its customer: no longer than the first one, and money
    that is sent no longer than if it had been sent at once. None: it is the first."""
    if order.pay_until is None:
        return None
    if payments.guarantee_of(order.payment_method) == payments.Guarantee.PREPAID:
        sent_by = order.placed_at + timedelta(days=settings.PAYMENT_DUE_DAYS)
        return max(order.pay_until, sent_by)
    return order.pay_until


def is_paid(order: Order, payment: payments.PaymentState | None) -> bool:
    """Whether all that is to be paid for an order is ours, or owed on account as was agreed."""
    if order.total_minor == 0:
        return True
    if payment is None or payment.status in (PaymentStatus.DECLINED, PaymentStatus.VOIDED):
        return False
    if payments.guarantee_of(payment.method) == payments.Guarantee.ON_ACCOUNT:
        # What was paid too much may pay for what an edit added.
        secured = max(payment.authorised_minor, payment.captured_minor)
    else:
        secured = payment.captured_minor
    if payment.refunded_minor:
        # What went back because the order got cheaper is not here for what it costs now.
        secured -= order.given_back_for_less
    return secured >= order.total_minor


def money_of(order: Order) -> Money:
    """What was authorised, taken and given back for an order. One statement or two."""
    return money_in(order, payments.payment_states([order.payment_id]).get(order.payment_id))


def money_in(order: Order, state: payments.PaymentState | None) -> Money:
    """The same, where the state of its payment is known already."""
    if state is None:
        return Money()
    return Money(
        authorised=state.authorised_minor - state.released_minor,
        captured=state.captured_minor,
        refunded=state.refunded_minor,
        given_back_for_less=order.given_back_for_less if state.refunded_minor else 0,
    )


_HOLDS = {
    products.HoldState.HELD: Hold.HELD,
    products.HoldState.RELEASED: Hold.RELEASED,
    # Goods that have left were the order's.
    products.HoldState.FULFILLED: Hold.HELD,
}

_USES = {
    pricing.RedemptionState.REDEEMED: Uses.REDEEMED,
    pricing.RedemptionState.RETURNED: Uses.GIVEN_BACK,
}

_GUARANTEES = {
    PaymentStatus.PENDING: Guarantee.UNKNOWN,
    PaymentStatus.ACTION_REQUIRED: Guarantee.WAITING,
    PaymentStatus.UNKNOWN: Guarantee.UNKNOWN,
    PaymentStatus.AUTHORISED: Guarantee.GIVEN,
    PaymentStatus.PARTIALLY_CAPTURED: Guarantee.CAPTURED,
    PaymentStatus.CAPTURED: Guarantee.CAPTURED,
    PaymentStatus.PARTIALLY_REFUNDED: Guarantee.CAPTURED,
    PaymentStatus.REFUNDED: Guarantee.GIVEN_BACK,
    PaymentStatus.DECLINED: Guarantee.REFUSED,
    PaymentStatus.VOIDED: Guarantee.GIVEN_BACK,
}
