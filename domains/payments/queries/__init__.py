"""Reads of payments: rows shaped for who asks, never through the aggregate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from domains.payments.errors import PaymentNotFound
from domains.payments.events import TOPIC
from domains.payments.models import (
    JournalEntry,
    Operation,
    Payment,
    ReconciliationDifference,
    SavedMethod,
)
from domains.payments.rules import (
    RELEASED,
    TAKING,
    UNFINISHED,
    WAITING,
    OperationKind,
    OperationState,
    PaymentStatus,
    Told,
    last_void,
)
from infrastructure.money import Money

_CHUNK = 2_000
_STATE_COLUMNS = (
    "id",
    "status",
    "method",
    "authorised_minor",
    "captured_minor",
    "refunded_minor",
    "released_minor",
    "currency",
    "decline_code",
    "action_url",
    "deadline_at",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationView:
    id: UUID
    kind: OperationKind
    state: OperationState
    amount: Money
    reason: str
    actor_id: UUID | None
    decline_code: str
    gateway_reference: str
    attempts: int
    sent_at: datetime
    finished_at: datetime | None

    @property
    def is_succeeded(self) -> bool:
        return self.state == OperationState.SUCCEEDED


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentView:
    id: UUID
    version: int
    reference: str
    customer_id: UUID | None
    status: PaymentStatus
    method: str
    amount: Money
    authorised: Money
    captured: Money
    refunded: Money
    released: Money
    decline_code: str
    action_url: str | None
    action_deadline: datetime | None
    due_at: datetime | None
    needs_attention_at: datetime | None
    created_at: datetime
    updated_at: datetime
    operations: tuple[OperationView, ...]

    @property
    def is_released(self) -> bool:
        return self.status in RELEASED

    @property
    def is_let_go(self) -> bool:
        """Nothing is held that could still be taken, since somebody let it go."""
        rest = self.authorised - self.captured - self.released
        return self.is_released or (self.released.amount_minor > 0 and not rest.amount_minor)

    @property
    def is_void_refused(self) -> bool:
        """The gateway was asked to let the money go, and said no: staff's turn."""
        void = last_void(self.operations)
        return void is not None and void.state == OperationState.FAILED


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentState:
    """How a payment stands; see `public.Outcome`. captured_minor: also what came by bank.
    released_minor: of what was authorised, what was let go after a part was taken. rest_minor:
    what is held beside that part."""

    payment_id: UUID
    status: PaymentStatus
    method: str
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    released_minor: int
    rest_minor: int
    currency: str
    decline_code: str | None
    action_url: str | None
    action_deadline: datetime | None
    due_at: datetime | None

    @property
    def holds_rest(self) -> bool:
        return self.rest_minor > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownOperation:
    """An operation as our books have it."""

    id: UUID
    payment_id: UUID
    told: Told
    gateway_reference: str
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentAudit:
    payment_id: UUID
    reference: str
    status: PaymentStatus
    method: str
    gateway: str
    amount_minor: int
    authorised_minor: int
    captured_minor: int
    currency: str
    unfinished_operations: int
    needs_attention: bool
    waits_until: datetime | None = None
    refunded_minor: int = 0
    released_minor: int = 0
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalDifference:
    """A payment whose three ways of counting do not agree on what was taken, or on what was given
    back. what: `captured` or `refunded`."""

    payment_id: UUID
    what: str
    currency: str
    counter_minor: int
    journal_minor: int
    operations_minor: int


def payment(payment_id: UUID, *, customer_id: UUID | None = None) -> PaymentView:
    """A payment with its operations; with `customer_id` only that customer's.

    Raises PaymentNotFound.
    """
    row = Payment.objects.whole(payment_id)
    # A payment that never began has no amount in any currency: there is nothing to show.
    if row is None or row.authorisation is None or customer_id not in (None, row.customer_id):
        raise PaymentNotFound(f"There is no payment {payment_id}.")
    return view_of(row)


