"""Steps: asked for, approved, carried out or refused, one at a time."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.errors import (
    SecondPersonRequired,
    StepInProgress,
    StepNotAwaitingApproval,
    StepNotFound,
    StepOutdated,
    TooManyUnits,
    UnknownLine,
)
from domains.orders.models.base import OrderBase
from domains.orders.models.lines import OrderLine
from domains.orders.models.steps import OrderStep
from domains.orders.rules import steps as rules
from domains.orders.rules.accounts import SHIPPING, Account, Less, Part
from domains.orders.rules.history import By, Kind
from domains.orders.rules.placement import FulfilmentStatus, Status
from domains.orders.rules.steps import StepKind, StepState
from domains.payments.public import needs_second_person
from infrastructure.aggregates import Owned
from infrastructure.errors import FieldError
from infrastructure.money import Money


class Stepping(OrderBase):
    """What all commands on a confirmed order share."""

    steps = Owned("step_rows")
    fulfilments = Owned("fulfilment_rows")
    fulfilment_lines = Owned("fulfilment_line_rows")
    returns = Owned("return_rows")
    return_lines = Owned("return_line_rows")

    class Meta:
        abstract = True

    # Commands

    def ask_approval(self, step: OrderStep, *, now: datetime) -> None:
        """It takes a second person after all, since whoever asked gave back more meanwhile. Nothing
        of it was done."""
        self._await_approval(step, now)
        if self.status == Status.CONFIRMED:
            self._mark_settled()  # else settling looks what is left beside it

    def approve_step(
        self, step_id: UUID, *, money: rules.Money, actor_id: UUID, now: datetime
    ) -> OrderStep:
        """Somebody else agrees. Raises StepNotFound, StepNotAwaitingApproval,
        SecondPersonRequired, and StepOutdated where so much would not be given back any more."""
        step = self._awaiting(step_id, actor_id)
        gives = self._gives_by_now(step, money)
        if gives != step.gives_minor:
            was, now_gives = self._as_money(step.gives_minor), self._as_money(gives)
            raise StepOutdated(
                f"{was} was asked for, and {now_gives} would go back by now: ask for it again."
            )
        step.state = StepState.REQUESTED
        step.decided_by = actor_id
        self._mark_unsettled(now)
        self.note("step_approved", actor=By(kind=Kind.STAFF, id=actor_id), at=now, **_told(step))
        return step

    def _gives_by_now(self, step: OrderStep, money: rules.Money) -> int:
        """What a step would give back if it were asked for now. An amount that was named stays, as
        far as so much is left."""
        return min(int(step.gives_minor), max(money.kept, 0))

    def disapprove_step(
        self, step_id: UUID, *, actor_id: UUID, reason: str, now: datetime
    ) -> OrderStep:
        """Somebody else does not agree, or who asked takes it back. Raises StepNotFound,
        StepNotAwaitingApproval."""
        step = self._awaiting(step_id, None)
        self._disapprove(step, By(kind=Kind.STAFF, id=actor_id), reason, now)
        return step

    def give_up_waiting(self, *, actor: By, reason: str, now: datetime) -> bool:
        """Ask nobody any more to agree to what waits for a second person, since something that
        cannot wait is to take its place. Whether anything waited."""
        step = None if self.step_id is None else self.step(self.step_id)
        if step is None or step.state != StepState.AWAITING_APPROVAL:
            return False
        self._disapprove(step, actor, reason, now)
        return True

    def _disapprove(self, step: OrderStep, by: By, reason: str, now: datetime) -> None:
        step.decided_by = by.id
        self._end(step, StepState.REFUSED, now)
        step.refusal = rules.NOT_APPROVED
        self.note("step_disapproved", actor=by, at=now, **_told(step), why=reason)

    def refuse_step(
        self,
        step: OrderStep,
        *,
        refusal: str,
        faults: Sequence[Mapping[str, Any]] = (),
        now: datetime,
    ) -> None:
        """It came to nothing, and nothing of it is left."""
        step.refusal = refusal
        step.faults = [dict(fault) for fault in faults]
        self._end(step, StepState.REFUSED, now)
        self.note("step_refused", actor=step.actor, at=now, **_told(step), refusal=refusal)

    # Questions

    @property
    def given_back_for_less(self) -> int:
        """What was given back because the total fell, or was never due: it lowers no price. Also
        what was refunded before of what is gone."""
        given = sum(
            step.params["for_less_minor"] if step.kind == StepKind.REFUND else step.gives_minor
            for step in self.steps
            if step.kind in (StepKind.CANCEL_LINES, StepKind.EDIT, StepKind.REFUND)
            and step.state == StepState.DONE
            and not step.refusal
        )
        return given + sum(step.params["set_off"]["minor"] for step in self._set_offs)

    @property
    def shipping_refunded(self) -> int:
        """What of the shipping, as it is now, was given back as a refund."""
        given = sum(step.params["shipping_minor"] for step in self._refunds)
        return given - sum(step.params["set_off"]["shipping_minor"] for step in self._set_offs)

    @property
    def open_step(self) -> OrderStep | None:
        """The step that is being carried out, or waits for a second person."""
        if self.step_id is None:
            return None
        found: OrderStep = next(step for step in self.steps if step.id == self.step_id)
        return found

    def step(self, step_id: UUID) -> OrderStep:
        """Raises StepNotFound."""
        for step in self.steps:
            if step.id == step_id:
                assert isinstance(step, OrderStep)
                return step
        raise StepNotFound(f"Order {self.number} has no step {step_id}.")

    def line(self, line_id: UUID) -> OrderLine:
        """Raises UnknownLine."""
        for line in self.lines:
            if line.id == line_id:
                assert isinstance(line, OrderLine)
                return line
        raise UnknownLine(f"Order {self.number} has no line {line_id}.")

    def _account(self, money: rules.Money, *, sends: Mapping[UUID, int] | None = None) -> Account:
        """What was paid for which part; sends: as it is with so many units more being sent."""
        sent = {line.id: line.fulfilled + (sends or {}).get(line.id, 0) for line in self.lines}
        parts = {
            str(line.id): Part(
                worth=rules.worth_of(line, line.standing),
                sent=rules.worth_of(line, sent[line.id]),
                given=line.refunded_minor,
            )
            for line in self.lines
        }
        parts[SHIPPING] = Part(
            worth=self.shipping_minor,
            sent=self.shipping_minor if any(sent.values()) else 0,
            given=self.shipping_refunded,
        )
        of_parts = sum(part.given for part in parts.values())
        at_large = money.refunded - money.given_back_for_less - of_parts
        return Account(money=money, parts=parts, at_large=max(at_large, 0))

    def _as_set_off(self, less: Less, units: Mapping[UUID, int]) -> dict[str, Any]:
        """For the step that makes the order cheaper. units: by how many the lines fall."""
        lines = {}
        for line in self.lines:
            if minor := less.parts.get(str(line.id), 0):
                refunded = max(self._refunded_units(line.id) - line.fulfilled, 0)
                gone = min(units.get(line.id, 0), refunded)
                lines[str(line.id)] = {"minor": minor, "units": gone}
        return {
            "minor": less.set_off,
            "lines": lines,
            "shipping_minor": less.parts.get(SHIPPING, 0),
        }

    def _apply_set_off(self, step: OrderStep) -> None:
        """What was refunded of what is gone now counts for that, and no more for what stays."""
        for line_id, share in step.params["set_off"]["lines"].items():
            for line in self.lines:
                if str(line.id) == line_id:
                    line.refunded_minor -= share["minor"]

    def _refunded_units(self, line_id: UUID) -> int:
        key = str(line_id)
        refunded = sum(
            step.params["lines"].get(key, {"units": 0})["units"] for step in self._refunds
        )
        return refunded - sum(
            step.params["set_off"]["lines"].get(key, {"units": 0})["units"]
            for step in self._set_offs
        )

    @property
    def _refunds(self) -> list[OrderStep]:
        return [
            step
            for step in self.steps
            if step.kind == StepKind.REFUND and step.state == StepState.DONE
        ]

    @property
    def _set_offs(self) -> list[OrderStep]:
        """Steps that made the order cheaper, whether or not their money went back."""
        return [
            step
            for step in self.steps
            if (step.kind == StepKind.EDIT and step.state in (StepState.APPLIED, StepState.DONE))
            or (step.kind == StepKind.CANCEL_LINES and step.state == StepState.DONE)
        ]

    def _begin(
        self,
        kind: StepKind,
        *,
        actor: By,
        now: datetime,
        params: Mapping[str, Any],
        takes: int = 0,
        gives: int = 0,
        reason: str = "",
        limits: rules.Limits | None = None,
    ) -> OrderStep:
        """limits: above which amounts a second person has to agree, counted with all that the
        actor gave back before without one; None where nobody has to."""
        self._refuse_if_busy()
        step = OrderStep(
            kind=kind,
            state=StepState.REQUESTED,
            params=dict(params),
            takes_minor=takes,
            gives_minor=gives,
            reason=reason,
            actor_kind=actor.kind,
            actor_id=actor.id,
            requested_at=now,
        )
        self.steps = [*self.steps, step]
        self.step_id = step.id
        if limits is not None and self._needs_second_person(gives, actor.id, limits):
            self._await_approval(step, now)
        else:
            self._mark_unsettled(now)
        return step

    def _await_approval(self, step: OrderStep, now: datetime) -> None:
        step.state = StepState.AWAITING_APPROVAL
        self.note("approval_asked", actor=step.actor, at=now, **_told(step))

    def _needs_second_person(self, gives: int, actor_id: UUID | None, limits: rules.Limits) -> bool:
        known = {step.id for step in self.steps}
        elsewhere = sum(
            given.amount_minor
            for given in limits.given
            if given.actor_id == actor_id is not None and given.id not in known
        )
        alone = gives + self._given_back_alone(actor_id) + elsewhere
        return gives > 0 and needs_second_person(alone, self.currency, limits.above)

    def _given_back_alone(self, actor_id: UUID | None) -> int:
        """By one person, who may be the order's customer at one door and staff at another."""
        return sum(
            step.gives_minor
            for step in self.steps
            if step.state == StepState.DONE
            and not step.refusal
            and step.decided_by is None
            and step.actor_id == actor_id is not None
        )

    def _refuse_if_busy(self) -> None:
        if self.step_id is not None:
            raise StepInProgress(f"Another change of order {self.number} is being carried out.")
        if self.cancel_requested_at is not None and self.status == Status.CONFIRMED:
            raise StepInProgress(f"Order {self.number} is being cancelled.")

    def _awaiting(self, step_id: UUID, actor_id: UUID | None) -> OrderStep:
        step = self.step(step_id)
        if step.state != StepState.AWAITING_APPROVAL:
            raise StepNotAwaitingApproval(f"The step is {step.state}.")
        if actor_id is not None and actor_id == step.actor_id:
            raise SecondPersonRequired("Whoever asked for it cannot approve it.")
        return step

    def _give_back(self, step: OrderStep) -> None:
        self.refunded_minor += step.gives_minor

    def _done(self, step: OrderStep, *, now: datetime, total_change_minor: int = 0) -> None:
        """After what the step changed: its end, and the fact."""
        self.fulfilment_status = rules.fulfilment_status(self.lines)
        self._end(step, StepState.DONE, now)
        self._tell(reason=step.reason, now=now, total_change_minor=total_change_minor)

    def _end(self, step: OrderStep, state: StepState, now: datetime) -> None:
        was_waiting, step.state = step.state == StepState.AWAITING_APPROVAL, state
        step.finished_at = now
        step.payment_token = ""
        step.params.pop("return_url", None)
        self.step_id = None
        if self.status == Status.CONFIRMED:
            if self.fulfilment_status != FulfilmentStatus.FULFILLED:
                self._mark_settled()  # else settling looks whether it is complete
        elif self.status == Status.COMPLETED and not was_waiting:
            # Nothing was carried out of one that waited: what was due still is.
            self._mark_settled()

    def _as_money(self, amount_minor: int) -> Money:
        """What a refusal says of an amount."""
        return Money(amount_minor, self.currency)

    def _units(
        self, wanted: Mapping[UUID, int] | None, available: Mapping[UUID, int]
    ) -> dict[UUID, int]:
        """So many of each line, all that is available where nothing is named. Raises UnknownLine,
        TooManyUnits."""
        if wanted is None:
            wanted = {line_id: units for line_id, units in available.items() if units}
        if not wanted:
            raise TooManyUnits(f"Nothing of order {self.number} is left for that.")
        refuse_unknown_lines(wanted, {line.id for line in self.lines}, of=f"Order {self.number}")
        wrong = [
            FieldError(
                f"/lines/{position}/quantity",
                "too_many_units",
                f"{units} asked for, {available.get(line_id, 0)} left.",
                available.get(line_id, 0),
            )
            for position, (line_id, units) in enumerate(wanted.items())
            if not 0 < units <= available.get(line_id, 0)
        ]
        if wrong:
            raise TooManyUnits(errors=wrong)
        return dict(wanted)

    def _open_units(self) -> dict[UUID, int]:
        return {line.id: line.open for line in self.lines}


def refuse_unknown_lines(named: Iterable[UUID], known: Container[UUID], *, of: str) -> None:
    """named: in the order of the request. of: what has the lines that are known. Raises
    UnknownLine."""
    faults = [
        FieldError(f"/lines/{position}/line_id", UnknownLine.code, f"{of} has no line {line_id}.")
        for position, line_id in enumerate(named)
        if line_id not in known
    ]
    if faults:
        raise UnknownLine(faults[0].detail, errors=faults)


def units_of(step: OrderStep) -> dict[UUID, int]:
    """How many of which line a step is about."""
    return {UUID(line_id): units for line_id, units in step.params["lines"].items()}


def as_params(units: Mapping[UUID, int]) -> dict[str, int]:
    return {str(line_id): count for line_id, count in units.items()}


def why(step: OrderStep) -> dict[str, str]:
    """For the history: the reason of a step, where one was given."""
    return {"reason": step.reason} if step.reason else {}


def _told(step: OrderStep) -> dict[str, Any]:
    told: dict[str, Any] = {"step_id": str(step.id), "kind": step.kind}
    if step.gives_minor:
        told["gives_minor"] = step.gives_minor
    if step.takes_minor:
        told["takes_minor"] = step.takes_minor
    return told | why(step)
