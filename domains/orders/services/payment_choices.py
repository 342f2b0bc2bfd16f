"""Whether an order can be paid as somebody chose, before anything is written."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from domains.orders.errors import PaymentTokenRequired, UnknownPaymentMethod
from domains.orders.models import PaymentChoice
from domains.payments import public as payments
from infrastructure.errors import FieldError
from infrastructure.money import Money


def refuse_payment(
    payment: PaymentChoice, total: Money, *, customer_id: UUID | None, is_trusted: bool
) -> None:
    """For an order that is placed, or paid for again. is_trusted: somebody is known who stands for
    it, the customer or staff; nobody else pays on account, unless INVOICE_FOR_GUESTS.

    Raises as `refuse_means`, and PaymentsUnavailable while nobody may call the gateway and the shop
    does not take orders so.
    """
    refuse_means(payment.method, payment.token, total, customer_id=customer_id)
    if not (is_trusted or settings.INVOICE_FOR_GUESTS):
        _refuse_on_account(payment.method)
    if total.amount_minor:
        payable = payments.availability(payment.method)
        if isinstance(payable, payments.Unavailable):
            raise payable.refusal()


def refuse_means(
    method: str,
    token: str,
    total: Money,
    *,
    customer_id: UUID | None,
    saved_method_at: str = "/payment/saved_method",
) -> None:
    """saved_method_at: where the request names means of payment that the customer left before.

    Raises UnknownPaymentMethod, also for such that are not the customer's, PaymentTokenRequired,
    and CardNumberRefused.
    """
    try:
        payments.check_method(method=method, amount=total, token=token, customer_id=customer_id)
    except payments.SavedMethodNotFound as error:
        fault = FieldError(saved_method_at, error.code, error.detail)
        raise UnknownPaymentMethod(error.detail, errors=[fault]) from error
    except payments.UnknownPaymentMethod as error:
        fault = FieldError("/payment/method", error.code, error.detail)
        raise UnknownPaymentMethod(error.detail, errors=[fault]) from error
    except payments.PaymentTokenRequired as error:
        fault = FieldError("/payment/token", error.code, error.detail)
        raise PaymentTokenRequired(error.detail, errors=[fault]) from error


def is_owed_by_guest(method: str, *, customer_id: UUID | None) -> bool:
    """Whether nobody but staff stands for what would be owed on account."""
    is_guest = customer_id is None and not settings.INVOICE_FOR_GUESTS
    return is_guest and payments.guarantee_of(method) == payments.Guarantee.ON_ACCOUNT


def _refuse_on_account(method: str) -> None:
    if payments.guarantee_of(method) == payments.Guarantee.ON_ACCOUNT:
        detail = f"Sign in to pay by {method}."
        fault = FieldError("/payment/method", UnknownPaymentMethod.code, detail)
        raise UnknownPaymentMethod(detail, errors=[fault])
