"""The payment: one amount, the operations on it at a gateway, and the journal of what was taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from domains.payments import rules
from domains.payments.errors import (
    CaptureTooLarge,
    InvalidPaymentAmount,
    PaymentAlreadyCaptured,
    PaymentError,
    PaymentMismatch,
    PaymentNotAuthorised,
    PaymentNotCaptured,
    PaymentOperationInProgress,
    RefundTooLarge,
)
from domains.payments.events import (
    PaymentAuthorised,
    PaymentDeclined,
    PaymentProcessed,
    PaymentRefunded,
    PaymentVoided,
)
from domains.payments.models.journal import JournalEntry
from domains.payments.models.operations import Operation, choices_of
from domains.payments.rules import OperationKind, OperationState, PaymentStatus, Reply
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned
from infrastructure.money import Money

# ISO 4217's "no currency": of a payment that was voided before anybody said what it is for.
NO_CURRENCY = "XXX"

_AUTHORISED = (OperationKind.AUTHORISE, OperationState.SUCCEEDED)


class PaymentQuerySet(AggregateQuerySet):
    def whole(self, payment_id: UUID) -> Payment | None:
        """The payment with its operations as of one moment, which takes one statement.

        Read by two, the root could say PENDING beside an operation that has just succeeded.
        """
        rows = Operation.objects.filter(payment_id=payment_id).select_related("payment")
        operations = list(rows.order_by("id"))
        if not operations:
            return Payment.objects.filter(pk=payment_id, operation_rows__isnull=True).first()
        payment = operations[0].payment
        Payment.operations.fill(payment, operations)
        return payment

    def due(self, now: datetime) -> Self:
        """Payments whose unfinished operation, or outstanding void, should be tried again."""
        return self.filter(retry_at__lte=now).order_by("retry_at")

    def put_off(self, payment_id: UUID, *, now: datetime, until: datetime) -> None:
        """Let a due payment wait, without reading it: it may be its reading that fails."""
        self.command(
            "UPDATE payments_payment SET retry_at = %s"
            " WHERE id = %s AND retry_at <= %s RETURNING id",
            [until, payment_id, now],
        )


class Payment(AggregateRoot):
    """Its id is given by whoever wants to be paid, so that asking twice is asking once."""

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
    status = models.CharField(max_length=20, choices=choices_of(PaymentStatus))
    authorised_minor = models.BigIntegerField(default=0)
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    decline_code = models.CharField(max_length=64, default="")
    void_requested_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    needs_attention_at = models.DateTimeField(
        null=True, help_text="Since when staff has to ask the gateway what became of it."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    operations = Owned("operation_rows")
    journal = Owned("journal_rows")

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="payment_amounts_are_ordered",
                condition=Q(
                    refunded_minor__gte=0,
                    refunded_minor__lte=models.F("captured_minor"),
                    captured_minor__gte=0,
                    captured_minor__lte=models.F("authorised_minor"),
                    authorised_minor__lte=models.F("amount_minor"),
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["retry_at"], name="payment_retry_at", condition=Q(retry_at__isnull=False)
            ),
            models.Index(
                fields=["needs_attention_at"],
                name="payment_needs_attention",
                condition=Q(needs_attention_at__isnull=False),
            ),
            models.Index(fields=["reference"], name="payment_reference"),
        ]

    def __str__(self) -> str:
        return self.reference or str(self.id)

    # Factories

    @classmethod
    def authorise(
        cls,
        *,
        payment_id: UUID,
        reference: str,
        customer_id: UUID | None,
        amount: Money,
        method: str,
        gateway: str,
        token: str,
        now: datetime,
    ) -> Self:
        """A payment whose authorisation is about to be sent."""
        if amount.amount_minor < 0:
            raise InvalidPaymentAmount(f"{amount} cannot be paid.")
        if method == "free" and amount.amount_minor:
            raise InvalidPaymentAmount(f"{amount} is not free.")
        payment = cls(
            id=payment_id,
            reference=reference,
            customer_id=customer_id,
            amount_minor=amount.amount_minor,
            currency=amount.currency,
            method=method,
            gateway=gateway,
            token=token,
            created_at=now,
        )
        payment._begin(OperationKind.AUTHORISE, amount.amount_minor, now)
        return payment

    @classmethod
    def voided_before_it_began(cls, *, payment_id: UUID, now: datetime) -> Self:
        """The tombstone of a payment that nobody started: a late authorisation finds it."""
        payment = cls(
            id=payment_id,
            amount_minor=0,
            currency=NO_CURRENCY,
            void_requested_at=now,
            created_at=now,
        )
        payment._update_status(now)
        return payment

    # Commands

    def begin_capture(self, amount: Money | None, now: datetime) -> Operation:
        """Start taking money: what is left of the authorisation unless told an amount."""
        if self.captured_minor and self.captured_minor == self.authorised_minor:
            raise PaymentAlreadyCaptured(f"Payment {self} is captured in full.")
        self._refuse_if_busy()
        if not self.captured_minor and self.status != PaymentStatus.AUTHORISED:
            raise PaymentNotAuthorised(f"Payment {self} is {self.status}.")
        left = Money(self.authorised_minor - self.captured_minor, self.currency)
        amount = self._some_of(left, amount, too_large=CaptureTooLarge)
        return self._begin(OperationKind.CAPTURE, amount.amount_minor, now)

    def begin_refund(
        self, amount: Money | None, now: datetime, *, reason: str, actor_id: UUID | None
    ) -> Operation:
        """Start giving money back: all that was taken and not given back, unless told an amount.

        Raises PaymentNotCaptured, RefundTooLarge, InvalidPaymentAmount, and
        PaymentOperationInProgress: until one refund has its outcome nobody knows what is left.
        """
        self._refuse_if_busy()
        if not self.captured_minor:
            raise PaymentNotCaptured(f"Payment {self} is {self.status}.")
        left = Money(self.captured_minor - self.refunded_minor, self.currency)
        amount = self._some_of(left, amount, too_large=RefundTooLarge)
        return self._begin(
            OperationKind.REFUND, amount.amount_minor, now, reason=reason, actor_id=actor_id
        )

    def request_void(self, now: datetime, *, even_if_refused: bool = False) -> bool:
        """Let the money go: at once if it is held, else as soon as that is known.

        even_if_refused: begin another void where the gateway refused the last one.
        Returns whether anything changed. Raises PaymentAlreadyCaptured, and
        PaymentOperationInProgress during a capture.
        """
        if self.captured_minor:
            raise PaymentAlreadyCaptured(f"Payment {self} is {self.status}.")
        if self.is_released:
            return False
        if self.unfinished is None:
            if self.is_void_refused and not even_if_refused:
                return False
            self._begin(OperationKind.VOID, 0, now)
        elif self.unfinished.kind == OperationKind.CAPTURE:
            raise PaymentOperationInProgress(f"A capture of payment {self} is unfinished.")
        elif self.void_requested_at is not None:
            return False
        self.void_requested_at = self.void_requested_at or now
        self._update_status(now)
        return True

    def begin_due_void(self, now: datetime) -> bool:
        """Start the void that was asked for before the authorisation had its outcome."""
        if not self.is_void_due:
            return False
        self._begin(OperationKind.VOID, 0, now)
        return True

    def record_reply(self, operation_id: UUID, reply: Reply, now: datetime) -> bool:
        """Write down an operation's outcome. Returns False if it had one already."""
        operation = self.operation(operation_id)
        if not operation.is_unfinished:
            return False
        operation.finish(reply, now)
        self.needs_attention_at = None
        match operation.kind:
            case OperationKind.AUTHORISE:
                self._authorisation_ended(reply, now)
            case OperationKind.CAPTURE if reply.is_success:
                self._captured(operation, now)
            case OperationKind.VOID if reply.is_success:
                self.record(PaymentVoided(**self._told(), occurred_at=now))
            case OperationKind.REFUND if reply.is_success:
                self._refunded(operation, now)
            case OperationKind.VOID | OperationKind.REFUND:
                self.needs_attention_at = now  # money that is somebody else's is still here
        self._update_status(now)
        return True

    def record_silence(self, operation_id: UUID, now: datetime) -> bool:
        """Nobody answered: the operation is UNKNOWN, and what was asked for may have been done."""
        operation = self.operation(operation_id)
        if not operation.is_unfinished:
            return False
        operation.state = OperationState.UNKNOWN
        operation.attempts += 1
        if not rules.may_send_again(sent_at=operation.sent_at, now=now):
            self.needs_attention_at = self.needs_attention_at or now
        self._update_status(now)
        return True

    # Questions

    @property
    def money(self) -> str:
        """The amount as people write it: `12.30 GBP`; nothing for a payment that never began."""
        return "" if self.currency == NO_CURRENCY else str(Money(self.amount_minor, self.currency))

    @property
    def unfinished(self) -> Operation | None:
        return next((o for o in self.operations if o.is_unfinished), None)

    @property
    def authorisation(self) -> Operation | None:
        return next((o for o in self.operations if o.kind == OperationKind.AUTHORISE), None)

    @property
    def is_released(self) -> bool:
        return self.status in rules.RELEASED

    @property
    def is_void_due(self) -> bool:
        """The void was asked for, the money is held, and nobody has asked the gateway yet."""
        steps = [(o.kind, o.state) for o in self.operations]
        return self.void_requested_at is not None and steps == [_AUTHORISED]

    @property
    def is_void_refused(self) -> bool:
        """The gateway was asked to let the money go, and said no: staff's turn."""
        void = rules.last_void(self.operations)
        return void is not None and void.state == OperationState.FAILED

    def operation(self, operation_id: UUID) -> Operation:
        return next(o for o in self.operations if o.id == operation_id)

    def check_is_for(self, *, reference: str, amount: Money, method: str) -> None:
        """Raises PaymentMismatch unless a repeated request asks for what the first one did."""
        asked = (reference, amount.amount_minor, amount.currency, method)
        if asked != (self.reference, self.amount_minor, self.currency, self.method):
            raise PaymentMismatch(f"Payment {self.id} was started for something else.")

    def _some_of(
        self, left: Money, amount: Money | None, *, too_large: type[PaymentError]
    ) -> Money:
        """The amount, or all that is left where none is named."""
        amount = left if amount is None else amount
        if amount.currency != self.currency:
            raise InvalidPaymentAmount(f"The payment is in {self.currency}.")
        if not left.amount_minor or amount.amount_minor > left.amount_minor:
            raise too_large(f"{left} at most.")
        if amount.amount_minor <= 0:
            raise InvalidPaymentAmount("The amount must be above 0.")
        return amount

    def _begin(
        self, kind: OperationKind, amount_minor: int, now: datetime, **fields: Any
    ) -> Operation:
        operation = Operation(
            kind=kind, amount_minor=amount_minor, state=OperationState.SENT, sent_at=now, **fields
        )
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

    def _authorisation_ended(self, reply: Reply, now: datetime) -> None:
        self.token = ""
        if reply.is_success:
            self.authorised_minor = self.amount_minor
            self.record(PaymentAuthorised(**self._told(), occurred_at=now))
        else:
            self.decline_code = reply.refusal
            self.record(
                PaymentDeclined(**self._told(), decline_code=reply.refusal, occurred_at=now)
            )

    def _captured(self, operation: Operation, now: datetime) -> None:
        self.captured_minor += operation.amount_minor
        self._book(
            operation,
            debit=JournalEntry.Account.GATEWAY,
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

    def _refunded(self, operation: Operation, now: datetime) -> None:
        self.refunded_minor += operation.amount_minor
        self._book(
            operation,
            debit=JournalEntry.Account.CUSTOMERS,
            credit=JournalEntry.Account.GATEWAY,
            now=now,
        )
        self.record(
            PaymentRefunded(
                **self._told() | {"amount_minor": operation.amount_minor},
                operation_id=operation.id,
                refunded_minor=self.refunded_minor,
                occurred_at=now,
            )
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

    def _told(self) -> dict[str, Any]:
        return {
            "payment_id": self.id,
            "reference": self.reference,
            "method": self.method,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
        }

    def _update_status(self, now: datetime) -> None:
        self.status = rules.status_of(
            self.operations, is_void_requested=self.void_requested_at is not None
        )
        unfinished = self.unfinished
        if self.needs_attention_at is not None or (unfinished is None and not self.is_void_due):
            self.retry_at = None
        elif unfinished is None or unfinished.state == OperationState.SENT:
            self.retry_at = now + rules.FIRST_RETRY
        else:
            self.retry_at = now + rules.pause_before_retry(unfinished.attempts)
        self.updated_at = now
