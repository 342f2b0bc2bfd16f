"""What buyers are told of a payment that was declined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domains.orders.errors import PaymentDeclined
from domains.payments import public as payments
from infrastructure.errors import FieldError

# What was left out of the request where nobody could confirm the payment for that.
RETURN_URL = "/payment/return_url"


def declined(
    told: str,
    decline: payments.Decline | None,
    *,
    errors: Sequence[FieldError] = (),
    members: Mapping[str, str] | None = None,
) -> PaymentDeclined:
    """The refusal that says what became of the order, and why, where that is known."""
    members = dict(members or {})
    if decline is None:
        return PaymentDeclined(told, errors=errors, members=members)
    return PaymentDeclined(
        f"{told} {decline.sentence}",
        errors=[*errors, *_missing(decline, errors)],
        members=members | {"decline_reason": decline.reason.value},
    )


def _missing(decline: payments.Decline, errors: Sequence[FieldError]) -> list[FieldError]:
    if not decline.lacks_return_url or any(error.pointer == RETURN_URL for error in errors):
        return []
    return [FieldError(RETURN_URL, PaymentDeclined.code, decline.sentence)]
