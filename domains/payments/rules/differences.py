"""How the books of a gateway and ours differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domains.payments.rules.operations import UNFINISHED, WAITING, OperationKind, OperationState


class DifferenceKind(StrEnum):
    """How a gateway's books differ from ours. DISPUTE: somebody asks for captured money back."""

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT = "AMOUNT"
    CURRENCY = "CURRENCY"
    STATE = "STATE"
    DISPUTE = "DISPUTE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An operation as one side has it in its books."""

    kind: str
    state: str
    amount_minor: int
    currency: str


def difference_between(ours: Told, theirs: Told) -> DifferenceKind | None:
    """How two books differ about the same operation; None if they agree, or if theirs says what
    became of one that has no outcome with us.

    What was not done has no amount, and neither has a void.
    """
    if theirs.state == OperationState.SENT:
        return None  # there it has no outcome yet
    is_settled_by_theirs = ours.state in UNFINISHED or ours.state in WAITING
    if theirs.state == OperationState.SUCCEEDED and theirs.kind != OperationKind.VOID:
        if ours.currency != theirs.currency:
            return DifferenceKind.CURRENCY
        if ours.amount_minor != theirs.amount_minor:
            return DifferenceKind.AMOUNT
    # What we abandoned the gateway may have granted before it let it go.
    if is_settled_by_theirs or ours.state in (theirs.state, OperationState.ABANDONED):
        return None
    return DifferenceKind.STATE
