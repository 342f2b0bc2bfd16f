"""How money that was taken goes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domains.payments.errors import PaymentNotCaptured, RefundTooLarge, SecondPersonRequired
from domains.payments.events import PaymentRefunded
from domains.payments.models.journal import JournalEntry
from domains.payments.models.operations import Operation
from domains.payments.models.taking import Taking
from domains.payments.rules.gateways import Capabilities
from domains.payments.rules.operations import OperationKind
from domains.payments.rules.refunds import needs_second_person
from domains.payments.rules.statuses import Attention
from infrastructure.ids import new_id
from infrastructure.money import Money


class GivingBack(Taking):
    class Meta:
        abstract = True

    def begin_refund(
        self,
        amount: Money | None,
        now: datetime,
        *,
        reason: str,
        actor_id: UUID | None,
        key: UUID | None = None,
        can: Capabilities | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Operation:
        """Start giving money back: all that was taken and not given back, unless told an amount.

        key: the operation's id, where the caller has one. can: what the gateway is able to do.
        limits: what one person may give back alone, by currency and in minor units, counted with
        what the same person gave back of the payment before; None where a second one agreed.
        Raises PaymentNotCaptured, RefundTooLarge, InvalidPaymentAmount, SecondPersonRequired,
        NotSupportedByGateway, and PaymentOperationInProgress: until one refund has its outcome
        nobody knows what is left.
        """
        self._refuse_if_busy()
        if not self.captured_minor:
            raise PaymentNotCaptured(f"Payment {self} is {self.status}.")
        left = Money(self.captured_minor - self.refunded_minor, self.currency)
        amount = self._some_of(left, amount, too_large=RefundTooLarge)
        alone = amount.amount_minor + self._given_back_by(actor_id)
        if limits is not None and needs_second_person(alone, self.currency, limits):
            raise SecondPersonRequired(
                f"{Money(alone, self.currency)} in all is more than one person gives back alone: "
                f"refund it by its order, {self}, where somebody else has to agree."
            )
        (can or Capabilities()).check_refund(is_all=amount.amount_minor == self.captured_minor)
        return self._begin(
            OperationKind.REFUND,
            amount.amount_minor,
            now,
            id=key or new_id(),
            reason=reason,
            actor_id=actor_id,
        )

    def note_overpaid(self, minor: int, now: datetime) -> bool:
        """What the order that it pays for says of what is kept: so much of it pays for nothing, and
        has to go back. Returns False if that is known."""
        if minor == self.owed_back_minor:
            return False
        if self.attention == Attention.OWED_BACK:
            self.needs_attention_at = None  # it is asked for again where there is still a reason
        self.overpaid_minor = minor
        self._update_status(now)
        return True

    def _given_back_by(self, actor_id: UUID | None) -> int:
        return sum(
            operation.amount_minor
            for operation in self.operations
            if operation.kind == OperationKind.REFUND
            and operation.is_succeeded
            and operation.actor_id == actor_id is not None
        )

    def _given_back(self, operation: Operation, now: datetime) -> None:
        self.refunded_minor += operation.amount_minor
        # What was paid too much goes back first; its order says soon what is left of it.
        if self.overpaid_minor is not None:
            self.overpaid_minor = max(self.overpaid_minor - operation.amount_minor, 0)
        self._book(
            operation,
            debit=JournalEntry.Account.CUSTOMERS,
            credit=self._money_account,
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
