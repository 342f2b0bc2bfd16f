"""Settling many orders at once: what an order costs is shared with its batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from domains.orders.models import Order
from domains.orders.rules import placement as rules
from domains.orders.rules.placement import Guarantee, Step
from domains.orders.services.cases import Case, case_of, cases_of, latest_try
from domains.orders.services.settling import THREADS, carry_on, close_cart, lines_to_hold
from domains.payments import public as payments
from domains.products import public as products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import Noted, note_all, noting_writes
from infrastructure.database.threads import in_threads
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation
from infrastructure.together import Together

log = structlog.get_logger(__name__)

Causes = Mapping[UUID, Correlation]


def settle_many(*, causes: Causes, now: datetime) -> None:
    """Settle many orders, each under the correlation of what caused it.

    What takes more than the steps of most orders goes its way alone, several at a time. Every order
    gets its turn; then the first failure is raised.
    """
    stored = Order.objects.prefetch_related("line_rows").filter(pk__in=list(causes))
    found = {order.id: order for order in stored}
    # In the order of their causes: who came first is served first.
    cases = cases_of([found[each] for each in causes if each in found], now=now)

    rest = _advance(cases, causes, now)

    def settle_one(case: Case) -> None:
        with correlation.entered(causes[case.order.id]):
            rest.settle(case, now)

    in_threads(settle_one, filter(rest.concerns, cases), threads=THREADS)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is not shared, so that each order has it done under its own correlation and nobody waits
    for another's: the carts of the orders that were confirmed, and the steps of those that take
    more."""

    confirmed: Collection[UUID] = ()
    left: Collection[UUID] = ()

    def concerns(self, case: Case) -> bool:
        order = case.order
        return order.id in self.left or (order.id in self.confirmed and order.cart_id is not None)

    def settle(self, case: Case, now: datetime) -> Case:
        """Raises what `carry_on` does."""
        if case.order.id in self.confirmed:
            close_cart(case.order, now)
        return carry_on(case, now=now) if case.order.id in self.left else case


@dataclass(slots=True, eq=False)
class _Fresh:
    """An order that a request has just written. rest: of its batch, once that is through."""

    case: Case
    cause: Correlation
    now: datetime
    noted: Noted | None = None
    rest: _Rest = _Rest()


def settle_together(case: Case, *, now: datetime) -> Case:
    """Take a new order as far as it gets, together with those that other requests to this process
    have placed meanwhile.

    Raises what `carry_on` does.
    """
    fresh = _Fresh(case, correlation.current(), now)
    failure = together.do(fresh)
    if fresh.noted is not None:
        note_all(fresh.noted)
    if failure is not None:
        return carry_on(case_of(Order.objects.whole(case.order.id), now=now), now=now)
    return fresh.rest.settle(case, now)


def _advance_fresh(orders: Sequence[_Fresh]) -> None:
    try:
        _advance_all(orders)
    except Exception:
        # Said once for all of them.
        log.warning("orders_go_their_ways_alone", orders=len(orders), exc_info=True)
        raise


def _advance_all(orders: Sequence[_Fresh]) -> None:
    with noting_writes() as noted:
        for each in orders:
            each.noted = noted
        causes = {each.case.order.id: each.cause for each in orders}
        now = max(each.now for each in orders)
        rest = _advance([each.case for each in orders], causes, now)
    for each in orders:
        each.rest = rest


together = Together(_advance_fresh)


def _advance(cases: Collection[Case], causes: Causes, now: datetime) -> _Rest:
    """Take the steps that most orders take for all of them: what they want is held in one
    statement, first come first served; payments that nobody outside has to approve begin in one and
    end in another; what may be confirmed then is confirmed in one."""
    _hold(_whose_next(cases, Step.HOLD), causes, now)
    asked = _authorise(_whose_next(cases, Step.AUTHORISE), causes, now)
    confirmed = _confirm(_whose_next(cases, Step.CONFIRM), causes, now)
    return _Rest(confirmed=confirmed, left=_left(cases, asked))


def _hold(cases: Collection[Case], causes: Causes, now: datetime) -> None:
    requests = [
        products.HoldRequest(
            order_id=case.order.id,
            lines=lines_to_hold(case.order),
            instead_of=case.order.cart_id,
            cause=causes[case.order.id],
        )
        for case in cases
    ]
    answers = products.hold_many(requests=requests, now=now)
    for case in cases:
        case.note_hold(answers[case.order.id])


def _authorise(cases: Collection[Case], causes: Causes, now: datetime) -> set[UUID]:
    """Returns the orders whose payments have been asked for."""
    requests = [
        payments.AuthoriseRequest(
            payment_id=case.order.payment_id,
            reference=case.order.number,
            amount=case.order.total,
            method=case.order.payment_method,
            token=case.order.payment_token,
            customer_id=case.order.customer_id,
            return_url=case.order.payment_return_url or None,
            not_after=latest_try(case.order),
            cause=causes[case.order.id],
        )
        for case in cases
        if case.payment is None
    ]
    outcomes = payments.authorise_many(requests=requests, now=now)
    asked = set()
    for case in cases:
        if (outcome := outcomes.get(case.order.payment_id)) is not None:
            case.note_payment(outcome)
            asked.add(case.order.id)
    return asked


def _confirm(cases: Collection[Case], causes: Causes, now: datetime) -> set[UUID]:
    """Returns the orders that are confirmed."""
    for case in cases:
        case.order.confirm(now=now)
        case.order.see_payment(_status_of(case))
    try:
        Order.objects.save_all([case.order for case in cases], causes=causes)
    except ConcurrentModification:
        # One of them was called off meanwhile; they are looked at one by one.
        for case in cases:
            case.order = Order.objects.whole(case.order.id)
        return set()
    return {case.order.id for case in cases}


def _status_of(case: Case) -> str:
    assert case.payment is not None  # else there was no guarantee
    return case.payment


def _left(cases: Iterable[Case], asked: Collection[UUID]) -> set[UUID]:
    """What is not settled, but for those whose gateway has just said nothing."""
    done = (Step.WAIT, Step.REST)
    return {
        case.order.id
        for case in cases
        if rules.next_step(case.facts) not in done
        and not (case.order.id in asked and case.guarantee == Guarantee.UNKNOWN)
    }


def _whose_next(cases: Iterable[Case], step: Step) -> list[Case]:
    return [case for case in cases if rules.next_step(case.facts) == step]
