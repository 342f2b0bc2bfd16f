"""What gateways tell unasked."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from domains.payments import gateways
from domains.payments.errors import PaymentsUnavailable, UnknownGateway, UnknownOperation
from domains.payments.gateways.port import Dispute, Listed, NoAnswer
from domains.payments.models import ReconciliationDifference
from domains.payments.queries import operations as queries
from domains.payments.queries.operations import KnownOperation
from domains.payments.rules.differences import DifferenceKind, difference_between
from domains.payments.rules.gateways import Reply
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.services.matching import Match, match_all, part_of, told_of
from domains.payments.services.outcomes import carry_on, change, load, record, with_kept

_SECONDS_TO_COME_AGAIN = 5


def receive_notification(*, gateway: str, body: bytes, signature: str, now: datetime) -> bool:
    """Take what a gateway tells; harmless before, after and twice, and in any order.

    An outcome of ours is written down. What was done there without us is too, once its payment is
    known; until then, and where it contradicts us, it is reported as a difference. Returns whether
    it is settled by now.
    Raises UnknownGateway, InvalidSignature, InvalidNotification, UnknownOperation, and
    PaymentsUnavailable where the gateway was to keep the card and does not tell of it now: it
    notifies again, or recovery asks.
    """
    if not gateways.is_set_up(gateway):
        raise UnknownGateway(f"There is no gateway {gateway!r}.")
    told = gateways.gateway_named(gateway).notification(
        body=body, signature=signature, now=now.timestamp()
    )
    if told is None:
        return True  # about nothing of ours
    if told.dispute is not None:
        _report_dispute(gateway, told.dispute, now)
        return False
    known = queries.known_operations(gateway, [told.key] if told.key else [])
    if told.key in known:
        ours = known[told.key]
        if told.operation is not None and _is_about_other_money(ours, told.operation):
            return match_all(gateway, [told.operation], now=now) != [Match.DIFFERENT]
        return _take_outcome(gateway, ours, told.reply, now)
    if told.operation is None:
        raise UnknownOperation(f"There is no operation {told.key} at {gateway}.")
    return match_all(gateway, [told.operation], now=now) != [Match.DIFFERENT]


def _is_about_other_money(ours: KnownOperation, theirs: Listed) -> bool:
    difference = difference_between(ours.told, told_of(part_of(theirs, ours)))
    return difference in (DifferenceKind.AMOUNT, DifferenceKind.CURRENCY)


def _take_outcome(gateway: str, ours: KnownOperation, reply: Reply, now: datetime) -> bool:
    payment = load(ours.payment_id)
    try:
        reply = with_kept(payment, payment.operation(ours.id), reply)
    except NoAnswer as silence:
        raise PaymentsUnavailable.for_seconds(_SECONDS_TO_COME_AGAIN) from silence
    payment = record(payment, ours.id, reply, now)
    state = payment.operation(ours.id).state
    says = OperationState.SUCCEEDED if reply.is_success else OperationState.FAILED
    if not reply.action_url and {state, says} == {OperationState.SUCCEEDED, OperationState.FAILED}:
        _report_contradiction(gateway, ours, our_state=state, their_state=says, now=now)
        return False
    if payment.is_void_due:
        with suppress(PaymentsUnavailable):  # then it is the task's turn
            carry_on(payment, now=now)
    return True


def _report_contradiction(
    gateway: str, ours: KnownOperation, *, our_state: str, their_state: str, now: datetime
) -> None:
    """The first outcome stands here; which one is true has to be found out."""
    ReconciliationDifference.objects.report(
        ReconciliationDifference(
            gateway=gateway,
            kind=DifferenceKind.STATE,
            subject=str(ours.id),
            operation_kind=ours.told.kind,
            operation_id=ours.id,
            payment_id=ours.payment_id,
            gateway_reference=ours.gateway_reference,
            our_state=our_state,
            our_amount_minor=ours.told.amount_minor,
            our_currency=ours.told.currency,
            their_state=their_state,
            at=now,
            last_seen_at=now,
        )
    )


def _report_dispute(gateway: str, dispute: Dispute, now: datetime) -> None:
    payments = queries.payments_of_authorisations(gateway, {dispute.authorisation})
    payment_id = payments.get(dispute.authorisation)
    is_open = ReconciliationDifference.objects.report(
        ReconciliationDifference(
            gateway=gateway,
            kind=DifferenceKind.DISPUTE,
            subject=dispute.reference,
            operation_kind=OperationKind.REFUND,
            payment_id=payment_id,
            gateway_reference=dispute.reference,
            authorisation=dispute.authorisation,
            their_state=f"{dispute.status}: {dispute.reason}"[:40],
            their_amount_minor=dispute.amount_minor,
            their_currency=dispute.currency,
            at=now,
            last_seen_at=now,
        )
    )
    if is_open and payment_id is not None:
        change(load(payment_id), lambda payment: payment.record_dispute(now))
