"""Taking an order as far as it gets, from whatever is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import OutOfStock, PaymentDeclined
from domains.orders.models import Order
from domains.orders.rules import placement as rules
from domains.orders.rules.placement import Guarantee, Hold, Step
from domains.orders.services import steps
from domains.payments import public as payments
from domains.payments.public import PaymentStatus
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.threads import in_threads
from infrastructure.errors import DomainError
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation

# How often whoever lost a compare-and-set looks again before leaving the order to the winner.
RETRIES = 3
# Orders settled at a time: so many calls to the gateway may be waiting for it.
THREADS = 8
# Orders that one run of the recovery takes. With a gateway that never answers, each costs a
# thread its time-out.
RECOVERY_BATCH = 100


def settle(*, order_id: UUID, now: datetime) -> Order:
    """Take an order as far as it gets: read the facts, take the next step, and so on.

    Everybody may call it at any time, also at once. Raises OrderNotFound.
    """
    return carry_on(_case_of(Order.objects.whole(order_id)), now=now).order


def settle_many(*, causes: Mapping[UUID, Correlation], now: datetime) -> None:
    """Settle many orders, each under the correlation of what caused it.

    What they want is held in one statement, first come first served; their payments are asked for
    several at a time. Every order gets its turn; then the first failure is raised.
    """
    cases = _cases_of(causes)
    fresh = {c.order.id: c for c in cases if rules.next_step(c.facts) == Step.HOLD}
    requests = [
        products.HoldRequest(order_id=order_id, lines=_lines_to_hold(case.order), cause=cause)
        for order_id, cause in causes.items()
        if (case := fresh.get(order_id)) is not None
    ]
    for order_id, answer in products.hold_many(requests=requests, now=now).items():
        fresh[order_id].note_hold(answer)

    def settle_one(case: Case) -> None:
        with correlation.entered(causes[case.order.id]):
            carry_on(case, now=now)

    in_threads(settle_one, cases, threads=THREADS)


def settle_unfinished(*, now: datetime) -> int:
    """Take up what its request left behind, what waits longest first. Returns how many orders.

    Each is due again later before it is tried, so one that cannot be settled holds up no other.
    """
    due = Order.objects.take_due(now=now, limit=RECOVERY_BATCH)
    in_threads(lambda order_id: settle(order_id=order_id, now=now), due, threads=THREADS)
    return len(due)


@dataclass(slots=True)
class Case:
    """An order, and what this settling knows of its goods and its money."""

    order: Order
    hold: Hold = Hold.NONE
    payment: PaymentStatus | None = None
    shortages: list[dict[str, Any]] = field(default_factory=list)

    # Why payments cannot even begin, as a code: no gateway will ever be asked.
    refusal: str = ""

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

    @property
    def guarantee(self) -> Guarantee:
        if self.refusal:
            return Guarantee.REFUSED
        return Guarantee.NONE if self.payment is None else _GUARANTEES[self.payment]

    @property
    def facts(self) -> rules.Facts:
        return rules.Facts(
            status=self.order.status,
            cancel_requested=self.order.cancel_requested_at is not None,
            finished=self.order.unsettled_since is None,
            hold=self.hold,
            guarantee=self.guarantee,
            step_open=self.order.step_id is not None,
        )


def carry_on(case: Case, *, now: datetime) -> Case:
    """Take the steps that are left, beginning with what the case knows already."""
    lost = 0
    while (step := rules.next_step(case.facts)) not in (Step.WAIT, Step.REST):
        before = case.facts
        try:
            _STEPS[step](case, now)
        except ConcurrentModification:
            lost += 1
            if lost > RETRIES:
                raise
            case = _case_of(Order.objects.whole(case.order.id))
            continue
        asked = step in (Step.AUTHORISE, Step.VOID)
        if case.facts == before or (asked and case.guarantee == Guarantee.UNKNOWN):
            break  # the gateway has not said; whoever comes next asks again
    return case


def _hold(case: Case, now: datetime) -> None:
    answer = products.hold(order_id=case.order.id, lines=_lines_to_hold(case.order), now=now)
    case.note_hold(answer)


def _lines_to_hold(order: Order) -> tuple[products.HoldLine, ...]:
    return tuple(
        products.HoldLine(variant_id=line.variant_id, sku=line.sku, quantity=line.quantity)
        for line in order.lines
    )


def _authorise(case: Case, now: datetime) -> None:
    order = case.order
    try:
        outcome = payments.authorise(
            payment_id=order.id,
            reference=order.number,
            amount=order.total,
            method=order.payment_method,
            token=order.payment_token,
            customer_id=order.customer_id,
            now=now,
        )
    except DomainError as refusal:
        if refusal.status >= 500:
            raise
        case.refusal = refusal.code
    else:
        case.payment = outcome.status


def _confirm(case: Case, now: datetime) -> None:
    case.order.confirm(now=now)
    _save(case)


def _reject(case: Case, now: datetime) -> None:
    if case.hold == Hold.REFUSED:
        reason = OutOfStock.code
    elif case.refusal:
        reason = case.refusal
    elif case.guarantee == Guarantee.REFUSED:
        reason = PaymentDeclined.code
    else:
        reason = "given_up"
    case.order.reject(reason=reason, shortages=case.shortages, now=now)
    _save(case)


def _cancel(case: Case, now: datetime) -> None:
    case.order.cancel(now=now)
    _save(case)


def _refuse_cancel(case: Case, now: datetime) -> None:
    case.order.refuse_cancel()
    _save(case)


def _release(case: Case, now: datetime) -> None:
    products.release(order_id=case.order.id, now=now)
    case.hold = Hold.RELEASED


def _void(case: Case, now: datetime) -> None:
    case.refusal = ""
    case.payment = payments.void(payment_id=case.order.id, now=now).status


def _finish(case: Case, now: datetime) -> None:
    case.order.finish()
    _save(case)


def _save(case: Case) -> None:
    if case.payment is not None:
        case.order.see_payment(case.payment)
    case.order.save()


_STEPS = {
    Step.HOLD: _hold,
    Step.AUTHORISE: _authorise,
    Step.CONFIRM: _confirm,
    Step.REJECT: _reject,
    Step.CANCEL: _cancel,
    Step.REFUSE_CANCEL: _refuse_cancel,
    Step.CARRY_ON: steps.carry_on,
    Step.RELEASE: _release,
    Step.VOID: _void,
    Step.FINISH: _finish,
}

_HOLDS = {
    products.HoldState.HELD: Hold.HELD,
    products.HoldState.RELEASED: Hold.RELEASED,
    # Goods that have left were the order's.
    products.HoldState.FULFILLED: Hold.HELD,
}

_GUARANTEES = {
    PaymentStatus.PENDING: Guarantee.UNKNOWN,
    PaymentStatus.UNKNOWN: Guarantee.UNKNOWN,
    PaymentStatus.AUTHORISED: Guarantee.GIVEN,
    PaymentStatus.PARTIALLY_CAPTURED: Guarantee.CAPTURED,
    PaymentStatus.CAPTURED: Guarantee.CAPTURED,
    PaymentStatus.PARTIALLY_REFUNDED: Guarantee.CAPTURED,
    PaymentStatus.REFUNDED: Guarantee.CAPTURED,
    PaymentStatus.DECLINED: Guarantee.REFUSED,
    PaymentStatus.VOIDED: Guarantee.GIVEN_BACK,
}


def _case_of(order: Order) -> Case:
    (case,) = _cases_from([order])
    return case


def _cases_of(order_ids: Mapping[UUID, object]) -> list[Case]:
    return _cases_from(list(Order.objects.prefetch_related("line_rows").filter(pk__in=order_ids)))


def _cases_from(orders: Sequence[Order]) -> list[Case]:
    ids = [order.id for order in orders]
    held = products.hold_state(ids)
    paid = payments.payment_states(ids)
    return [
        Case(
            order,
            hold=_HOLDS[held[order.id]] if order.id in held else Hold.NONE,
            payment=paid[order.id].status if order.id in paid else None,
        )
        for order in orders
    ]
