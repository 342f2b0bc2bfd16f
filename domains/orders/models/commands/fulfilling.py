"""Goods leave, and their money is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.orders.errors import (
    CaptureExceedsTotal,
    FulfilmentNotFound,
    InvalidPaymentAmount,
    NothingToCapture,
    NotPaidFor,
    OrderNotFulfillable,
)
from domains.orders.models.commands.stepping import Stepping, as_params, units_of, why
from domains.orders.models.fulfilments import Fulfilment, FulfilmentLine
from domains.orders.models.steps import OrderStep
from domains.orders.rules.history import By
from domains.orders.rules.placement import Status
from domains.orders.rules.steps import Money, StepKind
from infrastructure.aggregates import ConcurrentModification


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracking:
    """Where the parcel is: all of it may be unknown."""

    carrier: str = ""
    number: str = ""
    url: str = ""


class Fulfilling(Stepping):
    class Meta:
        abstract = True

    # Commands

    def begin_fulfilment(
        self,
        units: Mapping[UUID, int] | None,
        *,
        warehouse: str,
        tracking: Tracking,
        captures: bool,
        may_be_unpaid: bool = False,
        reason: str = "",
        money: Money,
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """Send these units, all that are open unless told which. captures: take what is due for
        all that was sent then, so far as it was not taken before. may_be_unpaid: the payment terms
        say so, or somebody who may.

        Raises OrderNotFulfillable, StepInProgress, UnknownLine, TooManyUnits, NotPaidFor.
        """
        if self.status != Status.CONFIRMED:
            raise OrderNotFulfillable(f"Order {self.number} is {self.status}.")
        self._refuse_if_busy()
        chosen = self._units(units, self._open_units())
        due = self._account(money, sends=chosen).due
        takes = max(due - money.for_goods, 0)
        if takes and not captures and not may_be_unpaid:
            raise NotPaidFor(f"{self._as_money(takes)} of what leaves would not be paid.")
        return self._begin(
            StepKind.FULFIL,
            actor=actor,
            now=now,
            params={
                "lines": as_params(chosen),
                "warehouse": warehouse,
                "carrier": tracking.carrier,
                "tracking_number": tracking.number,
                "tracking_url": tracking.url,
            },
            takes=takes if captures else 0,
            reason=reason,
        )

    def finish_fulfilment(self, step: OrderStep, *, now: datetime) -> Fulfilment:
        if any(sent.id == step.id for sent in self.fulfilments):
            # Parcels were read after the order was, and meanwhile somebody else sent this one.
            raise ConcurrentModification(f"Order {self.number} was changed meanwhile.")
        params = step.params
        fulfilment = Fulfilment(
            id=step.id,
            warehouse=params["warehouse"],
            carrier=params["carrier"],
            tracking_number=params["tracking_number"],
            tracking_url=params["tracking_url"],
            captured_minor=step.takes_minor,
            actor_id=step.actor_id,
            created_at=now,
        )
        units = units_of(step)
        self.fulfilments = [*self.fulfilments, fulfilment]
        self.fulfilment_lines = [
            *self.fulfilment_lines,
            *(
                FulfilmentLine(fulfilment_id=fulfilment.id, line_id=line_id, quantity=count)
                for line_id, count in units.items()
            ),
        ]
        for line_id, count in units.items():
            self.line(line_id).fulfilled += count
        self.note(
            "fulfilled",
            actor=step.actor,
            at=now,
            fulfilment_id=str(fulfilment.id),
            lines=params["lines"],
            warehouse=fulfilment.warehouse,
            captured_minor=step.takes_minor,
            **why(step),
        )
        self._done(step, now=now)
        return fulfilment

    def track(
        self, fulfilment_id: UUID, tracking: Tracking, *, actor: By, now: datetime
    ) -> Fulfilment:
        """Say where a parcel is. Raises FulfilmentNotFound."""
        fulfilment = self.fulfilment(fulfilment_id)
        fulfilment.carrier = tracking.carrier
        fulfilment.tracking_number = tracking.number
        fulfilment.tracking_url = tracking.url
        self.note(
            "tracking_changed",
            actor=actor,
            at=now,
            fulfilment_id=str(fulfilment_id),
            carrier=tracking.carrier,
            tracking_number=tracking.number,
        )
        return fulfilment

    def begin_capture(
        self,
        amount_minor: int | None,
        *,
        reason: str = "",
        money: Money,
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """Take so much of what is to be paid, all that is left of it unless told an amount.

        Raises InvalidPaymentAmount, OrderNotFulfillable, StepInProgress, NothingToCapture,
        CaptureExceedsTotal.
        """
        if amount_minor is not None and amount_minor <= 0:
            raise InvalidPaymentAmount("The amount must be above 0.")
        if self.status not in (Status.CONFIRMED, Status.COMPLETED):
            raise OrderNotFulfillable(f"Order {self.number} is {self.status}.")
        self._refuse_if_busy()
        left = max(self.total_minor - money.for_goods, 0)
        if not left:
            raise NothingToCapture(f"All of order {self.number} has been taken.")
        if amount_minor is not None and amount_minor > left:
            raise CaptureExceedsTotal(f"{self._as_money(left)} are left to be taken.")
        return self._begin(
            StepKind.CAPTURE,
            actor=actor,
            now=now,
            params={},
            takes=amount_minor or left,
            reason=reason,
        )

    def finish_capture(self, step: OrderStep, *, now: datetime) -> None:
        self.note_capture(step, now=now)
        self._done(step, now=now)

    def note_capture(self, step: OrderStep, *, now: datetime) -> None:
        """A step has taken its money, whatever becomes of the rest of it."""
        self.note("captured", actor=step.actor, at=now, amount_minor=step.takes_minor, **why(step))

    # Questions

    def fulfilment(self, fulfilment_id: UUID) -> Fulfilment:
        """Raises FulfilmentNotFound."""
        for fulfilment in self.fulfilments:
            if fulfilment.id == fulfilment_id:
                assert isinstance(fulfilment, Fulfilment)
                return fulfilment
        raise FulfilmentNotFound(f"Order {self.number} has no fulfilment {fulfilment_id}.")
