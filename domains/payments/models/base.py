"""What every part of a payment needs: its columns, its questions, and its bookkeeping."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models

from domains.payments.errors import (
    InvalidPaymentAmount,
    PaymentError,
    PaymentMismatch,
    PaymentOperationInProgress,
)
from domains.payments.models.journal import JournalEntry
from domains.payments.models.operations import Operation, choices_of
from domains.payments.rules.declines import Decline, decline_of
from domains.payments.rules.methods import METHODS, Guarantee
from domains.payments.rules.operations import TAKING, OperationKind, OperationState, last_void
from domains.payments.rules.retries import FIRST_RETRY, pause_before_retry
from domains.payments.rules.statuses import RELEASED, Attention, PaymentStatus, status_of
from infrastructure.aggregates import AggregateRoot, Owned
from infrastructure.money import Money

# ISO 4217's "no currency": of a payment that was voided before anybody said what it is for.
NO_CURRENCY = "XXX"

# A void can be asked for in these: the gateway holds the money, or is about to.
_HELD = (OperationState.SUCCEEDED, OperationState.ACTION_REQUIRED)


class PaymentBase(AggregateRoot):
    id = models.UUIDField(primary_key=True, editable=False)
    reference = models.CharField(max_length=64)
    customer_id = models.UUIDField(null=True, help_text="Whose payment it is; opaque to us.")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=20)
    gateway = models.CharField(max_length=20)
    token = models.CharField(
        max_length=255, help_text="The gateway's name for the card; kept until the outcome only."
    )
    saved_method = models.CharField(
        max_length=255, default="", help_text="As the token, for means of payment that are kept."
    )
    keeps_method = models.BooleanField(
        default=False, help_text="The gateway is to keep the means of payment for the customer."
    )
    return_url = models.CharField(
        max_length=2000, default="", help_text="Where the customer comes back to after confirming."
    )
    action_url = models.CharField(
        max_length=2000, default="", help_text="Where the customer has to confirm it."
    )
    deadline_at = models.DateTimeField(
        null=True, help_text="Until when the customer has to confirm it, or to pay it."
    )
    status = models.CharField(max_length=20, choices=choices_of(PaymentStatus))
    authorised_minor = models.BigIntegerField(default=0)
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    released_minor = models.BigIntegerField(
        default=0, help_text="Of what was authorised, what was let go after a part was taken."
    )
    overpaid_minor = models.BigIntegerField(
        null=True,
        help_text="Of what is kept, what pays for nothing, as its order said of all that was taken"
        " by then; unknown where it has said nothing since.",
    )
    decline_code = models.CharField(max_length=64, default="")
    void_requested_at = models.DateTimeField(null=True)
    void_reason = models.CharField(
        max_length=200, default="", help_text="What staff gave as theirs to let it go."
    )
    void_requested_by = models.UUIDField(null=True)
    retry_at = models.DateTimeField(null=True)
    needs_attention_at = models.DateTimeField(
        null=True, help_text="Since when staff has to find out, or to give money back."
    )
    disputed_at = models.DateTimeField(
        null=True, help_text="Since when a bank asks for the money back, until staff settle it."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    operations = Owned("operation_rows")
    journal = Owned("journal_rows")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.reference or str(self.id)

    # Questions

    @property
    def money(self) -> str:
        """The amount as people write it: `12.30 GBP`; nothing for a payment that never began."""
        return "" if self.currency == NO_CURRENCY else str(Money(self.amount_minor, self.currency))

    @property
    def unfinished(self) -> Operation | None:
        """The operation whose outcome only the gateway knows."""
        return next((o for o in self.operations if o.is_unfinished), None)

    @property
    def waiting(self) -> Operation | None:
        """The authorisation while it is the customer's turn."""
        return next((o for o in self.operations if o.is_waiting), None)

    @property
    def authorisation(self) -> Operation | None:
        return next((o for o in self.operations if o.kind == OperationKind.AUTHORISE), None)

    @property
    def is_released(self) -> bool:
        return self.status in RELEASED

    @property
    def is_let_go(self) -> bool:
        """Nothing is held that could still be taken, since somebody let it go."""
        return self.is_released or (self.released_minor > 0 and not self.rest_minor)

    @property
    def decline(self) -> Decline | None:
        """Why it is DECLINED, as far as whoever pays is told."""
        if self.status != PaymentStatus.DECLINED:
            return None
        # A deadline is set where there is a way back from confirming it.
        return decline_of(self.decline_code, can_be_confirmed=self.deadline_at is not None)

    @property
    def is_void_due(self) -> bool:
        """The void was asked for, the money is held, and nobody has asked the gateway yet."""
        if self.void_requested_at is None or len(self.operations) != 1:
            return False
        only = self.operations[0]
        return only.kind == OperationKind.AUTHORISE and only.state in _HELD

    @property
    def is_void_refused(self) -> bool:
        """The gateway was asked to let go of what it holds by now, and said no: staff's turn.

        What it said before a part was taken was about other money, and so was a whole void.
        """
        taken_at = max(
            (o.sent_at for o in self.operations if o.kind in TAKING and o.is_succeeded),
            default=None,
        )
        void = last_void(
            [
                o
                for o in self.operations
                if taken_at is None or (o.amount_minor and o.sent_at >= taken_at)
            ]
        )
        return void is not None and void.state == OperationState.FAILED

    @property
    def takes_receipts(self) -> bool:
        known = METHODS.get(self.method)
        return known is not None and known.takes_receipts

    @property
    def is_prepaid(self) -> bool:
        known = METHODS.get(self.method)
        return known is not None and known.guarantee == Guarantee.PREPAID

    @property
    def owed_back_minor(self) -> int:
        """What came in and belongs to the customer: paid too much, or for what is given up. What
        an order costs by now, or that it is over, it says itself: then that counts."""
        held = self.captured_minor - self.refunded_minor
        if self.is_released:
            return held
        if self.overpaid_minor is None:
            return max(held - self.amount_minor, 0)
        return min(self.overpaid_minor, held)

    @property
    def attention(self) -> Attention | None:
        """Why staff has to look at it, what presses most where there are several reasons."""
        if self.needs_attention_at is None:
            return None
        if self.unfinished is not None:
            return Attention.NO_OUTCOME
        if self.disputed_at is not None:
            return Attention.DISPUTED
        if self.owed_back_minor:
            return Attention.OWED_BACK
        return Attention.VOID_REFUSED if self.is_void_refused else Attention.REFUND_REFUSED

    @property
    def rest_minor(self) -> int:
        """Once a part was taken: what a gateway holds beside it, for as long as nobody lets it go.

        What is owed on account, or comes by bank, is held by nobody.
        """
        if self.takes_receipts or self.is_released or not self.captured_minor:
            return 0
        return self.authorised_minor - self.captured_minor - self.released_minor

    def operation(self, operation_id: UUID) -> Operation:
        return next(o for o in self.operations if o.id == operation_id)

    def find_operation(self, operation_id: UUID) -> Operation | None:
        return next((o for o in self.operations if o.id == operation_id), None)

    def check_is_for(self, *, reference: str, amount: Money, method: str) -> None:
        """Raises PaymentMismatch unless a repeated request asks for what the first one did."""
        asked = (reference, amount.amount_minor, amount.currency, method)
        if asked != (self.reference, self.amount_minor, self.currency, self.method):
            raise PaymentMismatch(f"Payment {self.id} was started for something else.")

    # What the parts share

    def _some_of(
        self, left: Money, amount: Money | None, *, too_large: type[PaymentError]
    ) -> Money:
        """The amount, or all that is left where none is named."""
        amount = left if amount is None else amount
        if amount.currency != self.currency:
            raise InvalidPaymentAmount(f"The payment is in {self.currency}.")
        if not left.amount_minor or amount.amount_minor > left.amount_minor:
            raise too_large(f"{left} at most." if left.amount_minor else "Nothing is left of it.")
        if amount.amount_minor <= 0:
            raise InvalidPaymentAmount("The amount must be above 0.")
        return amount

    def _begin(
        self, kind: OperationKind, amount_minor: int, now: datetime, **fields: Any
    ) -> Operation:
        fields = {"state": OperationState.SENT, "sent_at": now, **fields}
        operation = Operation(kind=kind, amount_minor=amount_minor, **fields)
        self.operations.append(operation)
        self.needs_attention_at = None
        self._update_status(now)
        return operation

    def _refuse_if_busy(self) -> None:
        unfinished = self.unfinished
        if unfinished is not None and unfinished.kind != OperationKind.AUTHORISE:
            raise PaymentOperationInProgress(
                f"A {unfinished.kind.lower()} of payment {self} is unfinished."
            )

    def _book(
        self,
        operation: Operation,
        *,
        debit: JournalEntry.Account,
        credit: JournalEntry.Account,
        now: datetime,
    ) -> None:
        self.journal.append(
            JournalEntry(
                operation_id=operation.id,
                debit_account=debit,
                credit_account=credit,
                amount_minor=operation.amount_minor,
                currency=self.currency,
                booked_at=now,
            )
        )

    @property
    def _money_account(self) -> JournalEntry.Account:
        """Where the money of this payment comes to, and is given back from."""
        accounts = JournalEntry.Account
        return accounts.BANK if self.takes_receipts else accounts.GATEWAY

    def _told(self) -> dict[str, Any]:
        return {
            "payment_id": self.id,
            "reference": self.reference,
            "method": self.method,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
        }

    def _update_status(self, now: datetime) -> None:
        self.status = status_of(
            self.operations, is_void_requested=self.void_requested_at is not None
        )
        if self.unfinished is None:
            # What has no outcome must be asked for again first.
            due_since = self.disputed_at or (now if self.owed_back_minor else None)
            self.needs_attention_at = self.needs_attention_at or due_since
        self.retry_at = None if self.needs_attention_at is not None else self._next_try(now)
        self.updated_at = now

    def _next_try(self, now: datetime) -> datetime | None:
        unfinished, waiting = self.unfinished, self.waiting
        if unfinished is not None and unfinished.state == OperationState.UNKNOWN:
            return now + pause_before_retry(unfinished.attempts)
        if unfinished is not None or self.is_void_due:
            return now + FIRST_RETRY
        if waiting is None:
            return None
        if waiting.state == OperationState.AWAITING_MONEY:
            return self.deadline_at
        look_again = now + pause_before_retry(waiting.attempts)
        return min(look_again, self.deadline_at) if self.deadline_at else look_again
