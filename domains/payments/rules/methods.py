"""What a payment method promises."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from domains.payments.errors import UnknownPaymentMethod
from domains.payments.rules.operations import OperationState


class Guarantee(StrEnum):
    """What must be true of a payment before goods may leave."""

    AUTHORISED = "authorised"
    PREPAID = "prepaid"
    ON_ACCOUNT = "on_account"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay. Without a gateway nobody has to be asked: we grant it ourselves.

    takes_receipts: the money comes to our bank account, and is recorded when it is there.
    """

    guarantee: Guarantee
    needs_gateway: bool
    takes_receipts: bool = False


# All that payments were ever taken by. Which are offered is a setting, and may change; what was
# promised to payments of the past may not.
METHODS = {
    "bank_transfer": Method(Guarantee.PREPAID, needs_gateway=False, takes_receipts=True),
    "card": Method(Guarantee.AUTHORISED, needs_gateway=True),
    "free": Method(Guarantee.AUTHORISED, needs_gateway=False),
    "invoice": Method(Guarantee.ON_ACCOUNT, needs_gateway=False, takes_receipts=True),
}


def method_named(name: str) -> Method:
    """A method, offered or not. Raises UnknownPaymentMethod."""
    check_offered(name, METHODS)
    return METHODS[name]


TAKING_RECEIPTS = sorted(name for name, method in METHODS.items() if method.takes_receipts)


def first_state(method: str, *, amount_minor: int) -> OperationState:
    """How the authorisation of a new payment begins: with the gateway, or with the customer."""
    known = METHODS.get(method)
    is_prepaid = known is not None and known.guarantee == Guarantee.PREPAID and amount_minor > 0
    return OperationState.AWAITING_MONEY if is_prepaid else OperationState.SENT


def check_offered(name: str, offered: Collection[str]) -> None:
    """Raises UnknownPaymentMethod unless the name is one of those offered."""
    if name not in offered:
        raise UnknownPaymentMethod(f"{name!r} is none of: {', '.join(sorted(offered))}.")
