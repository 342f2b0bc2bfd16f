"""What was paid for which part of an order, and what has to go back once it costs less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from domains.orders.rules.steps import Money, shared_out

# The part of an order that is no line; lines are known by their ids as text.
SHIPPING = "shipping"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A line, or the shipping, in minor units: what it costs as it stands, what of that is of what
    was sent, and what of it was given back as a refund."""

    worth: int
    sent: int = 0
    given: int = 0

    @property
    def given_for_unsent(self) -> int:
        """Refunds count for what was sent first."""
        return max(self.given - self.sent, 0)

    @property
    def sent_and_kept(self) -> int:
        return max(self.sent - self.given, 0)

    def set_off(self, worth: int) -> int:
        """What was given back already of what goes, if the part is worth so much from now on."""
        return min(max(self.worth - worth, 0), self.given_for_unsent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Less:
    """What follows where an order costs less: what is given back, and what of earlier refunds, by
    part and at large, was for what is gone. Those lower no price any more."""

    gives: int
    parts: Mapping[str, int]
    at_large: int

    @property
    def set_off(self) -> int:
        return sum(self.parts.values()) + self.at_large


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An order's money beside its parts. at_large: what was given back for no part of it."""

    money: Money
    parts: Mapping[str, Part]
    at_large: int = 0

    @property
    def total(self) -> int:
        return sum(part.worth for part in self.parts.values())

    @property
    def sent(self) -> int:
        """What is to be paid for all that was sent, before refunds."""
        return min(sum(part.sent for part in self.parts.values()), self.total)

    @property
    def given_for_unsent(self) -> int:
        """What is not here any more for goods that were not sent."""
        return (
            sum(part.given_for_unsent for part in self.parts.values()) + self._at_large_for_unsent
        )

    @property
    def due(self) -> int:
        """What has to be taken in all, so that nothing that was sent is left unpaid."""
        return min(self.sent + self.given_for_unsent, self.total)

    @property
    def is_sent_unpaid(self) -> bool:
        return self.money.for_goods < self.due

    def cheaper(self, worth: Mapping[str, int], total: int) -> Less:
        """If its parts are worth so much from now on, those that are not named nothing, and all
        of it comes to `total`. Never more than is kept, and nothing that went back already."""
        parts = {
            key: minor
            for key, part in self.parts.items()
            if (minor := part.set_off(worth.get(key, 0)))
        }
        beyond = max(self.money.beyond(total) - sum(parts.values()), 0)
        at_large = min(beyond, self._at_large_for_unsent)
        gives = min(beyond - at_large, max(self.money.kept, 0))
        return Less(gives=gives, parts=parts, at_large=at_large)

    def secures(self, total: int, less: Less) -> bool:
        """Whether what was taken, or still can be, pays for such a total, after that."""
        gone = self.money.given_back_for_less + less.gives + less.set_off
        return total <= max(self.money.authorised, self.money.captured) - gone

    def refunds(self, shares: Mapping[str, int]) -> Account:
        """The same after so much of these parts was given back."""
        parts = {
            key: replace(part, given=part.given + shares.get(key, 0))
            for key, part in self.parts.items()
        }
        return replace(
            self,
            money=replace(self.money, refunded=self.money.refunded + sum(shares.values())),
            parts=parts,
        )

    def shared_out(self, amount_minor: int) -> dict[str, int]:
        """An amount laid over what was not given back of the parts; what was sent comes first."""
        of_sent = shared_out(amount_minor, [part.sent_and_kept for part in self.parts.values()])
        of_rest = shared_out(
            amount_minor - sum(of_sent),
            [part.worth - max(part.sent, part.given) for part in self.parts.values()],
        )
        shares = zip(self.parts, of_sent, of_rest, strict=True)
        return {key: one + other for key, one, other in shares if one + other}

    @property
    def _at_large_for_unsent(self) -> int:
        sent_and_kept = sum(part.sent_and_kept for part in self.parts.values())
        return max(self.at_large - sent_and_kept, 0)
