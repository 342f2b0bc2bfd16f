"""What a part of a line is worth: for refunds, returns and cancelled pieces."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from infrastructure.money import rounded


@dataclass(frozen=True, kw_only=True, slots=True)
class LineAmounts:
    """A line as it was quoted; discount and subtotal with tax or without, as prices were."""

    quantity: int
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int


def refund_of(line: LineAmounts, *, quantity: int, already: int = 0) -> LineAmounts:
    """What so many pieces of a line are worth, once `already` of them are dealt with.

    It is counted from the first piece on, so the parts of a line add up to it exactly, in whatever
    portions and whenever they are taken: what is refunded is never more than what was paid, and
    never less once all is given back. Raises ValueError for pieces that the line does not have.
    """
    if quantity < 0 or already < 0 or already + quantity > line.quantity:
        raise ValueError(f"{already} and {quantity} of {line.quantity} pieces")
    end = already + quantity

    def part(amount_minor: int) -> int:
        return _up_to(amount_minor, end, line.quantity) - _up_to(
            amount_minor, already, line.quantity
        )

    return LineAmounts(
        quantity=quantity,
        subtotal_minor=part(line.subtotal_minor),
        discount_minor=part(line.discount_minor),
        tax_minor=part(line.tax_minor),
        # From the others, so that a part adds up in itself as the whole does.
        total_minor=part(line.subtotal_minor)
        - part(line.discount_minor)
        + (part(line.tax_minor) if _on_top(line) else 0),
    )


def _up_to(amount_minor: int, pieces: int, quantity: int) -> int:
    return rounded(Fraction(amount_minor * pieces, quantity)) if pieces else 0


def _on_top(line: LineAmounts) -> bool:
    """Whether tax was added to the price and is not in it."""
    return line.total_minor != line.subtotal_minor - line.discount_minor
