"""Reads of orders, none of which passes through an aggregate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.query import QuerySet

from domains.orders.errors import OrderNotFound
from domains.orders.models import Document, Order, OrderChange, OrderLine, OrderStep
from domains.orders.rules.history import INTERNAL, SYSTEM, By, Kind
from domains.orders.rules.placement import FulfilmentStatus, Status
from domains.orders.rules.steps import is_internal
from domains.payments import public as payments
from domains.payments.public import PaymentStatus


def orders_of(customer_id: UUID | None) -> QuerySet[Order]:
    """A customer's orders with their lines, or everybody's (None, for staff)."""
    orders = Order.objects.prefetch_related("line_rows")
    return orders if customer_id is None else orders.filter(customer_id=customer_id)


def orders_found(
    customer_id: UUID | None,
    *,
    status: str | None = None,
    number: str | None = None,
    placed_from: datetime | None = None,
    placed_to: datetime | None = None,
    email: str | None = None,
    sku: str | None = None,
) -> QuerySet[Order]:
    """Those of `orders_of` that match. placed_from, placed_to: from the one to before the other.
    email: of the order itself; a customer's orders need not have one."""
    orders = orders_of(customer_id)
    if status is not None:
        orders = orders.filter(status=status)
    if number is not None:
        orders = orders.filter(number=number)
    if placed_from is not None:
        orders = orders.filter(placed_at__gte=placed_from)
    if placed_to is not None:
        orders = orders.filter(placed_at__lt=placed_to)
    if email is not None:
        orders = orders.filter(email_index=email)
    if sku is not None:
        ordered = OrderLine.objects.filter(order_id=OuterRef("pk"), sku=sku)
        orders = orders.filter(Exists(ordered))
    return orders


def order_of(customer_id: UUID | None, order_id: UUID) -> Order:
    """An order with its lines, for its customer or for staff (None). Raises OrderNotFound, also
    for an order of somebody else."""
    order: Order | None = orders_of(customer_id).filter(pk=order_id).first()
    if order is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    return order


def documents_of(order_id: UUID) -> list[Document]:
    """The invoices and credit notes of an order, without their lines, in the order they were
    made."""
    return list(Document.objects.filter(order_id=order_id).order_by("issued_at", "id"))


def to_be_documented(*, order_ids: Collection[UUID], paid: Collection[str]) -> list[UUID]:
    """Those of these orders, and of the orders with these numbers that were paid or got money
    back, that documents may be due for: a first look, which costs one statement for all."""
    found = Order.objects.filter(Q(id__in=order_ids) | Q(number__in=paid))
    begun = ~Q(fulfilment_status=FulfilmentStatus.UNFULFILLED) | Q(status=Status.COMPLETED)
    has_documents = Exists(Document.objects.filter(order_id=OuterRef("id")))
    found = found.filter(begun | Q(number__in=paid) | has_documents)
    return list(found.order_by("id").values_list("id", flat=True))


def may_be_overpaid(*, order_ids: Collection[UUID], paid: Collection[str]) -> list[UUID]:
    """Those of these orders, and of the orders with these numbers, for which more may be here than
    they cost, or of which payments say so: a first look, which costs two statements for all."""
    found = Order.objects.filter(Q(id__in=order_ids) | Q(number__in=paid)).exclude(
        status=Status.PENDING
    )
    rows = list(found.values_list("id", "payment_id", "status", "total_minor"))
    states = payments.payment_states([payment_id for _, payment_id, _, _ in rows])
    due = []
    for order_id, payment_id, status, total_minor in rows:
        state = states.get(payment_id)
        if state is None:
            continue
        if status in (Status.CANCELLED, Status.REJECTED):
            is_too_much = state.captured_minor > state.refunded_minor
        else:
            is_too_much = state.captured_minor > total_minor
        if is_too_much or state.owed_back_minor:
            due.append(order_id)
    return due


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentOfOrder:
    """action_url: where the customer has to go to confirm the payment. captured_minor: what was
    taken by it so far, also what came by bank. decline: why it is DECLINED."""

    status: PaymentStatus = PaymentStatus.PENDING
    action_url: str = ""
    captured_minor: int = 0
    decline: payments.Decline | None = None

    @classmethod
    def of(cls, state: payments.PaymentState) -> Self:
        return cls(
            status=state.status,
            action_url=state.action_url or "",
            captured_minor=state.captured_minor,
            decline=state.decline,
        )


