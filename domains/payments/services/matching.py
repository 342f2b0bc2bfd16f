"""What a gateway says that it did, laid beside what we know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domains.payments.errors import OperationDoesNotFit
from domains.payments.gateways.port import Listed
from domains.payments.models import Payment, ReconciliationDifference
from domains.payments.queries import operations as queries
from domains.payments.queries.operations import KnownOperation
from domains.payments.rules.differences import DifferenceKind, Told, difference_between
from domains.payments.rules.gateways import Reply
from domains.payments.rules.operations import UNFINISHED, WAITING, OperationKind, OperationState
from domains.payments.services.outcomes import change, load, record, with_kept

_OUTCOMES = (OperationState.SUCCEEDED, OperationState.FAILED)


class Match(StrEnum):
    SAME = "same"
    REPAIRED = "repaired"
    DIFFERENT = "different"


def match_all(gateway: str, listed: Sequence[Listed], *, now: datetime) -> list[Match]:
    """Compare operations; write down what is certain, and report the rest.

    Certain is an outcome that we did not know, and what was done there without us where it fits.
    Raises NoAnswer, PaymentsUnavailable: see `with_kept`.
    """
    known = queries.known_operations(gateway, [item.key for item in listed if item.key])
    elsewhere = [item for item in listed if item.key not in known]
    payments = queries.payments_of_authorisations(gateway, {i.authorisation for i in elsewhere})
    return [
        _match_known(gateway, item, known[item.key], now)
        if item.key in known
        else _match_elsewhere(gateway, item, payments, now)
        for item in listed
    ]


def _match_known(gateway: str, theirs: Listed, ours: KnownOperation, now: datetime) -> Match:
    theirs = part_of(theirs, ours)
    difference = difference_between(ours.told, told_of(theirs))
    if difference is not None:
        report(gateway, difference, theirs, now=now, ours=ours)
        return Match.DIFFERENT
    is_open = ours.told.state in UNFINISHED or ours.told.state in WAITING
    if not is_open or theirs.state not in _OUTCOMES:
        return Match.SAME
    reply = (
        Reply(gateway_reference=theirs.reference)
        if theirs.state == OperationState.SUCCEEDED
        else Reply(refusal="refused")
    )
    payment = load(ours.payment_id)
    record(payment, ours.id, with_kept(payment, payment.operation(ours.id), reply), now)
    return Match.REPAIRED


def _match_elsewhere(
    gateway: str, theirs: Listed, payments: Mapping[str, UUID], now: datetime
) -> Match:
    if theirs.state != OperationState.SUCCEEDED:
        return Match.SAME  # what came to nothing there is nothing here
    payment_id = payments.get(theirs.authorisation)
    if payment_id is None:
        report(gateway, DifferenceKind.MISSING_HERE, theirs, now=now)
        return Match.DIFFERENT
    payment = load(payment_id)
    kinds = {theirs.kind, OperationKind.VOID} if theirs.is_total else {theirs.kind}
    ours = queries.operation_named(payment_id, kinds=kinds, reference=theirs.reference)
    if ours is not None:
        return _match_known(gateway, theirs, ours, now)
    if theirs.currency not in ("", payment.currency):
        report(gateway, DifferenceKind.CURRENCY, theirs, now=now, payment_id=payment_id)
        return Match.DIFFERENT
    if theirs.kind == OperationKind.VOID and payment.is_let_go:
        return Match.SAME  # whoever asked for it, neither side holds anything
    before = payment.version
    try:
        after = change(payment, lambda current: _record_elsewhere(current, theirs, now))
    except OperationDoesNotFit:
        report(gateway, DifferenceKind.MISSING_HERE, theirs, now=now, payment_id=payment_id)
        return Match.DIFFERENT
    return Match.SAME if after.version == before else Match.REPAIRED


def _record_elsewhere(payment: Payment, theirs: Listed, now: datetime) -> bool:
    if theirs.is_total:
        return payment.record_captured_elsewhere(
            theirs.amount_minor, reference=theirs.reference, at=theirs.at, now=now
        )
    return payment.record_elsewhere(
        theirs.kind,
        amount_minor=theirs.amount_minor,
        reference=theirs.reference,
        at=theirs.at,
        now=now,
    )


def part_of(theirs: Listed, ours: KnownOperation) -> Listed:
    """What a total says of the one operation that is known by its key, or by its name: that it was
    done, as it was asked for."""
    if not theirs.is_total:
        return theirs
    part = min(theirs.amount_minor, ours.told.amount_minor)
    return replace(theirs, kind=OperationKind(ours.told.kind), amount_minor=part, is_total=False)


def told_of(theirs: Listed) -> Told:
    return Told(
        kind=theirs.kind,
        state=theirs.state,
        amount_minor=theirs.amount_minor,
        currency=theirs.currency,
    )


def report(
    gateway: str,
    kind: DifferenceKind,
    theirs: Listed,
    *,
    now: datetime,
    ours: KnownOperation | None = None,
    payment_id: UUID | None = None,
) -> None:
    """Write a difference down for staff, about something that the gateway has."""
    difference = ReconciliationDifference(
        gateway=gateway,
        kind=kind,
        subject=str(theirs.key) if theirs.key else f"{theirs.kind} {theirs.reference}",
        operation_kind=theirs.kind,
        payment_id=payment_id,
        gateway_reference=theirs.reference,
        authorisation=theirs.authorisation,
        their_state=theirs.state,
        their_amount_minor=theirs.amount_minor,
        their_amount_is_total=theirs.is_total,
        their_currency=theirs.currency,
        at=theirs.at,
        last_seen_at=now,
    )
    if ours is not None:
        _say_ours(difference, ours)
    ReconciliationDifference.objects.report(difference)


def report_missing_there(gateway: str, ours: KnownOperation, *, now: datetime) -> None:
    """Write down that the gateway knows nothing of what we have as done."""
    assert ours.finished_at is not None  # what is done was finished
    difference = ReconciliationDifference(
        gateway=gateway,
        kind=DifferenceKind.MISSING_THERE,
        subject=str(ours.id),
        operation_kind=ours.told.kind,
        gateway_reference=ours.gateway_reference,
        at=ours.finished_at,
        last_seen_at=now,
    )
    _say_ours(difference, ours)
    ReconciliationDifference.objects.report(difference)


def _say_ours(difference: ReconciliationDifference, ours: KnownOperation) -> None:
    difference.operation_id, difference.payment_id = ours.id, ours.payment_id
    difference.our_state = ours.told.state
    difference.our_amount_minor = ours.told.amount_minor
    difference.our_currency = ours.told.currency
