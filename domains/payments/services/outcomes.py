"""What became of what was asked of a gateway, and what is due after it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import models

from domains.payments import gateways
from domains.payments.errors import PaymentNotFound, PaymentsUnavailable
from domains.payments.gateways.port import (
    Authorise,
    Capture,
    NoAnswer,
    Refund,
    Request,
    Void,
)
from domains.payments.models import Operation, Payment
from domains.payments.queries import waiting as queries
from domains.payments.rules.gateways import Reply
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.rules.retries import LONGEST_PAUSE, may_send_again
from domains.payments.services.saved_methods import rows_of
from infrastructure.aggregates import ConcurrentModification

log = structlog.get_logger(__name__)

# Each lost race means that somebody else's change was written, and a payment sees few of them.
_ATTEMPTS = 20
# So many silences of a gateway in a row, and it is down: leave what is its to the next round.
_SILENCES_PER_ROUND = 3
# A slow gateway must not keep a round from ending: the next one begins with the oldest again.
_SECONDS_PER_ROUND = 60


def resolve(*, payment_id: UUID, now: datetime) -> Payment:
    """Find out what became of an unfinished operation, and do what is due after it.

    The same request is sent again under the same key; once the gateway may have forgotten the key
    it is only asked, and "not found" is no outcome. Raises PaymentNotFound.
    """
    return carry_on(load(payment_id), now=now)


def refresh(*, payment_id: UUID, customer_id: UUID | None = None, now: datetime) -> Payment:
    """As `resolve`; with `customer_id` for their own payments only. Raises PaymentNotFound."""
    payment = load(payment_id)
    if customer_id not in (None, payment.customer_id):
        raise PaymentNotFound(f"There is no payment {payment_id}.")
    return carry_on(payment, now=now)


def resolve_unfinished(*, now: datetime, limit: int = 200) -> int:
    """Resolve the payments whose time has come, oldest first. Returns how many have an outcome.

    One that cannot be worked on is logged and tried again later, and a gateway that is down is left
    alone until the next round; the others have their turn. limit: how many are looked at before
    it is seen anew which gateways those are.
    """
    resolved = 0
    silences: Counter[str] = Counter()  # in a row
    down: set[str] = set()
    started = time.monotonic()
    is_more = True
    while is_more:
        due = queries.due_payments(now, limit=limit, except_at=down)
        down_before = len(down)
        for payment_id, gateway in due:
            if time.monotonic() - started > _SECONDS_PER_ROUND:
                return resolved
            if gateway in down:
                continue
            heard = _Heard()
            try:
                payment = carry_on(load(payment_id), now=now, heard=heard)
            except PaymentsUnavailable:
                down.add(gateway)  # it is not to be asked for a while
                continue
            except Exception:  # such as a gateway that is not there any more
                log.exception("payment_not_resolved", payment_id=str(payment_id))
                Payment.objects.put_off(payment_id, now=now, until=now + LONGEST_PAUSE)
                continue
            resolved += payment.unfinished is None and payment.waiting is None
            silences[gateway] = silences[gateway] + 1 if heard.is_silent else 0
            if silences[gateway] == _SILENCES_PER_ROUND:
                down.add(gateway)
        # Those of a gateway that is down may have kept the others' out of this look.
        is_more = len(due) == limit and len(down) > down_before
    return resolved


@dataclass(slots=True)
class _Heard:
    """is_silent: the gateway's last answer was none at all."""

    is_silent: bool = False


def carry_on(payment: Payment, *, now: datetime, heard: _Heard | None = None) -> Payment:
    """Get the outcome of what is unfinished, and of the void that is due after it, if any.

    Where it is the customer's turn the gateway is looked at once; past the deadline the payment is
    let go. Raises PaymentsUnavailable where the gateway is not to be called, with nothing written.
    """
    if payment.unfinished is None and payment.waiting is None and not payment.is_void_due:
        return payment
    with gateways.admitted(payment.gateway):
        return _carry_on(payment, now=now, heard=heard or _Heard())


def _carry_on(payment: Payment, *, now: datetime, heard: _Heard) -> Payment:
    looked = False
    while True:
        if payment.is_void_due:
            payment = _begin_due_void(payment, now)
        operation = payment.unfinished
        if operation is None and payment.waiting is not None:
            if not looked and payment.waiting.state == OperationState.ACTION_REQUIRED:
                operation, looked = payment.waiting, True
            else:
                payment = _give_up(payment, now)
                if payment.unfinished is None:
                    return payment
                continue
        if operation is None:
            return payment
        started, was_waiting = time.monotonic(), operation.is_waiting
        reply = ask(payment, operation, now, heard)
        now += timedelta(seconds=time.monotonic() - started)
        payment = record(payment, operation.id, reply, now)
        if reply is None and not was_waiting:
            return payment
        if reply is not None and reply.action_url:
            looked = True