def view_of(row: Payment) -> PaymentView:
    state = state_of(row)
    return PaymentView(
        id=row.id,
        version=row.version,
        reference=row.reference,
        customer_id=row.customer_id,
        status=PaymentStatus(row.status),
        method=row.method,
        amount=Money(row.amount_minor, row.currency),
        authorised=Money(row.authorised_minor, row.currency),
        captured=Money(row.captured_minor, row.currency),
        refunded=Money(row.refunded_minor, row.currency),
        released=Money(row.released_minor, row.currency),
        decline_code=row.decline_code,
        action_url=state.action_url,
        action_deadline=state.action_deadline,
        due_at=state.due_at,
        needs_attention_at=row.needs_attention_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        operations=tuple(
            OperationView(
                id=o.id,
                kind=OperationKind(o.kind),
                state=OperationState(o.state),
                amount=Money(o.amount_minor, row.currency),
                reason=o.reason,
                actor_id=o.actor_id,
                decline_code=o.decline_code,
                gateway_reference=o.gateway_reference,
                attempts=o.attempts,
                sent_at=o.sent_at,
                finished_at=o.finished_at,
            )
            for o in row.operations
        ),
    )


def payment_states(payment_ids: Iterable[UUID]) -> dict[UUID, PaymentState]:
    """The states of these payments; an id that no payment has is missing."""
    rows = Payment.objects.filter(pk__in=list(payment_ids)).only(*_STATE_COLUMNS)
    return {row.id: state_of(row) for row in rows}


def state_of(row: Payment) -> PaymentState:
    status = PaymentStatus(row.status)
    needs_action = status == PaymentStatus.ACTION_REQUIRED
    is_due = status == PaymentStatus.PENDING and row.is_prepaid
    return PaymentState(
        payment_id=row.id,
        status=status,
        method=row.method,
        authorised_minor=row.authorised_minor,
        captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor,
        released_minor=row.released_minor,
        rest_minor=row.rest_minor,
        currency=row.currency,
        decline_code=(row.decline_code or None) if status in RELEASED else None,
        action_url=row.action_url if needs_action else None,
        action_deadline=row.deadline_at if needs_action else None,
        due_at=row.deadline_at if is_due else None,
    )


def due_payments(
    now: datetime, *, limit: int, except_at: Collection[str] = ()
) -> list[tuple[UUID, str]]:
    """The id and the gateway of those that are due, what waits longest first."""
    due = Payment.objects.due(now).exclude(gateway__in=list(except_at))
    return list(due.values_list("id", "gateway")[:limit])


def known_operations(gateway: str, keys: Collection[UUID]) -> dict[UUID, KnownOperation]:
    """Those of our operations at a gateway that have these keys."""
    if not keys:
        return {}
    return {o.id: o for o in _known(Operation.objects.filter(pk__in=keys), gateway)}


def operation_named(
    payment_id: UUID, *, kind: OperationKind, reference: str
) -> KnownOperation | None:
    """The operation of a payment that the gateway has given this name."""
    rows = Operation.objects.filter(payment=payment_id, kind=kind, gateway_reference=reference)
    return next(_known(rows), None)


def payments_of_authorisations(gateway: str, references: Collection[str]) -> dict[str, UUID]:
    """The payments whose authorisation the gateway gave these names."""
    if not references:
        return {}
    rows = Operation.objects.filter(
        gateway_reference__in=references,
        kind=OperationKind.AUTHORISE,
        payment__gateway=gateway,
    ).exclude(gateway_reference="")
    return dict(rows.values_list("gateway_reference", "payment_id"))


def done_at(gateway: str, *, since: datetime, until: datetime) -> Iterator[KnownOperation]:
    """What a gateway has done for us in a window, as far as we asked for it, streaming."""
    return _known(_done(since).filter(finished_at__lt=until), gateway)


def was_used(gateway: str, *, since: datetime) -> bool:
    """Whether a gateway has done anything for us in this time."""
    return _done(since).filter(payment__gateway=gateway).exists()


def _done(since: datetime) -> QuerySet[Operation]:
    """As the index `operation_done` has it."""
    return Operation.objects.filter(
        state=OperationState.SUCCEEDED, asked_elsewhere=False, finished_at__gte=since
    ).exclude(kind=OperationKind.RECEIPT)


def _known(rows: QuerySet[Operation], gateway: str = "") -> Iterator[KnownOperation]:
    if gateway:
        rows = rows.filter(payment__gateway=gateway)
    columns = rows.values_list(
        "id",
        "payment_id",
        "kind",
        "state",
        "amount_minor",
        "payment__currency",
        "gateway_reference",
        "finished_at",
    )
    for row in columns.iterator(chunk_size=_CHUNK):
        yield KnownOperation(
            id=row[0],
            payment_id=row[1],
            told=Told(kind=row[2], state=row[3], amount_minor=row[4], currency=row[5]),
            gateway_reference=row[6],
            finished_at=row[7],
        )


