"""What a rejected order says to who placed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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


def refusal_of(
    *, number: str, reason: str, shortages: Sequence[dict[str, Any]], lines: Sequence[OrderLine]
) -> OrderError:
    """The error that goes with the reason of a rejected order."""
    if reason == OutOfStock.code:
        return OutOfStock(errors=shortage_errors(shortages, lines))
    if reason == PaymentDeclined.code:
        return PaymentDeclined(f"The payment of order {number} was declined.")
    if reason == PaymentNotCompleted.code:
        return PaymentNotCompleted(f"Order {number} was not paid in its time.")
    if reason.startswith("coupon_"):
        fault = FieldError("/coupons", reason, "It was used up, or taken back, meanwhile.")
        return QuoteRefused(errors=[fault])
    return OrderRejected(f"Order {number} was rejected: {reason}.")


def shortage_errors(
    shortages: Sequence[dict[str, Any]], lines: Sequence[OrderLine]
) -> list[FieldError]:
    """One error for each line of a SKU that was short."""
    wanted = {shortage["sku"]: shortage["requested"] for shortage in shortages}
    return [
        not_so_many(line.sku, wanted[line.sku], position=line.position)
        for line in lines
        if line.sku in wanted
    ]


def not_so_many(sku: str, wanted: int, *, position: int) -> FieldError:
    """Of a line, what buyers may know: how many there are is for staff."""
    detail = f"There are not {wanted} of {sku}."
    return FieldError(f"/lines/{position}/quantity", OutOfStock.code, detail)
