"""The payment: one amount, the operations on it at a gateway, and the journal of what was taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from domains.payments.errors import OperationDoesNotFit
from domains.payments.models.giving_back import GivingBack
from domains.payments.models.operations import Operation
from domains.payments.rules.declines import CANNOT_BE_CONFIRMED
from domains.payments.rules.gateways import Reply
from domains.payments.rules.methods import TAKING_RECEIPTS
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.rules.retries import may_send_again
from domains.payments.rules.statuses import captured_by
from infrastructure.aggregates import AggregateQuerySet


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


class Payment(GivingBack):
    """Its id is given by whoever wants to be paid, so that asking twice is asking once."""

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="payment_amounts_are_ordered",
                condition=Q(
                    refunded_minor__gte=0,
                    refunded_minor__lte=models.F("captured_minor"),
                    captured_minor__gte=0,
                    authorised_minor__lte=models.F("amount_minor"),
                )
                # Money that comes by bank comes as it likes: early, late and too much.
                & (
                    Q(
                        released_minor__gte=0,
                        authorised_minor__gte=models.F("captured_minor")
                        + models.F("released_minor"),
                    )
                    | Q(method__in=TAKING_RECEIPTS, released_minor=0)
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

    def record_reply(self, operation_id: UUID, reply: Reply, now: datetime) -> bool:
        """Write down what the gateway said of an operation.

        Returns False if it has an outcome already: the first one stands.
        """
        operation = self.operation(operation_id)
        if not (operation.is_unfinished or operation.is_waiting):
            return False
        if reply.action_url and not self.return_url:
            # Nobody can be sent there who could not come back.
            reply = Reply(refusal=CANNOT_BE_CONFIRMED)
        if reply.action_url:
            self._action_required(operation, reply)
        else:
            operation.finish(reply, now)
            self.needs_attention_at = None
            self._took_effect(operation, reply, now)
        self._update_status(now)
        return True

    def record_silence(self, operation_id: UUID, now: datetime) -> bool:
        """Nobody answered: the operation is UNKNOWN, and what was asked for may have been done.

        One that waits for the customer stays as it is.
        """
        operation = self.operation(operation_id)
        if not (operation.is_unfinished or operation.is_waiting):
            return False
        operation.attempts += 1
        if operation.is_unfinished:
            operation.state = OperationState.UNKNOWN
            if not may_send_again(sent_at=operation.sent_at, now=now):
                self.needs_attention_at = self.needs_attention_at or now
        self._update_status(now)
        return True

    def record_elsewhere(
        self, kind: OperationKind, *, amount_minor: int, reference: str, at: datetime, now: datetime
    ) -> bool:
        """An operation that the gateway carried out without being asked by us.

        Returns False if it is known. Raises OperationDoesNotFit where it would take more than was
        authorised, give back more than was taken, or let go what is gone already.
        """
        if any(o.kind == kind and o.gateway_reference == reference for o in self.operations):
            return False
        if not self._fits(kind, amount_minor):
            raise OperationDoesNotFit(f"{kind} of {amount_minor} at payment {self}: {self.status}.")
        operation = Operation(
            kind=kind,
            amount_minor=self.rest_minor if kind == OperationKind.VOID else amount_minor,
            state=OperationState.SUCCEEDED,
            asked_elsewhere=True,
            gateway_reference=reference,
            sent_at=at,
            finished_at=now,
        )
        self.operations.append(operation)
        self._took_effect(operation, Reply(gateway_reference=reference), now)
        self._update_status(now)
        return True

    def record_captured_elsewhere(
        self, total_minor: int, *, reference: str, at: datetime, now: datetime
    ) -> bool:
        """A capture that the gateway carried out without being asked by us, of which it tells what
        had been captured in all by then. What that adds to the captures we know of was taken; where
        it adds nothing, the rest was let go.

        Returns False if it is known. Raises OperationDoesNotFit as `record_elsewhere`, and while a
        capture of ours has no outcome, which the total may hold or not.
        """
        captures = [o for o in self.operations if o.kind == OperationKind.CAPTURE]
        # The gateway tells times in whole seconds.
        before = [o for o in captures if o.asked_elsewhere or o.sent_at < at + timedelta(seconds=1)]
        if any(o.is_unfinished for o in before):
            raise OperationDoesNotFit(f"A capture of payment {self} is unfinished.")
        # Of others' captures all that are known count: one that is told late is in a later total.
        added = total_minor - captured_by(before)
        if added < 0 or any(
            o.gateway_reference == reference for o in self.operations if o.asked_elsewhere
        ):
            return False
        if not added and not self.rest_minor:
            return False
        return self.record_elsewhere(
            OperationKind.CAPTURE if added else OperationKind.VOID,
            amount_minor=added,
            reference=reference,
            at=at,
            now=now,
        )

    def record_dispute(self, now: datetime) -> bool:
        """The customer's bank asks for the money back: staff has to answer at the gateway, however
        the payment's own operations end. Returns False if it is known."""
        if self.disputed_at is not None:
            return False
        self.disputed_at = now
        self._update_status(now)
        return True

    def settle_dispute(self, now: datetime) -> bool:
        """Staff have answered the last dispute. What else needs them stays."""
        if self.disputed_at is None:
            return False
        if self.needs_attention_at == self.disputed_at:
            self.needs_attention_at = None
        self.disputed_at = None
        self._update_status(now)
        return True

    def _fits(self, kind: OperationKind, amount_minor: int) -> bool:
        match kind:
            case OperationKind.CAPTURE:
                left = self.rest_minor if self.captured_minor else self.authorised_minor
                return 0 < amount_minor <= left and not self.is_released
            case OperationKind.REFUND:
                return 0 < amount_minor <= self.captured_minor - self.refunded_minor
            case OperationKind.VOID:
                return not self.is_released and bool(not self.captured_minor or self.rest_minor)
        return False

    def _took_effect(self, operation: Operation, reply: Reply, now: datetime) -> None:
        match operation.kind:
            case OperationKind.AUTHORISE:
                self._authorisation_ended(reply, now)
            case OperationKind.CAPTURE if reply.is_success:
                self._taken(operation, now)
            case OperationKind.VOID if reply.is_success:
                self._voided(operation, now)
            case OperationKind.REFUND if reply.is_success:
                self._given_back(operation, now)
            case OperationKind.VOID if self.captured_minor and not self.rest_minor:
                pass  # somebody took, or let go, what it was about
            case OperationKind.VOID | OperationKind.REFUND if not self.is_released:
                self.needs_attention_at = now  # money that is somebody else's is still here
