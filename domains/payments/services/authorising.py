"""How a payment begins."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from domains.payments import gateways
from domains.payments.errors import (
    CardNumberRefused,
    PaymentsUnavailable,
    PaymentTokenRequired,
    SavedMethodNotFound,
    UnknownPaymentMethod,
)
from domains.payments.models import Payment
from domains.payments.rules.means import Means, names_card_number
from domains.payments.rules.methods import Guarantee, check_offered, method_named
from domains.payments.services.outcomes import carry_on, find
from domains.payments.services.saved_methods import token_of
from infrastructure.aggregates import ConcurrentModification
from infrastructure.money import Money


def check_method(
    *, method: str, amount: Money, token: str, customer_id: UUID | None = None
) -> None:
    """Raises UnknownPaymentMethod unless a new payment of this amount may be made by the method,
    PaymentTokenRequired where a gateway is asked that has to know whose money it is,
    CardNumberRefused, and SavedMethodNotFound."""
    check_offered(method, settings.PAYMENT_METHODS)
    if method == "free" and amount.amount_minor:
        raise UnknownPaymentMethod(f"{amount} is not free.")
    needs_token = method_named(method).needs_gateway and amount.amount_minor
    means = Means.read(token)
    if names_card_number(token):
        raise CardNumberRefused("Send the token that the gateway's form gives for it.")
    if not needs_token:
        return
    if means.saved_method is not None:
        token_of(means.saved_method, customer_id=customer_id, gateway=str(settings.PAYMENT_GATEWAY))
    elif not means.token:
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
    return_url: str | None = None,
    not_after: datetime | None = None,
) -> Payment:
    """Have the gateway hold the amount; repeatable under the payment's id. token: as `Means` reads
    it.

    A new payment costs two statements: one before the gateway is called, one after; a prepaid one
    costs one. The answer is AUTHORISED, DECLINED, ACTION_REQUIRED, PENDING for what is prepaid,
    UNKNOWN if the gateway did not answer, or VOIDED where a void came first.
    Raises UnknownPaymentMethod, InvalidPaymentAmount, PaymentMismatch, SavedMethodNotFound, and
    PaymentsUnavailable where the gateway is not to be called: then nothing was written.
    """
    try:
        payment = new_payment(
            payment_id=payment_id,
            reference=reference,
            amount=amount,
            method=method,
            token=token,
            customer_id=customer_id,
            return_url=return_url,
            not_after=not_after,
            now=now,
        )
    except SavedMethodNotFound:
        if find(payment_id) is None:
            raise
        # Deleted since the payment began, which knows by itself what it is paid with.
        return _authorise_again(
            payment_id, reference=reference, amount=amount, method=method, now=now
        )
    try:
        with gateways.admitted(payment.gateway):
            try:
                payment.save(unless_exists=True)
            except ConcurrentModification:
                return _authorise_again(
                    payment_id, reference=reference, amount=amount, method=method, now=now
                )
            return carry_on(payment, now=now)
    except PaymentsUnavailable:
        known = find(payment_id)
        if known is None:
            raise
        if known.authorisation is not None:
            known.check_is_for(reference=reference, amount=amount, method=method)
        return known


def new_payment(
    *,
    payment_id: UUID,
    reference: str,
    amount: Money,
    method: str,
    token: str,
    now: datetime,
    customer_id: UUID | None,
    return_url: str | None,
    not_after: datetime | None = None,
) -> Payment:
    """A payment that has not been saved, nor its gateway asked. Raises UnknownPaymentMethod,
    InvalidPaymentAmount, SavedMethodNotFound."""
    guarantee = method_named(method)
    gateway = gateways.gateway_name_for(guarantee, amount_minor=amount.amount_minor)
    can = gateways.gateway_named(gateway).capabilities
    way_back = (return_url or settings.PAYMENT_RETURN_URL) if can.three_d_secure else ""
    asks_nobody = gateway == gateways.NO_GATEWAY
    # Where nobody is asked, the customer's means of payment is none of our business.
    means = Means() if asks_nobody else Means.read(token)
    saved_method = ""
    if means.saved_method is not None:
        saved_method = token_of(means.saved_method, customer_id=customer_id, gateway=gateway)
    deadline_at = None
    if guarantee.guarantee == Guarantee.PREPAID:
        deadline_at = now + timedelta(days=settings.PAYMENT_DUE_DAYS)
    elif way_back:
        deadline_at = now + timedelta(seconds=settings.PAYMENT_ACTION_SECONDS)
    if deadline_at is not None and not_after is not None:
        deadline_at = min(deadline_at, not_after)
    return Payment.authorise(
        payment_id=payment_id,
        reference=reference,
        customer_id=customer_id,
        amount=amount,
        method=method,
        gateway=gateway,
        token=means.token,
        saved_method=saved_method,
        # Whose would it be, if nobody knows who the customer is?
        keeps_method=means.keep and can.saved_methods and customer_id is not None,
        return_url=way_back,
        deadline_at=deadline_at,
        now=now,
    )


def _authorise_again(
    payment_id: UUID, *, reference: str, amount: Money, method: str, now: datetime
) -> Payment:
    payment = find(payment_id)
    assert payment is not None  # payments are never deleted
    authorisation = payment.authorisation
    if authorisation is None:
        return payment
    payment.check_is_for(reference=reference, amount=amount, method=method)
    if _is_the_customers_turn(payment, now):
        return payment
    if authorisation.is_unfinished or authorisation.is_waiting or payment.is_void_due:
        return carry_on(payment, now=now)
    return payment


def _is_the_customers_turn(payment: Payment, now: datetime) -> bool:
    """Whoever asks again learns nothing from the gateway that its notification or the task, which
    look after it, would not tell."""
    return (
        payment.unfinished is None
        and payment.waiting is not None
        and payment.deadline_at is not None
        and now < payment.deadline_at
        and not payment.is_void_due
    )


def unavailable_for_s(*, method: str) -> int:
    """For how many seconds no new payment should be begun by this method; 0 when it may.

    Raises UnknownPaymentMethod.
    """
    if not method_named(method).needs_gateway or settings.PAYMENTS_DOWN == "accept":
        return 0
    return gateways.unavailable_for_s(settings.PAYMENT_GATEWAY)
