"""The refusals that orders can give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from infrastructure.errors import DomainError, InProgress


class OrderError(DomainError):
    """Any refusal of this context."""


class OrderNotFound(OrderError):
    code, status, title = "order_not_found", 404, "There is no such order"


class UnknownSku(OrderError):
    code, status, title = "unknown_sku", 422, "A line names a SKU that is not sold here"


class NotSoldInCurrency(OrderError):
    """It is sold here, and has no price in the currency that is asked for."""

    code, status, title = (
        "not_sold_in_currency",
        422,
        "A line names a SKU that is not sold in the currency",
    )


class TotalTooLarge(OrderError):
    code, status, title = "total_too_large", 422, "The order is worth more than can be charged"


class TaxModeChanged(OrderError):
    """An order keeps whether its prices are with tax. `errors` has one entry for each line that
    would come to it at a price of the other kind."""

    code, status, title = (
        "tax_mode_changed",
        409,
        "Prices are with tax by now and were not then, or the other way round",
    )


class OutOfStock(OrderError):
    """`errors` has one entry for each line of which there are not so many."""

    code, status, title = "out_of_stock", 409, "Not everything is in stock"


class PaymentDeclined(OrderError):
    code, status, title = "payment_declined", 402, "The payment was declined"
    extensions: ClassVar[Mapping[str, str]] = {
        "order_id": "the order, where it waits for another payment (`keep_on_decline`).",
        "decline_reason": (
            "why, as the payment's `decline_reason`, such as `insufficient_funds`; `declined` where"
            " the bank does not say, or it is not for buyers."
        ),
    }


class PaymentNotCompleted(OrderError):
    """The customer neither confirmed nor sent the payment in its time."""

    code, status, title = "payment_not_completed", 402, "The payment was not completed in time"


class PaymentNotRetryable(OrderError):
    """Only an order that waits for its payment can be paid by another one."""

    code, status, title = "payment_not_retryable", 409, "The order does not wait for a payment"


class QuoteRefused(OrderError):
    """`errors` has one entry for each coupon or shipping method that cannot be had."""

    code, status, title = "quote_refused", 422, "The order cannot be priced as it was asked for"


class PriceChanged(OrderError):
    """`errors` says what the total is now."""

    code, status, title = "price_changed", 409, "The order does not cost what was expected"


class EmailRequired(OrderError):
    code, status, title = "email_required", 422, "Without an account an order needs an e-mail"


class UnknownCustomer(OrderError):
    code, status, title = "unknown_customer", 422, "There is no such customer"


class UnknownChannel(OrderError):
    code, status, title = "unknown_channel", 400, "Unknown channel"


class UnknownPaymentMethod(OrderError):
    code, status, title = "unknown_payment_method", 422, "The payment method is not offered"


class PaymentTokenRequired(OrderError):
    code, status, title = "payment_token_required", 400, "The payment needs a token"


class OrderRejected(OrderError):
    """The placement ended without goods or guarantee for a reason of its own."""

    code, status, title = "order_rejected", 409, "The order could not be completed"


class OrderInProgress(OrderError, InProgress):
    """The order is being placed, or paid, by an earlier request."""


class OrdersOverloaded(OrderError):
    """Asynchronous orders wait for longer than promised. Nothing was written; Retry-After says when
    to come back."""

    code, status, title = "orders_overloaded", 503, "Too many orders are waiting"


class OrderInWrongState(OrderError):
    """A command that its status does not allow."""

    code, status, title = "order_in_wrong_state", 409, "The order is not in that state"


class OrderNotCancellable(OrderError):
    code, status, title = "order_not_cancellable", 409, "The order cannot be cancelled any more"


class PaymentCaptured(OrderError):
    code, status, title = "payment_captured", 409, "The order is paid, so it cannot be cancelled"


class InvoiceNotFound(OrderError):
    code, status, title = "invoice_not_found", 404, "There is no such invoice or credit note"


class UnknownLine(OrderError):
    code, status, title = "unknown_line", 422, "The order has no such line"


class TooManyUnits(OrderError):
    """`errors` has one entry for each line of which there are not so many left."""

    code, status, title = "too_many_units", 409, "Not so many units are left for that"


class StepInProgress(OrderError):
    """Something else is being done to the order, or waits for a second person."""

    code, status, title = "step_in_progress", 409, "Another change of the order is under way"


class StepNotFound(OrderError):
    code, status, title = "step_not_found", 404, "The order has no such step"


class StepNotAwaitingApproval(OrderError):
    code, status, title = (
        "step_not_awaiting_approval",
        409,
        "The step does not wait for a second person",
    )


class StepOutdated(OrderError):
    """What it would give back is not what it would have been when it was asked for: money came or
    went back meanwhile. `detail` says by how much. It is refused, and asked for again."""

    code, status, title = "step_outdated", 409, "Money moved since the step was asked for"


class SecondPersonRequired(OrderError):
    code, status, title = "second_person_required", 403, "It takes a second person to approve this"


class StepRefused(OrderError):
    """`detail` says by what."""

    code, status, title = "step_refused", 409, "The change could not be made"


class OrderNotEditable(OrderError):
    code, status, title = "order_not_editable", 409, "The order cannot be edited any more"


class NothingToChange(OrderError):
    """An edit that says what is true already."""

    code, status, title = "nothing_to_change", 409, "Nothing would change"


class OrderInvoiced(OrderError):
    """Whom an invoice is made out to stays, also for its credit notes."""

    code, status, title = "order_invoiced", 409, "There is an invoice of the order"


class LineRefunded(OrderError):
    """What was given back for a line stays on it: less than that it cannot be worth."""

    code, status, title = "line_refunded", 409, "More of a line was given back than would be left"


class OrderNotFulfillable(OrderError):
    code, status, title = "order_not_fulfillable", 409, "Nothing can be sent for the order"


class NotPaidFor(OrderError):
    """To send them nevertheless takes a right of its own."""

    code, status, title = "not_paid_for", 403, "The goods are not paid for"


class NotInWarehouse(OrderError):
    """`errors` has one entry for each SKU that the warehouse lacks."""

    code, status, title = "not_in_warehouse", 409, "The warehouse does not have all of it"


class FulfilmentNotFound(OrderError):
    code, status, title = "fulfilment_not_found", 404, "The order has no such fulfilment"


class CaptureRefused(OrderError):
    code, status, title = "capture_refused", 402, "The money could not be taken"


class InvalidPaymentAmount(OrderError):
    code, status, title = "invalid_payment_amount", 400, "Invalid amount"


class CaptureExceedsTotal(OrderError):
    code, status, title = "capture_exceeds_total", 409, "More than is left to be paid"


class NothingToCapture(OrderError):
    code, status, title = "nothing_to_capture", 409, "All that is to be paid has been taken"


class OrderNotReturnable(OrderError):
    code, status, title = "order_not_returnable", 409, "Nothing of the order can come back"


class ReturnNotFound(OrderError):
    code, status, title = "return_not_found", 404, "The order has no such return"


class ReturnNotOpen(OrderError):
    code, status, title = "return_not_open", 409, "The return is not in that state"


class ReturnNotReceived(OrderError):
    code, status, title = "return_not_received", 409, "The goods have not come back, or were paid"


class OrderNotRefundable(OrderError):
    code, status, title = "order_not_refundable", 409, "Nothing can be given back for the order"


class NothingCaptured(OrderError):
    code, status, title = "nothing_captured", 409, "No money was taken that could be given back"


class RefundExceedsPayment(OrderError):
    code, status, title = "refund_exceeds_payment", 409, "More than was taken and kept"


class AmbiguousRefund(OrderError):
    code, status, title = "ambiguous_refund", 422, "It is not clear what is to be given back"


class DuplicateLine(OrderError):
    code, status, title = "duplicate_line", 422, "A line is named twice"


class CurrencyMismatch(OrderError):
    code, status, title = "currency_mismatch", 422, "The order is in another currency"


class RefundRefused(OrderError):
    code, status, title = "refund_refused", 409, "The gateway did not give the money back"