def saved_methods(customer_id: UUID) -> QuerySet[SavedMethod]:
    """What a customer can pay with that the gateway keeps."""
    return SavedMethod.objects.of(customer_id)


def open_differences() -> dict[tuple[str, str], int]:
    """How many differences to the books of gateways are open, by gateway and kind."""
    rows = ReconciliationDifference.objects.still_open().order_by().values("gateway", "kind")
    counted = rows.annotate(count=Count("id")).values_list("gateway", "kind", "count")
    return {(gateway, kind): count for gateway, kind, count in counted}


def payments_needing_attention() -> int:
    return Payment.objects.filter(needs_attention_at__isnull=False).count()


def payment_audit() -> Iterator[PaymentAudit]:
    """Every payment, by id, streaming. One that never began is VOIDED with an amount of 0."""
    rows = (
        Payment.objects.annotate(
            open_operations=Count("operation_rows", filter=Q(operation_rows__state__in=UNFINISHED)),
            is_waiting=Count("operation_rows", filter=Q(operation_rows__state__in=WAITING)),
        )
        .order_by("id")
        .values_list(
            "id",
            "reference",
            "status",
            "method",
            "gateway",
            "amount_minor",
            "authorised_minor",
            "captured_minor",
            "currency",
            "open_operations",
            "needs_attention_at",
            "created_at",
            "is_waiting",
            "deadline_at",
            "refunded_minor",
            "released_minor",
        )
    )
    for row in rows.iterator(chunk_size=_CHUNK):
        yield PaymentAudit(
            payment_id=row[0],
            reference=row[1],
            status=PaymentStatus(row[2]),
            method=row[3],
            gateway=row[4],
            amount_minor=row[5],
            authorised_minor=row[6],
            captured_minor=row[7],
            currency=row[8],
            unfinished_operations=row[9],
            needs_attention=row[10] is not None,
            waits_until=row[13] if row[12] else None,
            created_at=row[11],
            refunded_minor=row[14],
            released_minor=row[15],
        )


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """(payment id, topic, number of events it has recorded), by id, streaming."""
    rows = Payment.objects.order_by("id").values_list("id", "events_recorded")
    for payment_id, events_recorded in rows.iterator(chunk_size=_CHUNK):
        yield payment_id, TOPIC, events_recorded


def journal_differences() -> Iterator[JournalDifference]:
    """Payments where a counter, the journal and the succeeded operations differ, by id."""
    accounts = JournalEntry.Account
    rows = (
        Payment.objects.annotate(
            taken_booked=_booked(credit_account=accounts.CUSTOMERS),
            taken=_succeeded(*TAKING),
            returned_booked=_booked(debit_account=accounts.CUSTOMERS),
            returned=_succeeded(OperationKind.REFUND),
        )
        .exclude(
            captured_minor=F("taken_booked"),
            taken_booked=F("taken"),
            refunded_minor=F("returned_booked"),
            returned_booked=F("returned"),
        )
        .order_by("id")
    )
    for row in rows.iterator(chunk_size=_CHUNK):
        for what, counted in (
            ("captured", (row.captured_minor, row.taken_booked, row.taken)),
            ("refunded", (row.refunded_minor, row.returned_booked, row.returned)),
        ):
            if len(set(counted)) > 1:
                counter, journal, operations = counted
                yield JournalDifference(
                    payment_id=row.id,
                    what=what,
                    currency=row.currency,
                    counter_minor=counter,
                    journal_minor=journal,
                    operations_minor=operations,
                )


def _booked(**accounts: str) -> Coalesce:
    return _sum_of(JournalEntry.objects.filter(currency=OuterRef("currency"), **accounts))


def _succeeded(*kinds: OperationKind) -> Coalesce:
    return _sum_of(Operation.objects.filter(kind__in=kinds, state=OperationState.SUCCEEDED))


def _sum_of(rows: QuerySet) -> Coalesce:
    totals = rows.filter(payment=OuterRef("pk")).order_by().values("payment")
    return Coalesce(Subquery(totals.annotate(total=Sum("amount_minor")).values("total")), 0)
