"""The refusals payments can give."""

from __future__ import annotations

from math import ceil
from typing import Self

from infrastructure.errors import DomainError


class PaymentError(DomainError):
    """Base of every refusal of this context."""


class PaymentNotFound(PaymentError):
    code, status, title = "payment_not_found", 404, "Payment not found"


class UnknownPaymentMethod(PaymentError):
    code, status, title = "unknown_payment_method", 422, "The payment method is not offered"


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


class PaymentNotAuthorisedYet(PaymentNotAuthorised):
    """Nobody knows yet whether the money is held."""


class PaymentAlreadyCaptured(PaymentError):
    code, status, title = "payment_already_captured", 409, "The money has been captured"


class CaptureTooLarge(PaymentError):
    code, status, title = "capture_too_large", 409, "More than is authorised"


class PaymentNotCaptured(PaymentError):
    """Nothing was taken, so nothing can be given back."""

    code, status, title = "payment_not_captured", 409, "No money has been captured"


class RefundTooLarge(PaymentError):
    code, status, title = "refund_too_large", 409, "More than was captured and not given back"


class SecondPersonRequired(PaymentError):
    """So much is given back by a refund of the order, to which somebody else has to agree."""

    code, status, title = "second_person_required", 403, "It takes a second person to approve this"


class PaymentOperationInProgress(PaymentError):
    """Another capture, void or refund of the payment has no outcome yet."""

    code, status, title = "payment_operation_in_progress", 409, "Another operation is unfinished"


class GatewayRefused(PaymentError):
    """The gateway said no to a capture, a void or a refund."""

    code, status, title = "gateway_refused", 409, "The gateway refused"


class NotSupportedByGateway(PaymentError):
    """The payment's gateway cannot do it in this way, such as in parts."""

    code, status, title = "not_supported_by_gateway", 409, "The gateway cannot do that"


class PaidByReceipt(PaymentError):
    """The money comes to the bank account by itself; there is nothing to capture."""

    code, status, title = "paid_by_receipt", 409, "The money is recorded when it comes in"


class ReceiptsNotTaken(PaymentError):
    """The payment's method takes the money itself; none of it comes by bank."""

    code, status, title = "receipts_not_taken", 409, "This payment is not made by bank"


class InvalidReceipt(PaymentError):
    code, status, title = "invalid_receipt", 400, "Invalid receipt"


class ReceiptDiffers(PaymentError):
    """The bank's reference was recorded for this payment before, with another amount."""

    code, status, title = "receipt_differs", 409, "The receipt was recorded differently"


class OperationDoesNotFit(PaymentError):
    """What the gateway did without us contradicts what is known of the payment."""

    code, status, title = "operation_does_not_fit", 409, "The operation does not fit the payment"


class DifferenceNotFound(PaymentError):
    code, status, title = "difference_not_found", 404, "Difference not found"


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


class PaymentsUnavailable(PaymentError):
    """The gateway is not called at the moment. Nothing was sent, and nothing was written."""

    code, status, title = "payments_unavailable", 503, "Payments are unavailable"

    # Nobody says that the gateway is away: this process has enough calls under way, no more.
    is_busy = False

    @classmethod
    def for_seconds(cls, seconds: float) -> Self:
        """`Retry-After` says when it is worth coming back: 1 s or later."""
        retry_after = str(max(ceil(seconds), 1))
        return cls("Try again in a moment.", headers={"Retry-After": retry_after})

    @classmethod
    def while_busy(cls) -> Self:
        refused = cls.for_seconds(1)
        refused.is_busy = True
        return refused

    @property
    def retry_after_s(self) -> int:
        return int(self.headers["Retry-After"])


class SavedMethodNotFound(PaymentError):
    """It is not the customer's, or not kept any more."""

    code, status, title = "saved_method_not_found", 404, "Payment method not found"


class CardNumberRefused(PaymentError):
    """Card numbers are for the gateway's own form: none ever comes here."""

    code, status, title = "card_number_refused", 400, "This looks like a card number"
