"""What gateways are able to do, and what one says of an operation."""

from __future__ import annotations

from dataclasses import dataclass, field

from domains.payments.errors import NotSupportedByGateway


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptMethod:
    """Means of payment that a gateway keeps for a customer: its token for them, and what it tells
    of the card. The card itself never comes here."""

    token: str = field(repr=False)
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a gateway says of one operation: its own reference, or why it refused.

    With an `action_url` it is no outcome yet: the customer has to go there first (3-D Secure).
    """

    gateway_reference: str = ""
    refusal: str = ""
    action_url: str = ""
    # What the gateway keeps for the customer, where that was asked for and it does.
    kept: KeptMethod | None = None

    @property
    def is_success(self) -> bool:
        return not self.refusal and not self.action_url


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a gateway can do beyond authorising, capturing, voiding and refunding all at once.

    partial_capture: less than is authorised; what is left is given up unless multiple_captures.
    listing: it tells what it did in a window of time, so that the books can be compared.
    """

    partial_capture: bool = True
    multiple_captures: bool = True
    partial_refund: bool = True
    three_d_secure: bool = False
    saved_methods: bool = False
    listing: bool = False

    def check_capture(self, *, is_first: bool, is_all: bool) -> None:
        """Raises NotSupportedByGateway."""
        if not is_all and not self.partial_capture:
            raise NotSupportedByGateway("The gateway captures the whole amount only.")
        if not is_first and not self.multiple_captures:
            raise NotSupportedByGateway("The gateway captures once; the rest was given up.")

    def check_refund(self, *, is_all: bool) -> None:
        """Raises NotSupportedByGateway."""
        if not is_all and not self.partial_refund:
            raise NotSupportedByGateway("The gateway gives back the whole amount only.")
