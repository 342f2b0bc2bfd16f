"""What a rejected order says to who placed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domains.orders.errors import (
    OrderError,
    OrderRejected,
    OutOfStock,
    PaymentDeclined,
    PaymentNotCompleted,
    QuoteRefused,
)
from infrastructure.errors import FieldError

if TYPE_CHECKING:
    from domains.orders.models.lines import OrderLine


LINES = "/lines"


def lines_at(cart_id: UUID | None) -> str:
    """Where whoever places an order named its lines: those of a cart are the cart's items."""
    return LINES if cart_id is None else "/items"


def refusal_of(
    *,
    number: str,
    reason: str,
    shortages: Sequence[dict[str, Any]],
    lines: Sequence[OrderLine],
    cart_id: UUID | None,
) -> OrderError:
    """The error that goes with the reason of a rejected order."""
    if reason == OutOfStock.code:
        return OutOfStock(errors=_shortage_errors(shortages, lines, at=lines_at(cart_id)))
    if reason == PaymentDeclined.code:
        return PaymentDeclined(f"The payment of order {number} was declined.")
    if reason == PaymentNotCompleted.code:
        return PaymentNotCompleted(f"Order {number} was not paid in its time.")
    if reason.startswith("coupon_"):
        fault = FieldError("/coupons", reason, "It was used up, or taken back, meanwhile.")
        return QuoteRefused(errors=[fault])
    return OrderRejected(f"Order {number} was rejected: {reason}.")


def _shortage_errors(
    shortages: Sequence[dict[str, Any]], lines: Sequence[OrderLine], *, at: str
) -> list[FieldError]:
    """One error for each line of a SKU that was short."""
    wanted = {shortage["sku"]: shortage["requested"] for shortage in shortages}
    return [
        not_so_many(line.sku, wanted[line.sku], at=f"{at}/{line.position}")
        for line in lines
        if line.sku in wanted
    ]


def not_so_many(sku: str, wanted: int, *, at: str) -> FieldError:
    """Of the line at a pointer, what buyers may know: how many there are is for staff."""
    detail = f"There are not {wanted} of {sku}."
    return FieldError(f"{at}/quantity", OutOfStock.code, detail)
