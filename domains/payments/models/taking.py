"""How the money of a payment becomes ours: captured at a gateway, or come to the bank account."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.payments.errors import (
    CaptureTooLarge,
    InvalidPaymentAmount,
    InvalidReceipt,
    PaidByReceipt,
    PaymentAlreadyCaptured,
    PaymentNotAuthorised,
    PaymentNotAuthorisedYet,
    ReceiptDiffers,
    ReceiptsNotTaken,
)
from domains.payments.events import PaymentProcessed
from domains.payments.models.authorising import Authorising
from domains.payments.models.journal import JournalEntry
from domains.payments.models.operations import Operation
from domains.payments.rules.gateways import Capabilities
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.rules.statuses import PaymentStatus, captured_by, refunded_by
from infrastructure.ids import new_id
from infrastructure.money import Money


class Taking(Authorising):
    class Meta:
        abstract = True

    def begin_capture(
        self,
        amount: Money | None,
        now: datetime,
        *,
        key: UUID | None = None,
        can: Capabilities | None = None,
        reason: str = "",
        actor_id: UUID | None = None,
    ) -> Operation:
        """Start taking money: what is left of the authorisation unless told an amount.

        key: the operation's id, where the caller has one. can: what the gateway is able to do.
        reason, actor_id: of staff, where somebody asked for it.
        """
        if self.takes_receipts:
            raise PaidByReceipt(f"Payment {self} is made by {self.method}.")
        if self.captured_minor and not self.rest_minor:
            how = "in part, and the rest was let go" if self.released_minor else "in full"
            raise PaymentAlreadyCaptured(f"Payment {self} is captured {how}.")
        self._refuse_if_busy()
        if not self.captured_minor and self.status != PaymentStatus.AUTHORISED:
            refusal = PaymentNotAuthorised if self.is_released else PaymentNotAuthorisedYet
            raise refusal(f"Payment {self} is {self.status}.")
        left = Money(self.rest_minor or self.authorised_minor, self.currency)
        amount = self._some_of(left, amount, too_large=CaptureTooLarge)
        (can or Capabilities()).check_capture(
            is_first=not self.captured_minor, is_all=amount == left
        )
        return self._begin(
            OperationKind.CAPTURE,
            amount.amount_minor,
            now,
            id=key or new_id(),
            reason=reason,
            actor_id=actor_id,
        )

    def record_receipt(
        self,
        amount: Money,
        *,
        reference: str,
        received_at: datetime,
        actor_id: UUID | None,
        now: datetime,
    ) -> bool:
        """Money that came to the bank account, in whatever parts, and also too much or too late.

        The bank's reference makes it one receipt, however often it is told. Returns False if it is
        known. Raises ReceiptsNotTaken, ReceiptDiffers, InvalidReceipt, InvalidPaymentAmount.
        """
        if not self.takes_receipts:
            raise ReceiptsNotTaken(f"Payment {self} is made by {self.method}.")
        if amount.currency != self.currency:
            raise InvalidPaymentAmount(f"The payment is in {self.currency}.")
        if amount.amount_minor <= 0:
            raise InvalidPaymentAmount("The amount must be above 0.")
        known = self._receipt(reference)
        if known is not None:
            if known.amount_minor != amount.amount_minor:
                raise ReceiptDiffers(
                    f"{Money(known.amount_minor, self.currency)} came with {reference!r}."
                )
            return False
        if received_at > now:
            raise InvalidReceipt("No money can have come in the future.")
        receipt = Operation(
            kind=OperationKind.RECEIPT,
            amount_minor=amount.amount_minor,
            state=OperationState.SUCCEEDED,
            gateway_reference=reference,
            actor_id=actor_id,
            sent_at=received_at,
            finished_at=now,
        )
        self.operations.append(receipt)
        self._authorise_if_paid(now)
        self._taken(receipt, now)
        self._update_status(now)
        return True

    def _receipt(self, reference: str) -> Operation | None:
        return next(
            (
                o
                for o in self.operations
                if o.kind == OperationKind.RECEIPT and o.gateway_reference == reference
            ),
            None,
        )

    def _authorise_if_paid(self, now: datetime) -> None:
        waiting = self.waiting
        held = captured_by(self.operations) - refunded_by(self.operations)
        if waiting is None or held < self.amount_minor:
            return
        waiting.state = OperationState.SUCCEEDED
        waiting.finished_at = now
        self._authorised(now)

    def _taken(self, operation: Operation, now: datetime) -> None:
        self.captured_minor += operation.amount_minor
        self.overpaid_minor = None  # its order has to say anew what of it is too much
        self._book(
            operation,
            debit=self._money_account,
            credit=JournalEntry.Account.CUSTOMERS,
            now=now,
        )
        self.record(
            PaymentProcessed(
                **self._told() | {"amount_minor": operation.amount_minor},
                operation_id=operation.id,
                captured_minor=self.captured_minor,
                occurred_at=now,
            )
        )
