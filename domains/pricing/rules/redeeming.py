"""What redeeming coupons comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domains.pricing.rules.quotes import Use


class RedemptionState(StrEnum):
    REDEEMED = "REDEEMED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The order may use all of it."""


@dataclass(frozen=True, slots=True)
class RefusedUse:
    """code: `coupon_used_up`: others, or this customer, were first. `coupon_not_applicable`: it has
    been taken back, or nobody can say who the customer is that it is limited for."""

    use: Use
    code: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was used, and nothing remains of it; the same order may try again."""

    refused: tuple[RefusedUse, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.code for one in self.refused))


@dataclass(frozen=True, slots=True)
class Returned:
    """The order has given back what it used, or never will use anything."""


RedemptionOutcome = Redeemed | Refused | Returned
