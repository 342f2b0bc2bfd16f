"""What may be done to a confirmed order, and what parts of it are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol
from uuid import UUID

from domains.orders.rules.history import By, Kind
from domains.orders.rules.placement import FulfilmentStatus, ReturnStatus
from infrastructure.money import rounded

# Why a step came to nothing that a second person did not agree to.
NOT_APPROVED = "not_approved"


class StepKind(StrEnum):
    EDIT = "EDIT"
    CANCEL = "CANCEL"
    CANCEL_LINES = "CANCEL_LINES"
    FULFIL = "FULFIL"
    CAPTURE = "CAPTURE"
    RETURN = "RETURN"
    REFUND = "REFUND"


class StepState(StrEnum):
    """APPLIED: the order has changed, and something is left to be let go."""

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    REQUESTED = "REQUESTED"
    APPLIED = "APPLIED"
    DONE = "DONE"
    REFUSED = "REFUSED"


OPEN_STATES = (StepState.AWAITING_APPROVAL, StepState.REQUESTED, StepState.APPLIED)


class Asked(Protocol):
    """Of a step, who asked for it and how far it is."""

    @property
    def state(self) -> str: ...
    @property
    def actor(self) -> By: ...


def is_internal(step: Asked) -> bool:
    """Whether a step is between members of staff: it waits for a second one, or came to nothing.
    What customers asked for themselves is theirs to see."""
    is_told = step.state in (StepState.REQUESTED, StepState.APPLIED, StepState.DONE)
    return not is_told and step.actor.kind != Kind.CUSTOMER


class ReturnState(StrEnum):
    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    RECEIVED = "RECEIVED"
    REFUNDED = "REFUNDED"


# A return in one of these has not brought anything back yet.
OPEN_RETURNS = (ReturnState.REQUESTED, ReturnState.APPROVED)


class Line(Protocol):
    """Of an order's line, what is counted here. Amounts in minor units."""

    @property
    def quantity(self) -> int: ...
    @property
    def cancelled(self) -> int: ...
    @property
    def fulfilled(self) -> int: ...
    @property
    def returned(self) -> int: ...
    @property
    def subtotal_minor(self) -> int: ...
    @property
    def discount_minor(self) -> int: ...
    @property
    def tax_minor(self) -> int: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def refunded_minor(self) -> int: ...


def part(amount_minor: int, quantity: int, units: int) -> int:
    """What the first `units` of a line's `quantity` are worth, rounded once.

    Parts are differences of two of these, so whichever way a line is cut, the pieces add up to it.
    """
    return rounded(Fraction(amount_minor * units, quantity))


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """What units of a line come to, in minor units, each as the line's own."""

    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    amount_minor: int


def amounts_of(line: Line, units: int) -> Amounts:
    """Of the first units of a line. What is paid is made of the other parts, so that a part adds
    up in itself as the whole line does, and as quotes count it."""
    subtotal = part(line.subtotal_minor, line.quantity, units)
    discount = part(line.discount_minor, line.quantity, units)
    tax = part(line.tax_minor, line.quantity, units)
    is_tax_added = line.amount_minor != line.subtotal_minor - line.discount_minor
    return Amounts(
        subtotal_minor=subtotal,
        discount_minor=discount,
        tax_minor=tax,
        amount_minor=subtotal - discount + (tax if is_tax_added else 0),
    )


def amounts_standing(line: Line) -> Amounts:
    """Of what was ordered of a line and not cancelled. An order's totals are always the sums of
    these, and of its shipping."""
    return amounts_of(line, line.quantity - line.cancelled)


def worth_of(line: Line, units: int) -> int:
    """What is paid for the first units of a line."""
    return amounts_of(line, units).amount_minor


def worth_of_units(line: Line, *, after: int, units: int) -> int:
    """What `units` are worth that follow the first `after` of a line."""
    return worth_of(line, after + units) - worth_of(line, after)


def worth_of_cancelling(line: Line, units: int) -> int:
    """By how much the line gets cheaper: units are cancelled from its end."""
    standing = line.quantity - line.cancelled
    return worth_of_units(line, after=standing - units, units=units)


def refundable(line: Line) -> int:
    """What of a line, less what was cancelled of it, was not given back as a refund."""
    standing = worth_of(line, line.quantity - line.cancelled)
    return max(standing - line.refunded_minor, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """What a payment has taken and given back so far, in minor units.

    given_back_for_less: the part of `refunded` that followed from a lower total, or was never due.
    """

    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    given_back_for_less: int = 0

    @property
    def kept(self) -> int:
        return self.captured - self.refunded

    @property
    def for_goods(self) -> int:
        """What was taken towards the total as it is now."""
        return self.captured - self.given_back_for_less

    def beyond(self, total: int) -> int:
        """What was taken and not given back for a lower total, and is more than this one."""
        return max(self.for_goods - total, 0)


@dataclass(frozen=True, slots=True)
class GivenAlone:
    """A refund of the payment that somebody asked for without a second person, done or under way.
    id: that of its step, where an order asked for it. In minor units."""

    id: UUID
    actor_id: UUID | None
    amount_minor: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Above what a second person has to agree, by currency and in minor units. given: by whichever
    door, also what the order has not heard of yet."""

    above: Mapping[str, int]
    given: tuple[GivenAlone, ...] = ()


def fulfilment_status(lines: Iterable[Line]) -> FulfilmentStatus:
    sent = open_units = 0
    for line in lines:
        sent += line.fulfilled
        open_units += line.quantity - line.cancelled - line.fulfilled
    if not sent:
        return FulfilmentStatus.UNFULFILLED
    return FulfilmentStatus.PARTIALLY_FULFILLED if open_units else FulfilmentStatus.FULFILLED


def return_status(lines: Iterable[Line], *, has_open_return: bool) -> ReturnStatus:
    returned = kept = 0
    for line in lines:
        returned += line.returned
        kept += line.quantity - line.cancelled - line.returned
    if returned:
        return ReturnStatus.PARTIALLY_RETURNED if kept else ReturnStatus.RETURNED
    return ReturnStatus.REQUESTED if has_open_return else ReturnStatus.NONE


def shared_out(amount_minor: int, rooms: Iterable[int]) -> list[int]:
    """An amount laid into rooms of these sizes, the first first; what is beyond them is nowhere."""
    shares = []
    for room in rooms:
        share = min(amount_minor, max(room, 0))
        shares.append(share)
        amount_minor -= share
    return shares