def payments_of(orders: Sequence[Order]) -> dict[UUID, PaymentOfOrder]:
    """How the payments of these orders stand; PENDING where none has begun. One statement."""
    states = payments.payment_states([order.payment_id for order in orders])
    return {
        order.id: PaymentOfOrder.of(state)
        if (state := states.get(order.payment_id)) is not None
        else PaymentOfOrder()
        for order in orders
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """Where the customer has to confirm a payment, and until when."""

    url: str
    deadline: datetime | None


def confirmation_of(step: OrderStep) -> Confirmation | None:
    """What a step waits for its customer to do. A statement, for an edit that is being paid."""
    state = payments.payment_states([step.id]).get(step.id) if step.is_paying else None
    if state is None or not state.action_url:
        return None
    return Confirmation(url=state.action_url, deadline=state.action_deadline)


def confirmation_awaited(order: Order) -> Confirmation | None:
    """What an order waits for its customer to do, to be placed or edited. A statement at most."""
    if (step := order.open_step) is not None:
        return confirmation_of(step)
    if order.status != Status.PENDING:
        return None
    state = payments.payment_states([order.payment_id]).get(order.payment_id)
    if state is None or not state.action_url:
        return None
    return Confirmation(url=state.action_url, deadline=state.action_deadline)


def steps_of(order: Order, *, with_internal: bool = True) -> list[OrderStep]:
    """What was asked of a confirmed order, the oldest first. One statement. with_internal: also
    what is between members of staff, so far."""
    rows = OrderStep.objects.filter(order_id=order.id).order_by("requested_at", "id")
    return [step for step in rows if with_internal or not is_internal(step)]


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """Something that happened to an order. `data` is what the code leaves open."""

    at: datetime
    code: str
    by: By
    data: dict[str, Any]
    text: str = ""


def history_of(order: Order, *, with_internal: bool = True) -> list[HistoryEntry]:
    """What happened to an order, the oldest first. One statement. with_internal: also what members
    of staff tell each other.

    How it was placed and decided says the order itself; everything else was noted.
    """
    noted = [
        HistoryEntry(
            at=change.at,
            code=change.code,
            by=By(kind=Kind(change.actor_kind), id=change.actor_id),
            data=change.data,
            text=change.text,
        )
        for change in OrderChange.objects.filter(order_id=order.id).order_by("position")
        if with_internal or change.code not in INTERNAL
    ]
    # Sorted by time, and in the order of writing where that is the same.
    placed, *decided = _told_by(order)
    return sorted([placed, *noted, *decided], key=lambda entry: entry.at)


def _told_by(order: Order) -> list[HistoryEntry]:
    """How it was placed, and what became of it."""
    if order.placed_by is not None:
        placer = By(kind=Kind.STAFF, id=order.placed_by)
    else:
        placer = By(kind=Kind.CUSTOMER, id=order.customer_id)
    told = [HistoryEntry(at=order.placed_at, code="placed", by=placer, data={})]
    if order.confirmed_at is not None:
        told.append(HistoryEntry(at=order.confirmed_at, code="confirmed", by=SYSTEM, data={}))
    if order.decided_at is not None and order.status in (Status.REJECTED, Status.CANCELLED):
        told.append(
            HistoryEntry(
                at=order.decided_at,
                code=order.status.lower(),
                by=SYSTEM,
                data={"reason": order.reason},
            )
        )
    return told


def waiting_among(numbers: Collection[str], *, placed_before: datetime) -> dict[str, UUID]:
    """Those of these orders, by number, that wait for an outcome which no request waits for: since
    before that time, or for their customer to pay."""
    waiting = Order.objects.filter(
        Q(unsettled_since__lt=placed_before) | Q(pay_until__isnull=False), number__in=numbers
    )
    return dict(waiting.values_list("number", "id"))


def confirmed_among(numbers: Mapping[UUID, str]) -> dict[UUID, UUID]:
    """Those of these orders that rely on the payment, are confirmed, and that nobody is calling
    off. numbers: of the orders, by the payments; so are the ids returned."""
    standing = Order.objects.filter(
        number__in=set(numbers.values()),
        payment_id__in=numbers,
        status=Status.CONFIRMED,
        cancel_requested_at__isnull=True,
    )
    return dict(standing.values_list("payment_id", "id"))


def sent_among(numbers: Collection[str]) -> dict[str, UUID]:
    """Those of these orders, by number, that are sent and wait to be paid."""
    sent = Order.objects.filter(
        number__in=numbers,
        status=Status.CONFIRMED,
        fulfilment_status=FulfilmentStatus.FULFILLED,
    )
    return dict(sent.values_list("number", "id"))


def refunds_asked_elsewhere(refunds: Mapping[UUID, tuple[str, UUID]]) -> dict[UUID, UUID]:
    """Those of these refunds that orders do not know of, with the orders they lower. refunds: by
    operation, the number of the order and the payment. What went back from a payment that is not
    the order's any more was not the order's money. Two statements."""
    asked = OrderStep.objects.filter(id__in=refunds, refusal="")  # and not refused after all
    known = set(asked.values_list("id", flat=True))
    unknown = {each: told for each, told in refunds.items() if each not in known}
    if not unknown:
        return {}
    numbers = {number for number, _ in unknown.values()}
    rows = Order.objects.filter(number__in=numbers).values_list("number", "payment_id", "id")
    orders = {(number, payment_id): order_id for number, payment_id, order_id in rows}
    return {each: orders[told] for each, told in unknown.items() if told in orders}


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsettled:
    """Orders with something left to do. numbers: of the longest unsettled of those that move.

    waiting: how many beside them do nothing until their customer confirms or sends the money.
    """

    moving: int
    numbers: list[str]
    waiting: int


def unsettled(*, now: datetime, named: int) -> Unsettled:
    """named: of how many orders the number is told."""
    # Whoever asks for the end of an order that waits sets it moving again.
    waits = Q(status=Status.PENDING, pay_until__gt=now, cancel_requested_at__isnull=True)
    orders = Order.objects.filter(unsettled_since__isnull=False)
    numbers = orders.exclude(waits).order_by("unsettled_since", "id")
    counted = orders.aggregate(moving=Count("id", filter=~waits), waiting=Count("id", filter=waits))
    return Unsettled(numbers=list(numbers.values_list("number", flat=True)[:named]), **counted)
