"""What an edit asks for of an order, and whether it can be told what that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domains.orders.errors import DuplicateLine, OrderNotEditable, UnknownLine
from domains.orders.models import Order, OrderLine
from infrastructure.errors import FieldError
from infrastructure.ids import new_id
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class LineEdit:
    """So many of a line of the order from now on, 0 for none; or so many of another SKU.

    sku: beside a line's id, the line's own or nothing.
    """

    quantity: int
    line_id: UUID | None = None
    sku: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What is to be different; what is None, and lines that are not named, stay as they are.

    billing_address: whom the invoice is made out to; empty for whom the goods go to.
    expected_total: what the order costs then, as whoever edits it was shown. method, token: by
    which more than was authorised is paid; the order's own method where none is named. return_url:
    where the customer comes back to who has to confirm that payment.
    """

    lines: Sequence[LineEdit] = ()
    shipping_address: Mapping[str, Any] | None = None
    billing_address: Mapping[str, Any] | None = None
    shipping_method: str | None = None
    expected_total: Money | None = None
    method: str | None = None
    token: str = ""
    return_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A line as it is to be. id: the order's line's, or that of a new one; line: the order's, where
    it has it already; place: in the edit."""

    id: UUID
    sku: str
    quantity: int
    line: OrderLine | None
    place: int | None


def refuse_unclear_lines(order: Order, lines: Sequence[LineEdit]) -> None:
    """Raises DuplicateLine and UnknownLine, the latter also for a line of another SKU."""
    named = [line.line_id for line in lines]
    twice = [
        FieldError(f"/lines/{place}/line_id", DuplicateLine.code, "It was named before.")
        for place, line_id in enumerate(named)
        if line_id is not None and line_id in named[:place]
    ]
    if twice:
        raise DuplicateLine(errors=twice)
    skus = {line.id: line.sku for line in order.lines}
    unknown = []
    for place, line in enumerate(lines):
        if line.line_id is None:
            continue
        if line.line_id not in skus:
            detail = f"Order {order.number} has no line {line.line_id}."
            unknown.append(FieldError(f"/lines/{place}/line_id", UnknownLine.code, detail))
        elif line.sku and line.sku != skus[line.line_id]:
            detail = f"Line {line.line_id} is of {skus[line.line_id]}, and not of {line.sku}."
            unknown.append(FieldError(f"/lines/{place}/sku", UnknownLine.code, detail))
    if unknown:
        raise UnknownLine(unknown[0].detail, errors=unknown)


def stays(order: Order, changes: Edit, wanted: Sequence[Wanted]) -> bool:
    """Whether all that can be changed is as it is asked for already."""
    return (
        has_all_of(order, wanted)
        and (changes.shipping_method or order.shipping_method) == order.shipping_method
        and _is_address(order.shipping_address, changes.shipping_address)
        and _is_address(order.billing_address or {}, changes.billing_address)
    )


def has_all_of(order: Order, wanted: Sequence[Wanted]) -> bool:
    """Whether these lines, and so many of each, are what stands of the order."""
    return {line.id: line.standing for line in order.lines if line.standing} == {
        one.id: one.quantity for one in wanted
    }


def _is_address(kept: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Whether an address is as it is wanted; a part that is not named is empty."""
    if wanted is None:
        return True
    return all(kept.get(part, "") == wanted.get(part, "") for part in {*kept, *wanted})


def wanted_of(order: Order, changes: Edit) -> list[Wanted]:
    """The lines that the order is to have. Raises OrderNotEditable."""
    named = {
        change.line_id: (place, change.quantity)
        for place, change in enumerate(changes.lines)
        if change.line_id is not None
    }
    wanted = []
    for line in order.lines:
        place, quantity = named.get(line.id, (None, line.standing))
        if quantity:
            wanted.append(
                Wanted(id=line.id, sku=line.sku, quantity=quantity, line=line, place=place)
            )
    wanted += [
        Wanted(id=new_id(), sku=change.sku, quantity=change.quantity, line=None, place=place)
        for place, change in enumerate(changes.lines)
        if change.line_id is None and change.quantity
    ]
    if not wanted:
        raise OrderNotEditable("An order of which nothing stays is cancelled instead.")
    return wanted
