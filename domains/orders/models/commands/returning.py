"""Goods come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import (
    OrderNotReturnable,
    ReturnNotFound,
    ReturnNotOpen,
    TooManyUnits,
)
from domains.orders.models.commands.stepping import Stepping, refuse_unknown_lines, why
from domains.orders.models.returns import Return, ReturnLine
from domains.orders.models.steps import OrderStep
from domains.orders.rules import steps as rules
from domains.orders.rules.history import By
from domains.orders.rules.placement import Status
from domains.orders.rules.steps import Money, ReturnState, StepKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """How many of a line came back as good as new, and how many broken. The others are missing."""

    restocked: int = 0
    damaged: int = 0


class Returning(Stepping):
    class Meta:
        abstract = True

    # Commands

    def request_return(
        self, units: Mapping[UUID, int], *, reason: str, actor: By, now: datetime
    ) -> Return:
        """Announce that these units, of what was sent, come back.

        Raises OrderNotReturnable, UnknownLine, TooManyUnits.
        """
        if self.status not in (Status.CONFIRMED, Status.COMPLETED):
            raise OrderNotReturnable(f"Order {self.number} is {self.status}.")
        chosen = self._units(units, self.units_to_return())
        announced = Return(
            state=ReturnState.REQUESTED,
            reason=reason,
            actor_kind=actor.kind,
            actor_id=actor.id,
            requested_at=now,
        )
        self.returns = [*self.returns, announced]
        self.return_lines = [
            *self.return_lines,
            *(
                ReturnLine(returned_with_id=announced.id, line_id=line_id, quantity=count)
                for line_id, count in chosen.items()
            ),
        ]
        lines = {str(line_id): count for line_id, count in chosen.items()}
        self._note_return("return_requested", announced, actor, now, lines=lines, reason=reason)
        return announced

    def decide_return(
        self, return_id: UUID, *, approve: bool, reason: str, actor: By, now: datetime
    ) -> Return:
        """Accept an announced return, or do not. Not accepting one that was received already ends
        it: nothing, or nothing more, is given back for it.

        Raises ReturnNotFound, ReturnNotOpen, and StepInProgress while money may be going back.
        """
        announced = self.returned(return_id)
        if announced.state == ReturnState.RECEIVED and not approve:
            self._refuse_if_busy()
        else:
            self._open_return(return_id, ReturnState.REQUESTED)
        announced.state = ReturnState.APPROVED if approve else ReturnState.REFUSED
        announced.decided_by = actor.id
        announced.decided_at = now
        announced.decision_reason = reason
        code = "return_approved" if approve else "return_refused"
        self._note_return(code, announced, actor, now, reason=reason)
        return announced

    def begin_receipt(
        self,
        return_id: UUID,
        inspected: Mapping[UUID, Inspected] | None,
        *,
        warehouse: str,
        reason: str = "",
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """The goods of an approved return are here, and were looked at, by the ids of the order's
        lines; all of them are as good as new where nothing is said.

        Raises ReturnNotFound, ReturnNotOpen, StepInProgress, UnknownLine, TooManyUnits.
        """
        announced = self._open_return(return_id, ReturnState.APPROVED)
        expected = {line.line_id: line for line in self.lines_of_return(return_id)}
        if inspected is None:
            found = {
                line_id: Inspected(restocked=line.quantity) for line_id, line in expected.items()
            }
        else:
            found = dict(inspected)
        refuse_unknown_lines(found, expected, of=f"Return {return_id}")
        for line_id, of_line in found.items():
            back = of_line.restocked + of_line.damaged
            if back > expected[line_id].quantity or min(of_line.restocked, of_line.damaged) < 0:
                raise TooManyUnits(f"{expected[line_id].quantity} of line {line_id} at most.")
        return self._begin(
            StepKind.RETURN,
            actor=actor,
            now=now,
            reason=reason,
            params={
                "return_id": str(announced.id),
                "warehouse": warehouse,
                "lines": {
                    str(line_id): {"restocked": of_line.restocked, "damaged": of_line.damaged}
                    for line_id, of_line in found.items()
                },
            },
        )

    def finish_receipt(self, step: OrderStep, *, now: datetime) -> None:
        received = self.returned(UUID(step.params["return_id"]))
        found = step.params["lines"]
        for line in self.lines_of_return(received.id):
            of_line = found.get(str(line.line_id), {"restocked": 0, "damaged": 0})
            line.restocked = of_line["restocked"]
            line.damaged = of_line["damaged"]
            line.missing = line.quantity - line.received
            self.line(line.line_id).returned += line.received
        received.state = ReturnState.RECEIVED
        received.warehouse = step.params["warehouse"]
        received.received_at = now
        self.note(
            "return_received",
            actor=step.actor,
            at=now,
            return_id=str(received.id),
            warehouse=received.warehouse,
            lines=found,
            **why(step),
        )
        self._see_returns()
        self._done(step, now=now)

    def close_returns(self, money: Money) -> None:
        """Returns for which nothing is left to be given back are over, whether their money went
        back before the goods came or after; also those that nothing came back with.

        money: as it stands, also where the order has not heard yet of what went back elsewhere.
        Each tells what went back for it, as far as no other return does.
        """
        is_all_taken = 0 < self.total_minor <= money.for_goods
        is_all_given = is_all_taken and money.kept <= 0
        told = sum(back.refunded_minor for back in self.returns)
        given = max(money.refunded - self.given_back_for_less - told, 0)
        for back in self.returns:
            if back.state != ReturnState.RECEIVED:
                continue
            left = self.units_to_pay_back(back.id)
            if not is_all_given and any(self._worth_to_refund(*each) for each in left.items()):
                continue
            worth = sum(
                rules.worth_of(self.line(line.line_id), line.received)
                for line in self.lines_of_return(back.id)
            )
            back.state = ReturnState.REFUNDED
            back.refunded_minor = min(worth, given)
            given -= back.refunded_minor

    # Questions

    def returned(self, return_id: UUID) -> Return:
        """Raises ReturnNotFound."""
        for found in self.returns:
            if found.id == return_id:
                assert isinstance(found, Return)
                return found
        raise ReturnNotFound(f"Order {self.number} has no return {return_id}.")

    def lines_of_return(self, return_id: UUID) -> list[ReturnLine]:
        return [line for line in self.return_lines if line.returned_with_id == return_id]

    def units_to_return(self) -> dict[UUID, int]:
        """What was sent, has not come back, and is not announced already."""
        open_returns = {found.id for found in self.returns if found.is_open}
        left = {line.id: line.fulfilled - line.returned for line in self.lines}
        for line in self.return_lines:
            if line.returned_with_id in open_returns:
                left[line.line_id] -= line.quantity
        return left

    def units_to_pay_back(self, return_id: UUID) -> dict[UUID, int]:
        """Of what came back with a return, what is not refunded: refunds of a line's units count
        first for those that came back, whichever was first."""
        left = {}
        for line in self.lines_of_return(return_id):
            unpaid = self.line(line.line_id).returned - self._refunded_units(line.line_id)
            left[line.line_id] = max(min(line.received, unpaid), 0)
        return left

    def units_paid_ahead(self, more: Mapping[UUID, int] | None = None) -> dict[UUID, int]:
        """Of how many units of which line money went back though they have not come back: it counts
        first for those that will. more: units that are to be paid back besides."""
        ahead = {
            line.id: self._refunded_units(line.id) + (more or {}).get(line.id, 0) - line.returned
            for line in self.lines
        }
        return {line_id: units for line_id, units in ahead.items() if units > 0}

    def _open_return(self, return_id: UUID, state: ReturnState) -> Return:
        found = self.returned(return_id)
        if found.state != state:
            raise ReturnNotOpen(f"The return is {found.state}.")
        return found

    def _worth_to_refund(self, line_id: UUID, units: int) -> int:
        """What a refund of so many more units of a line gives back."""
        line = self.line(line_id)
        worth = rules.worth_of_units(line, after=self._refunded_units(line_id), units=units)
        return min(worth, rules.refundable(line))

    def _note_return(
        self, code: str, announced: Return, actor: By, now: datetime, **data: Any
    ) -> None:
        self.note(code, actor=actor, at=now, return_id=str(announced.id), **data)
        before = self.return_status
        self._see_returns()
        if self.return_status != before:
            self._tell(reason="", now=now)

    def _see_returns(self) -> None:
        has_open_return = any(found.is_open for found in self.returns)
        self.return_status = rules.return_status(self.lines, has_open_return=has_open_return)
