"""Why a payment was declined, in the words that buyers may read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeclineReason(StrEnum):
    """Why, as far as whoever pays is told. DECLINED: the bank does not say, or its reason is not
    for them."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    CARD_EXPIRED = "card_expired"
    CARD_DETAILS_WRONG = "card_details_wrong"
    CARD_NOT_SUPPORTED = "card_not_supported"
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_FAILED = "authentication_failed"
    TRY_AGAIN = "try_again"
    DECLINED = "declined"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decline:
    """Why a payment was declined. lacks_return_url: the customer would have had to confirm it, and
    nobody said where they come back to."""

    reason: DeclineReason
    lacks_return_url: bool = False

    @property
    def sentence(self) -> str:
        if self.lacks_return_url:
            return f"{_SENTENCES[self.reason]} Send a `return_url`, so that they can."
        return _SENTENCES[self.reason]


def decline_of(code: str, *, can_be_confirmed: bool) -> Decline:
    """What a gateway's code comes to. can_be_confirmed: the customer could have come back."""
    reason = _REASONS.get(code, DeclineReason.DECLINED)
    is_required = reason == DeclineReason.AUTHENTICATION_REQUIRED
    return Decline(reason=reason, lacks_return_url=is_required and not can_be_confirmed)


def code_for_customers(code: str) -> str:
    """A gateway's code where customers may know it. Of a card that is lost or stolen, or a payment
    taken for fraud, they are told no more than of any other decline."""
    return code if code in _REASONS or code in _OURS else DeclineReason.DECLINED.value


# Of a published `decline_reason`.
DECLINE_REASONS = (
    "Why it was declined, one of "
    + ", ".join(f"`{reason}`" for reason in DeclineReason)
    + "; new ones may come. What the bank does not say, or is not for buyers, is `declined`."
)

# Why a payment was let go whose customer neither confirmed nor paid it in time.
NOT_COMPLETED = "payment_not_completed"
# Why a payment was declined whose customer would have to confirm it and could not come back.
CANNOT_BE_CONFIRMED = "authentication_required"

_OURS = frozenset({"", NOT_COMPLETED, "card_declined", "generic_decline"})

# Stripe's codes (docs.stripe.com/declines/codes) and those of the gateways of our own. What is not
# here is DECLINED: Stripe asks that fraudulent, lost_card, stolen_card and merchant_blacklist are
# shown as a generic decline, and pickup_card and restricted_card say the same of a card.
_REASONS = {
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "card_velocity_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "withdrawal_count_limit_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "expired_card": DeclineReason.CARD_EXPIRED,
    "incorrect_address": DeclineReason.CARD_DETAILS_WRONG,
    "incorrect_cvc": DeclineReason.CARD_DETAILS_WRONG,
    "incorrect_number": DeclineReason.CARD_DETAILS_WRONG,
    "incorrect_zip": DeclineReason.CARD_DETAILS_WRONG,
    "invalid_cvc": DeclineReason.CARD_DETAILS_WRONG,
    "invalid_expiry_month": DeclineReason.CARD_DETAILS_WRONG,
    "invalid_expiry_year": DeclineReason.CARD_DETAILS_WRONG,
    "invalid_number": DeclineReason.CARD_DETAILS_WRONG,
    "card_not_supported": DeclineReason.CARD_NOT_SUPPORTED,
    "currency_not_supported": DeclineReason.CARD_NOT_SUPPORTED,
    CANNOT_BE_CONFIRMED: DeclineReason.AUTHENTICATION_REQUIRED,
    "authentication_not_handled": DeclineReason.AUTHENTICATION_REQUIRED,
    "authentication_failed": DeclineReason.AUTHENTICATION_FAILED,
    "payment_intent_authentication_failure": DeclineReason.AUTHENTICATION_FAILED,
    "issuer_not_available": DeclineReason.TRY_AGAIN,
    "processing_error": DeclineReason.TRY_AGAIN,
    "reenter_transaction": DeclineReason.TRY_AGAIN,
    "try_again_later": DeclineReason.TRY_AGAIN,
}

_SENTENCES = {
    DeclineReason.INSUFFICIENT_FUNDS: "There is not enough money behind the card.",
    DeclineReason.LIMIT_EXCEEDED: "The card's limit is reached.",
    DeclineReason.CARD_EXPIRED: "The card has expired.",
    DeclineReason.CARD_DETAILS_WRONG: "The card's number, date, code or address is not right.",
    DeclineReason.CARD_NOT_SUPPORTED: "The card does not do this kind of payment.",
    DeclineReason.AUTHENTICATION_REQUIRED: "The card holder has to confirm it with their bank.",
    DeclineReason.AUTHENTICATION_FAILED: "The card holder did not confirm it with their bank.",
    DeclineReason.TRY_AGAIN: "The bank could not be asked; the same card may do later.",
    DeclineReason.DECLINED: "The bank declined the payment.",
}
