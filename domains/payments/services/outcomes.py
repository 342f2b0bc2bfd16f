"""Commands on payments.

Every request to a gateway is committed as SENT before its first byte leaves, and is made outside
any transaction. Its outcome is written by compare-and-set on the payment's version: who loses
re-reads and obeys. Whoever finds an operation unfinished may send it again under its key, since
the gateway carries out each key once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import models

from domains.payments import gateways, queries, rules
from domains.payments.errors import (
    PaymentNotFound,
    PaymentTokenRequired,
    UnknownGateway,
    UnknownOperation,
    UnknownPaymentMethod,
)
from domains.payments.gateways.port import (
    Authorise,
    Capture,
    NoAnswer,
    Refund,
    Request,
    Void,
)
from domains.payments.models import Operation, Payment
from domains.payments.rules import OperationKind, Reply
from infrastructure.aggregates import ConcurrentModification
from infrastructure.money import Money

logger = logging.getLogger(__name__)

# Each lost race means that somebody else's change was written, and a payment sees few of them.
_ATTEMPTS = 20
# So many silences in a row, and the gateway is down: leave the rest for the next round.
_SILENCES_PER_ROUND = 3
# A slow gateway must not keep a round from ending: the next one begins with the oldest again.
_SECONDS_PER_ROUND = 60


def check_method(*, method: str, amount: Money, token: str) -> None:
    """Raises UnknownPaymentMethod unless a new payment of this amount may be made by the method,
    and PaymentTokenRequired where a gateway is asked that has to know whose money it is."""
    rules.check_offered(method, settings.PAYMENT_METHODS)
    if method == "free" and amount.amount_minor:
        raise UnknownPaymentMethod(f"{amount} is not free.")
    if rules.method_named(method).needs_gateway and amount.amount_minor and not token:
        raise PaymentTokenRequired(f"Paying by {method} takes the gateway's token.")


def authorise(
    *,
    payment_id: UUID,
    reference: str,
    amount: Money,
    method: str,
    token: str,
    now: datetime,
    customer_id: UUID | None = None,
) -> Payment:
    """Have the gateway hold the amount; repeatable under the payment's id.

    A new payment costs two statements: one before the gateway is called, one after. The answer is
    AUTHORISED, DECLINED, UNKNOWN if the gateway did not answer, or VOIDED where a void came first.
    Raises UnknownPaymentMethod, InvalidPaymentAmount, PaymentMismatch.
    """
    gateway = gateways.gateway_name_for(
        rules.method_named(method), amount_minor=amount.amount_minor
    )
    payment = Payment.authorise(
        payment_id=payment_id,
        reference=reference,
        customer_id=customer_id,
        amount=amount,
        method=method,
        gateway=gateway,
        # Where nobody is asked, the customer's means of payment is none of our business.
        token="" if gateway == gateways.NO_GATEWAY else token,
        now=now,
    )
    try:
        payment.save(unless_exists=True)
    except ConcurrentModification:
        return _authorise_again(
            payment_id, reference=reference, amount=amount, method=method, now=now
        )
    return _carry_on(payment, now=now)


def _authorise_again(
    payment_id: UUID, *, reference: str, amount: Money, method: str, now: datetime
) -> Payment:
    payment = _find(payment_id)
    assert payment is not None  # payments are never deleted
    authorisation = payment.authorisation
    if authorisation is None:
        return payment
    payment.check_is_for(reference=reference, amount=amount, method=method)
    if authorisation.is_unfinished or payment.is_void_due:
        return _carry_on(payment, now=now)
    return payment


def capture(
    *,
    payment_id: UUID,
    amount: Money | None = None,
    now: datetime,
    also: Callable[[UUID], Sequence[models.Model]] = lambda operation_id: (),
) -> tuple[Payment, Operation]:
    """Take the money, all that is left unless told an amount. Returns the operation it became.

    also: rows to write with the operation, given its id.
    Raises PaymentNotFound, PaymentNotAuthorised, PaymentAlreadyCaptured, CaptureTooLarge,
    InvalidPaymentAmount, PaymentOperationInProgress.
    """
    return _move_money(
        payment_id, lambda payment: payment.begin_capture(amount, now), also=also, now=now
    )


def refund(
    *,
    payment_id: UUID,
    amount: Money | None = None,
    reason: str,
    actor_id: UUID | None = None,
    now: datetime,
    also: Callable[[UUID], Sequence[models.Model]] = lambda operation_id: (),
) -> tuple[Payment, Operation]:
    """Give captured money back, all that is left of it unless told an amount.

    Returns the operation it became. also: rows to write with the operation, given its id.
    Raises PaymentNotFound, PaymentNotCaptured, RefundTooLarge, InvalidPaymentAmount,
    PaymentOperationInProgress.
    """
    return _move_money(
        payment_id,
        lambda payment: payment.begin_refund(amount, now, reason=reason, actor_id=actor_id),
        also=also,
        now=now,
    )


def _move_money(
    payment_id: UUID,
    begin: Callable[[Payment], Operation],
    *,
    also: Callable[[UUID], Sequence[models.Model]],
    now: datetime,
) -> tuple[Payment, Operation]:
    begun: list[Operation] = []

    def change(payment: Payment) -> bool:
        begun[:] = [begin(payment)]
        return True

    payment = _change(_load(payment_id), change, also=lambda: also(begun[0].id))
    operation_id = begun[0].id
    payment = _carry_on(payment, now=now)
    return payment, payment.operation(operation_id)


def void(
    *, payment_id: UUID, now: datetime, also: Callable[[], Sequence[models.Model]] = tuple
) -> Payment:
    """Let the money go, as somebody told; a void that the gateway refused is begun once more.

    Only VOIDED and DECLINED mean that nothing is held; with anything else the void is remembered
    and follows as soon as the gateway has told what it did.
    also: rows to write with the wish, if it is new.
    Raises PaymentNotFound, PaymentAlreadyCaptured, PaymentOperationInProgress.
    """
    return _void(
        _load(payment_id),
        lambda payment: payment.request_void(now, even_if_refused=True),
        now=now,
        also=also,
    )


def void_or_forestall(*, payment_id: UUID, now: datetime) -> Payment:
    """Let the money go, or keep a payment that never began from ever beginning.

    Repeatable as often as one likes: a void that the gateway refused is not begun once more.
    Raises PaymentAlreadyCaptured, PaymentOperationInProgress.
    """
    payment = _find(payment_id)
    if payment is None:
        payment = Payment.voided_before_it_began(payment_id=payment_id, now=now)
        try:
            payment.save(unless_exists=True)
            return payment
        except ConcurrentModification:
            payment = _find(payment_id)
    assert payment is not None  # payments are never deleted
    if payment.authorisation is None:
        return payment
    return _void(payment, lambda current: current.request_void(now), now=now)


def _void(
    payment: Payment,
    request: Callable[[Payment], bool],
    *,
    now: datetime,
    also: Callable[[], Sequence[models.Model]] = tuple,
) -> Payment:
    if payment.unfinished is not None and payment.unfinished.kind == OperationKind.CAPTURE:
        payment = _carry_on(payment, now=now)
    payment = _change(payment, request, also=also)
    return _carry_on(payment, now=now)


def resolve(*, payment_id: UUID, now: datetime) -> Payment:
    """Find out what became of an unfinished operation, and do what is due after it.

    The same request is sent again under the same key; once the gateway may have forgotten the key
    it is only asked, and "not found" is no outcome. Raises PaymentNotFound.
    """
    return _carry_on(_load(payment_id), now=now)


def resolve_unfinished(*, now: datetime, limit: int = 200) -> int:
    """Resolve the payments whose time has come, oldest first. Returns how many have an outcome.

    One that cannot be worked on is logged and tried again later; the others have their turn.
    """
    resolved = silences = 0
    started = time.monotonic()
    for payment_id in queries.due_payment_ids(now, limit=limit):
        if time.monotonic() - started > _SECONDS_PER_ROUND:
            break
        try:
            payment = resolve(payment_id=payment_id, now=now)
        except Exception:  # such as a gateway that is not there any more
            logger.exception("Cannot resolve a payment", extra={"payment_id": str(payment_id)})
            Payment.objects.put_off(payment_id, now=now, until=now + rules.LONGEST_PAUSE)
            continue
        if payment.unfinished is None:
            resolved, silences = resolved + 1, 0
            continue
        silences += 1
        if silences == _SILENCES_PER_ROUND:
            break
    return resolved


def receive_notification(*, gateway: str, body: bytes, signature: str, now: datetime) -> Payment:
    """Take an outcome from a gateway's notification; harmless before, after and twice.

    Raises UnknownGateway, InvalidSignature, InvalidNotification, UnknownOperation.
    """
    if gateway not in gateways.ADAPTERS:
        raise UnknownGateway(f"There is no gateway {gateway!r}.")
    told = gateways.gateway_named(gateway).notification(
        body=body, signature=signature, now=now.timestamp()
    )
    payment_id = queries.payment_id_of_operation(told.key)
    payment = _load(payment_id) if payment_id else None
    if payment is None or payment.gateway != gateway:
        raise UnknownOperation(f"There is no operation {told.key} at {gateway}.")
    payment = _record(payment, told.key, told.reply, now)
    return _carry_on(payment, now=now) if payment.is_void_due else payment


def _carry_on(payment: Payment, *, now: datetime) -> Payment:
    """Get the outcome of what is unfinished, and of the void that is due after it, if any."""
    while True:
        if payment.is_void_due:
            payment = _begin_due_void(payment, now)
        operation = payment.unfinished
        if operation is None:
            return payment
        started = time.monotonic()
        reply = _ask(payment, operation, now)
        now += timedelta(seconds=time.monotonic() - started)
        payment = _record(payment, operation.id, reply, now)
        if reply is None:
            return payment


def _begin_due_void(payment: Payment, now: datetime) -> Payment:
    return _change(payment, lambda current: current.begin_due_void(now))


def _ask(payment: Payment, operation: Operation, now: datetime) -> Reply | None:
    """What the gateway says of an operation; None if it says nothing that settles it."""
    gateway = gateways.gateway_named(payment.gateway)
    try:
        if rules.may_send_again(sent_at=operation.sent_at, now=now):
            return gateway.send(_request(payment, operation))
        return gateway.lookup(_request(payment, operation))
    except NoAnswer as silence:
        logger.warning(
            "No answer from the gateway",
            extra={
                "payment_id": str(payment.id),
                "operation_id": str(operation.id),
                "kind": operation.kind,
                "gateway": payment.gateway,
                "reason": str(silence),
            },
        )
        return None


def _request(payment: Payment, operation: Operation) -> Request:
    if operation.kind == OperationKind.AUTHORISE:
        return Authorise(
            key=operation.id,
            amount_minor=operation.amount_minor,
            currency=payment.currency,
            reference=payment.reference,
            token=payment.token,
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
    return Void(key=operation.id, authorisation=reference)


def _record(payment: Payment, operation_id: UUID, reply: Reply | None, now: datetime) -> Payment:
    if reply is None:
        return _change(payment, lambda current: current.record_silence(operation_id, now))
    return _change(payment, lambda current: current.record_reply(operation_id, reply, now))


def _change(
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
            payment = _load(payment.id)
    raise ConcurrentModification(f"Payment {payment.id} changes all the time.")


def _find(payment_id: UUID) -> Payment | None:
    return Payment.objects.whole(payment_id)


def _load(payment_id: UUID) -> Payment:
    """A payment that has begun. Raises PaymentNotFound."""
    payment = _find(payment_id)
    if payment is None or payment.authorisation is None:
        raise PaymentNotFound(f"There is no payment {payment_id}.")
    return payment
