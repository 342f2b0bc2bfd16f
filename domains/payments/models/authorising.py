"""How a payment begins, and how it is let go before any of its money is taken."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from domains.payments.errors import (
    InvalidPaymentAmount,
    PaymentAlreadyCaptured,
    PaymentOperationInProgress,
)
from domains.payments.events import (
    PaymentAuthorised,
    PaymentDeclined,
    PaymentRestReleased,
    PaymentVoided,
)
from domains.payments.models.base import NO_CURRENCY, PaymentBase
from domains.payments.models.operations import Operation
from domains.payments.rules.declines import NOT_COMPLETED
from domains.payments.rules.gateways import Reply
from domains.payments.rules.methods import first_state
from domains.payments.rules.operations import OperationKind, OperationState
from infrastructure.money import Money


class Authorising(PaymentBase):
    class Meta:
        abstract = True

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
        saved_method: str = "",
        keeps_method: bool = False,
        return_url: str = "",
        deadline_at: datetime | None = None,
    ) -> Self:
        """A payment whose authorisation is about to be sent, or which waits for the money.

        deadline_at: until when the customer has to have done their part, if it comes to that.
        """
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
            saved_method=saved_method,
            keeps_method=keeps_method,
            return_url=return_url,
            deadline_at=deadline_at,
            created_at=now,
        )
        payment._begin(
            OperationKind.AUTHORISE,
            amount.amount_minor,
            now,
            state=first_state(method, amount_minor=amount.amount_minor),
        )
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

    def request_void(
        self,
        now: datetime,
        *,
        even_if_refused: bool = False,
        may_begin: bool = True,
        reason: str = "",
        actor_id: UUID | None = None,
    ) -> bool:
        """Let the money go: at once if it is held, else as soon as that is known.

        even_if_refused: begin another void where the gateway refused the last one. may_begin: ask
        the gateway now, and not only remember to. reason, actor_id: of staff, kept with the void.
        Returns whether anything changed. Raises PaymentAlreadyCaptured, and
        PaymentOperationInProgress during a capture.
        """
        if self.authorised_minor and self.captured_minor:
            raise PaymentAlreadyCaptured(f"Payment {self} is {self.status}.")
        if self.is_released:
            return False
        unfinished, waiting = self.unfinished, self.waiting
        if unfinished is None:
            if self.is_void_refused and not even_if_refused:
                return False
            if waiting is not None and waiting.state == OperationState.AWAITING_MONEY:
                self._abandon(waiting, now)  # nobody has to be asked
                self._note_who_voids(reason, actor_id)
            elif not may_begin:
                if self.void_requested_at is not None or len(self.operations) > 1:
                    return False
                self._note_who_voids(reason, actor_id)
            else:
                self._note_who_voids(reason, actor_id)
                self._begin_void(now)
        elif unfinished.kind == OperationKind.AUTHORISE:
            if self.void_requested_at is not None:
                return False
            self._note_who_voids(reason, actor_id)
        elif unfinished.kind == OperationKind.VOID:
            return False
        else:
            raise PaymentOperationInProgress(
                f"A {unfinished.kind.lower()} of payment {self} is unfinished."
            )
        self.void_requested_at = self.void_requested_at or now
        self._update_status(now)
        return True

    def request_release(
        self,
        now: datetime,
        *,
        even_if_refused: bool = False,
        reason: str = "",
        actor_id: UUID | None = None,
    ) -> bool:
        """Let go of what a gateway holds beside the part that was taken.

        even_if_refused, reason, actor_id: as for a void. Returns whether anything changed.
        Raises PaymentOperationInProgress.
        """
        if not self.rest_minor:
            return False
        unfinished = self.unfinished
        if unfinished is not None:
            if unfinished.kind == OperationKind.VOID:
                return False
            raise PaymentOperationInProgress(
                f"A {unfinished.kind.lower()} of payment {self} is unfinished."
            )
        if self.is_void_refused and not even_if_refused:
            return False
        self._begin(OperationKind.VOID, self.rest_minor, now, reason=reason, actor_id=actor_id)
        return True

    def begin_due_void(self, now: datetime) -> bool:
        """Start the void that was asked for before the authorisation had its outcome."""
        if not self.is_void_due:
            return False
        self._begin_void(now)
        return True

    def give_up(self, now: datetime) -> bool:
        """Let a payment go whose customer did not do their part in time."""
        if self.waiting is None or self.deadline_at is None or now < self.deadline_at:
            return False
        if not self.request_void(now):
            return False
        self.decline_code = NOT_COMPLETED
        return True

    def _note_who_voids(self, reason: str, actor_id: UUID | None) -> None:
        self.void_reason, self.void_requested_by = reason, actor_id

    def _begin_void(self, now: datetime) -> None:
        self._begin(
            OperationKind.VOID, 0, now, reason=self.void_reason, actor_id=self.void_requested_by
        )

    def _authorisation_ended(self, reply: Reply, now: datetime) -> None:
        self._forget_the_means()
        if reply.is_success:
            self._authorised(now)
        else:
            self.decline_code = reply.refusal
            self.record(
                PaymentDeclined(**self._told(), decline_code=reply.refusal, occurred_at=now)
            )

    def _authorised(self, now: datetime) -> None:
        self.authorised_minor = self.amount_minor
        self.record(PaymentAuthorised(**self._told(), occurred_at=now))

    def _action_required(self, operation: Operation, reply: Reply) -> None:
        """The customer has to confirm it first, and there is a way back for them."""
        operation.state = OperationState.ACTION_REQUIRED
        operation.gateway_reference = reply.gateway_reference
        operation.attempts += 1
        self.action_url = reply.action_url

    def _voided(self, operation: Operation, now: datetime) -> None:
        if operation.amount_minor:
            # What was taken stays ours, so nothing is booked. A part may have been taken meanwhile;
            # with nothing left the amount stays what it was, since 0 is that of a whole void.
            if self.rest_minor:
                operation.amount_minor = self.rest_minor
                self.released_minor += self.rest_minor
                told = self._told() | {"amount_minor": operation.amount_minor}
                self.record(PaymentRestReleased(**told, operation_id=operation.id, occurred_at=now))
            return
        authorisation = self.authorisation
        if authorisation is None or authorisation.state == OperationState.FAILED:
            return  # it was declined meanwhile, and that was told
        if authorisation.is_succeeded:
            self.record(PaymentVoided(**self._told(), occurred_at=now))
        else:
            self._abandon(authorisation, now)

    def _abandon(self, authorisation: Operation, now: datetime) -> None:
        authorisation.state = OperationState.ABANDONED
        authorisation.finished_at = now
        self._forget_the_means()
        self.record(PaymentVoided(**self._told(), occurred_at=now))

    def _forget_the_means(self) -> None:
        self.token = self.saved_method = self.return_url = self.action_url = ""
