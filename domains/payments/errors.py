"""The refusals payments can give."""

from __future__ import annotations

from infrastructure.errors import DomainError


class PaymentError(DomainError):
    """Base of every refusal of this context."""


class PaymentNotFound(PaymentError):
    code, status, title = "payment_not_found", 404, "Payment not found"


class UnknownPaymentMethod(PaymentError):
    code, status, title = "unknown_payment_method", 422, "Unknown payment method"


class PaymentTokenRequired(PaymentError):
    """The method asks a gateway, which has to be told whose money it is."""

    code, status, title = "payment_token_required", 400, "The payment needs a token"


class InvalidPaymentAmount(PaymentError):
    code, status, title = "invalid_payment_amount", 400, "Invalid amount"


class PaymentMismatch(PaymentError):
    """The id belongs to a payment of another amount, method or reference."""

    code, status, title = "payment_mismatch", 409, "The payment is for something else"


class PaymentNotAuthorised(PaymentError):
    code, status, title = "payment_not_authorised", 409, "The payment is not authorised"


class PaymentAlreadyCaptured(PaymentError):
    code, status, title = "payment_already_captured", 409, "The money has been captured"


class CaptureTooLarge(PaymentError):
    code, status, title = "capture_too_large", 409, "More than is authorised"


class PaymentNotCaptured(PaymentError):
    """Nothing was taken, so nothing can be given back."""

    code, status, title = "payment_not_captured", 409, "No money has been captured"


class RefundTooLarge(PaymentError):
    code, status, title = "refund_too_large", 409, "More than was captured and not given back"


class PaymentOperationInProgress(PaymentError):
    """Another capture, void or refund of the payment has no outcome yet."""

    code, status, title = "payment_operation_in_progress", 409, "Another operation is unfinished"


class GatewayRefused(PaymentError):
    """The gateway said no to a capture, a void or a refund."""

    code, status, title = "gateway_refused", 409, "The gateway refused"


class UnknownGateway(PaymentError):
    code, status, title = "unknown_gateway", 404, "Unknown gateway"


class UnknownOperation(PaymentError):
    """A notification about an operation that is not ours."""

    code, status, title = "unknown_operation", 404, "Unknown operation"


class InvalidSignature(PaymentError):
    """The notification is not signed by the gateway, or was signed too long ago."""

    code, status, title = "invalid_signature", 401, "Invalid signature"


class InvalidNotification(PaymentError):
    """Signed, and still not what the gateway's contract says."""

    code, status, title = "invalid_notification", 400, "Invalid notification"
