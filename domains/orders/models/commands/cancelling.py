"""Calling an order off, or parts of it, once money may have been taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domains.orders.errors import OrderNotCancellable, PaymentCaptured, StepInProgress
from domains.orders.events import OrderCancelled
from domains.orders.models.commands.stepping import Stepping, as_params, units_of
from domains.orders.models.lines import OrderLine
from domains.orders.models.steps import OrderStep
from domains.orders.rules import steps as rules
from domains.orders.rules.accounts import SHIPPING, Less
from domains.orders.rules.history import By
from domains.orders.rules.placement import Status
from domains.orders.rules.steps import Money, StepKind, StepState


class Cancelling(Stepping):
    class Meta:
        abstract = True

    # Commands

    def request_cancel(self, *, reason: str, now: datetime) -> None:
        """Ask for the end; settling carries it out, since goods and money come back first.

        Raises OrderNotCancellable, StepInProgress.
        """
        self._refuse_unless_open()
        if any(line.fulfilled for line in self.lines):
            raise OrderNotCancellable(f"Parts of order {self.number} have been sent.")
        if self.step_id is not None:
            raise StepInProgress(f"Another change of order {self.number} is being carried out.")
        if self.cancel_requested_at is None:
            self.cancel_requested_at = now
            self.cancel_reason = reason
            self._mark_unsettled(now)

    def refuse_cancel(self) -> None:
        """The money was taken meanwhile, so the order stands."""
        self._require(Status.CONFIRMED)
        self.cancel_requested_at = None
        self.cancel_reason = ""
        self._mark_settled()

    def cancel(self, *, now: datetime) -> None:
        """Raises OrderNotCancellable."""
        self._refuse_unless_open()
        self._decide(Status.CANCELLED, reason=self.cancel_reason, now=now)
        self.record(
            OrderCancelled(
                order_id=self.id,
                number=self.number,
                customer_id=self.customer_id,
                reason=self.cancel_reason,
                occurred_at=now,
            )
        )

    def begin_cancel_with_refund(
        self,
        *,
        reason: str,
        money: Money,
        limits: rules.Limits,
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """Give back all that was taken, and call the order off.

        Raises OrderNotCancellable once something was sent, and StepInProgress.
        """
        if self.status != Status.CONFIRMED or any(line.fulfilled for line in self.lines):
            raise OrderNotCancellable(f"Order {self.number} is {self.status}, or partly sent.")
        return self._begin(
            StepKind.CANCEL,
            actor=actor,
            now=now,
            params={},
            gives=money.kept,
            reason=reason,
            limits=limits,
        )

    def finish_cancel_with_refund(self, step: OrderStep, *, now: datetime) -> None:
        """The money is back; the order ends, and settling lets go of the rest."""
        self._give_back(step)
        self._end(step, StepState.DONE, now)
        self.request_cancel(reason=step.reason, now=now)
        self.cancel(now=now)

    def begin_cancel_lines(
        self,
        units: Mapping[UUID, int],
        *,
        refund: bool,
        reason: str,
        money: Money,
        limits: rules.Limits,
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """Call off these units, of what was not sent. Whoever calls off all of an order cancels
        the order instead.

        Raises OrderNotCancellable, StepInProgress, UnknownLine, TooManyUnits, and PaymentCaptured
        where money would have to be given back and nobody said that it may be.
        """
        if self.status != Status.CONFIRMED:
            raise OrderNotCancellable(f"Order {self.number} is {self.status}.")
        self._refuse_if_busy()
        chosen = self._units(units, self._open_units())
        less = self._less_without(chosen, money)
        if less.gives and not refund:
            raise PaymentCaptured(f"{self._as_money(less.gives)} would have to be given back.")
        return self._begin(
            StepKind.CANCEL_LINES,
            actor=actor,
            now=now,
            params={"lines": as_params(chosen), "set_off": self._as_set_off(less, chosen)},
            gives=less.gives,
            reason=reason,
            limits=limits,
        )

    def finish_cancel_lines(self, step: OrderStep, *, now: datetime) -> None:
        before = self.total_minor
        for line_id, count in units_of(step).items():
            self._cancel_units(self.line(line_id), count)
        self._apply_set_off(step)
        self._give_back(step)
        self.note(
            "lines_cancelled",
            actor=step.actor,
            at=now,
            lines=step.params["lines"],
            reason=step.reason,
            total_minor=self.total_minor,
        )
        self._done(step, now=now, total_change_minor=self.total_minor - before)

    def takes_all(self, units: Mapping[UUID, int]) -> bool:
        """Whether cancelling these units leaves nothing of the order."""
        nothing_sent = not any(line.fulfilled for line in self.lines)
        return nothing_sent and all(
            units.get(line.id, 0) == line.open for line in self.lines if line.open
        )

    def _gives_by_now(self, step: OrderStep, money: Money) -> int:
        if step.kind == StepKind.CANCEL:
            return int(money.kept)
        if step.kind == StepKind.CANCEL_LINES:
            return self._less_without(units_of(step), money).gives
        return super()._gives_by_now(step, money)

    def _less_without(self, units: Mapping[UUID, int], money: Money) -> Less:
        worth = {
            line_id: rules.worth_of_cancelling(self.line(line_id), count)
            for line_id, count in units.items()
        }
        account = self._account(money)
        left = {
            key: part.worth - worth.get(UUID(key), 0) if key != SHIPPING else part.worth
            for key, part in account.parts.items()
        }
        return account.cheaper(left, self.total_minor - sum(worth.values()))

    def _refuse_unless_open(self) -> None:
        if self.status not in (Status.PENDING, Status.CONFIRMED):
            raise OrderNotCancellable(f"Order {self.number} is {self.status}.")

    def _cancel_units(self, line: OrderLine, count: int) -> None:
        """The last units of a line go, with their part of everything. Prices stay as they were."""
        before = rules.amounts_standing(line)
        line.cancelled += count
        after = rules.amounts_standing(line)
        self.subtotal_minor -= before.subtotal_minor - after.subtotal_minor
        self.discount_minor -= before.discount_minor - after.discount_minor
        self.tax_minor -= before.tax_minor - after.tax_minor
        self.total_minor -= before.amount_minor - after.amount_minor
