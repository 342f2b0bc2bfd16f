"""The refusals that orders can give."""

from __future__ import annotations

from infrastructure.errors import DomainError


class OrderError(DomainError):
    """Any refusal of this context."""


class OrderNotFound(OrderError):
    code, status, title = "order_not_found", 404, "There is no such order"


class UnknownSku(OrderError):
    code, status, title = "unknown_sku", 422, "A line names a SKU that is not sold here"


class TotalTooLarge(OrderError):
    code, status, title = "total_too_large", 422, "The order is worth more than can be charged"


class OutOfStock(OrderError):
    """`errors` has one entry for each line that cannot be had."""

    code, status, title = "out_of_stock", 409, "Not everything that was ordered is in stock"


class PaymentDeclined(OrderError):
    code, status, title = "payment_declined", 402, "The payment was declined"


class UnknownChannel(OrderError):
    code, status, title = "unknown_channel", 400, "Unknown channel"


class UnknownPaymentMethod(OrderError):
    code, status, title = "unknown_payment_method", 422, "The payment method is not offered"


class PaymentTokenRequired(OrderError):
    code, status, title = "payment_token_required", 400, "The payment needs a token"


class OrderRejected(OrderError):
    """The placement ended without goods or guarantee for a reason of its own."""

    code, status, title = "order_rejected", 409, "The order could not be completed"


class OrderInProgress(OrderError):
    """The first request with this idempotency key has not been decided yet."""

    code, status, title = "in_progress", 409, "The same order is being placed"


class OrderNotCancellable(OrderError):
    code, status, title = "order_not_cancellable", 409, "The order cannot be cancelled any more"


class PaymentCaptured(OrderError):
    code, status, title = "payment_captured", 409, "The order is paid, so it cannot be cancelled"