def _begin_due_void(payment: Payment, now: datetime) -> Payment:
    return change(payment, lambda current: current.begin_due_void(now))


def _give_up(payment: Payment, now: datetime) -> Payment:
    return change(payment, lambda current: current.give_up(now))


def ask(
    payment: Payment, operation: Operation, now: datetime, heard: _Heard | None = None
) -> Reply | None:
    """What the gateway says of an operation; None if it says nothing that settles it."""
    heard = heard or _Heard()
    heard.is_silent = False
    gateway = gateways.gateway_named(payment.gateway)
    request = request_of(payment, operation)
    try:
        # Sent again, a request gets the answer of the first time: that the customer has to act.
        if operation.is_waiting or not may_send_again(sent_at=operation.sent_at, now=now):
            return gateway.lookup(request)
        return gateway.send(request)
    except NoAnswer as silence:
        heard.is_silent = silence.is_silence
        tell = log.warning if silence.is_silence else log.info
        tell(
            "gateway_gave_no_answer",
            payment_id=str(payment.id),
            operation_id=str(operation.id),
            kind=operation.kind,
            gateway=payment.gateway,
            reason=str(silence),
        )
        return None


def request_of(payment: Payment, operation: Operation) -> Request:
    if operation.kind == OperationKind.AUTHORISE:
        return Authorise(
            key=operation.id,
            amount_minor=operation.amount_minor,
            currency=payment.currency,
            reference=payment.reference,
            token=payment.token,
            return_url=payment.return_url,
            saved_method=payment.saved_method,
            keep=payment.keeps_method,
            known_as=operation.gateway_reference,
        )
    authorisation = payment.authorisation
    assert authorisation is not None  # only an authorised payment gets further requests
    reference = authorisation.gateway_reference
    if operation.kind == OperationKind.CAPTURE:
        return Capture(
            key=operation.id,
            authorisation=reference,
            amount_minor=operation.amount_minor,
            currency=payment.currency,
        )
    if operation.kind == OperationKind.REFUND:
        return Refund(
            key=operation.id,
            authorisation=reference,
            amount_minor=operation.amount_minor,
            currency=payment.currency,
        )
    return Void(key=operation.id, authorisation=reference, rest=operation.amount_minor > 0)


def with_kept(payment: Payment, operation: Operation, reply: Reply) -> Reply:
    """A success that somebody told of, with the card that the gateway was to keep.

    Raises NoAnswer and PaymentsUnavailable where it does not tell of the card now: then it is not
    to be written down yet, since nobody would ask for the card any more.
    """
    is_complete = reply.kept is not None or not (payment.keeps_method and reply.is_success)
    if operation.kind != OperationKind.AUTHORISE or is_complete or reply.action_url:
        return reply
    if not (operation.is_unfinished or operation.is_waiting):
        return reply
    request = request_of(payment, operation)
    assert isinstance(request, Authorise)
    known_as = reply.gateway_reference or request.known_as
    looked = gateways.gateway_named(payment.gateway).lookup(replace(request, known_as=known_as))
    return reply if looked is None or not looked.is_success else looked


def record(payment: Payment, operation_id: UUID, reply: Reply | None, now: datetime) -> Payment:
    if reply is None:
        return change(payment, lambda current: current.record_silence(operation_id, now))
    return change(
        payment,
        lambda current: current.record_reply(operation_id, reply, now),
        also=lambda: rows_of(payment, reply, now),
    )


def change(
    payment: Payment,
    change: Callable[[Payment], bool],
    *,
    also: Callable[[], Sequence[models.Model]] = tuple,
) -> Payment:
    """Apply a change and save; if somebody else saved first, apply it to what they left.

    `change` returns False if there is nothing to do any more.
    """
    for _ in range(_ATTEMPTS):
        if not change(payment):
            return payment
        try:
            payment.save(also=also())
            return payment
        except ConcurrentModification:
            payment = load(payment.id)
    raise ConcurrentModification(f"Payment {payment.id} changes all the time.")


def find(payment_id: UUID) -> Payment | None:
    return Payment.objects.whole(payment_id)


def load(payment_id: UUID) -> Payment:
    """A payment that has begun. Raises PaymentNotFound."""
    payment = find(payment_id)
    if payment is None or payment.authorisation is None:
        raise PaymentNotFound(f"There is no payment {payment_id}.")
    return payment
