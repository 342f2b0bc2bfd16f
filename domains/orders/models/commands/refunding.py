"""Money is given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from domains.orders.errors import (
    InvalidPaymentAmount,
    NothingCaptured,
    OrderNotRefundable,
    RefundExceedsPayment,
    ReturnNotReceived,
)
from domains.orders.models.commands.returning import Returning
from domains.orders.models.steps import OrderStep
from domains.orders.rules import steps as rules
from domains.orders.rules.accounts import SHIPPING, Account
from domains.orders.rules.history import SYSTEM, By
from domains.orders.rules.placement import Status
from domains.orders.rules.steps import Money, ReturnState, StepKind, StepState

# The reason of a refund that no step of the order asked for.
ASKED_ELSEWHERE = "asked_elsewhere"


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundWish:
    """What is to be given back; with nothing named, all that was taken.

    units: of lines, by their ids. return_id: for what came back with a return. amount_minor: so
    much, whatever for; named alone.
    """

    units: Mapping[UUID, int] = field(default_factory=dict)
    shipping: bool = False
    return_id: UUID | None = None
    amount_minor: int | None = None

    @property
    def is_for_all(self) -> bool:
        return not self.is_for_parts and self.amount_minor is None

    @property
    def is_for_parts(self) -> bool:
        return bool(self.units or self.shipping or self.return_id)


@dataclass(frozen=True, slots=True)
class _Share:
    """Of one line: so much, for so many units (0 where it is not counted in units)."""

    minor: int
    units: int = 0


class Refunding(Returning):
    class Meta:
        abstract = True

    # Commands

    def begin_refund(
        self,
        wish: RefundWish,
        *,
        reason: str,
        money: Money,
        limits: rules.Limits,
        actor: By,
        now: datetime,
    ) -> OrderStep:
        """Give back what the wish names. Never more than was taken and kept, no unit twice, and
        of lines and shipping no more than was paid for them.

        Raises InvalidPaymentAmount, OrderNotRefundable, NothingCaptured, RefundExceedsPayment,
        UnknownLine, TooManyUnits, ReturnNotFound, ReturnNotReceived, StepInProgress.
        """
        if wish.amount_minor is not None and wish.amount_minor <= 0:
            raise InvalidPaymentAmount("The amount must be above 0.")
        if self.status == Status.PENDING:
            raise OrderNotRefundable(f"Order {self.number} is {self.status}.")
        self._refuse_if_busy()
        if not money.captured:
            raise NothingCaptured(f"Nothing was taken for order {self.number}.")
        account = self._account(money)
        lines, shipping = self._shares(wish, account)
        gives = (
            wish.amount_minor
            if wish.amount_minor is not None
            else money.kept
            if wish.is_for_all
            else sum(share.minor for share in lines.values()) + shipping
        )
        self._refuse_amount(gives, money.kept)
        of_parts = sum(share.minor for share in lines.values()) + shipping
        if wish.is_for_parts:
            shares = {str(line_id): share.minor for line_id, share in lines.items()}
            if account.refunds(shares | {SHIPPING: shipping}).is_sent_unpaid:
                raise RefundExceedsPayment("It was not paid for, or something sent would not be.")
        return self._begin(
            StepKind.REFUND,
            actor=actor,
            now=now,
            params={
                "lines": {
                    str(line_id): {"units": share.units, "minor": share.minor}
                    for line_id, share in lines.items()
                },
                "shipping_minor": shipping,
                "for_less_minor": min(gives - of_parts, self._never_due(money)),
                "return_id": str(wish.return_id) if wish.return_id else None,
            },
            gives=gives,
            reason=reason,
            limits=limits,
        )

    def _refuse_amount(self, gives: int, most: int) -> None:
        """Raises RefundExceedsPayment."""
        if most <= 0:
            raise RefundExceedsPayment("Nothing is left to be given back.")
        if gives <= 0:
            raise RefundExceedsPayment("Nothing was paid for it that could be given back.")
        if gives > most:
            asked = self._as_money(gives)
            raise RefundExceedsPayment(f"{self._as_money(most)} at most, not {asked}.")

    def see_refund(
        self,
        operation_id: UUID,
        amount_minor: int,
        *,
        money: Money,
        actor: By = SYSTEM,
        now: datetime,
    ) -> bool:
        """Money went back that no step of the order asked for: by the doors of payments, or at the
        gateway; or one did, and came to nothing all the same. It counts as a refund of an amount,
        once, and as the step that did not ask for it. Whether it had not been counted before.

        money: as it stands, this refund included. actor: who gave it back, where that is known.
        """
        known = {step.id: step for step in self.steps}
        asked = known.get(operation_id)
        if asked is not None:
            if not asked.refusal:
                return False
            operation_id = uuid5(operation_id, "refused")
            if operation_id in known:
                return False
        step = OrderStep(
            id=operation_id,
            kind=StepKind.REFUND,
            state=StepState.DONE,
            params={
                "lines": {},
                "shipping_minor": 0,
                "for_less_minor": min(amount_minor, self._never_due(money)),
                "return_id": None,
            },
            gives_minor=amount_minor,
            reason=ASKED_ELSEWHERE,
            actor_kind=actor.kind,
            actor_id=actor.id,
            decided_by=None if asked is None else asked.decided_by,
            requested_at=now,
            finished_at=now,
        )
        self.steps = [*self.steps, step]
        self._give_back(step)
        self.close_returns(money)
        self._note_refund(step, now)
        self._tell(reason=step.reason, now=now)
        return True

    def finish_refund(self, step: OrderStep, *, now: datetime) -> None:
        for line_id, share in step.params["lines"].items():
            self.line(UUID(line_id)).refunded_minor += share["minor"]
        if step.params["return_id"]:
            refunded = self.returned(UUID(step.params["return_id"]))
            refunded.state = ReturnState.REFUNDED
            refunded.refunded_minor = step.gives_minor
        self._give_back(step)
        self._note_refund(step, now)
        self._done(step, now=now)

    # Questions

    @property
    def shipping_refundable(self) -> int:
        """What of the shipping was not given back, in minor units."""
        return max(int(self.shipping_minor) - self.shipping_refunded, 0)

    def _note_refund(self, step: OrderStep, now: datetime) -> None:
        self.note(
            "refunded",
            actor=step.actor,
            at=now,
            step_id=str(step.id),
            amount_minor=step.gives_minor,
            reason=step.reason,
            lines=step.params["lines"],
            shipping_minor=step.params["shipping_minor"],
        )

    def overpaid(self, money: Money) -> int:
        """What of the money that is kept pays for nothing any more: the order costs less by now, or
        is over. What a step is about to give back is not of it. Of an order that is not decided
        payments know themselves what is too much."""
        kept = max(money.kept, 0)
        if self.status in (Status.CANCELLED, Status.REJECTED):
            return kept
        return 0 if self.status == Status.PENDING else min(self._never_due(money), kept)

    def _never_due(self, money: Money) -> int:
        """What was taken beyond what the order costs: to give it back lowers no price. All of it
        while nothing is due from an order, since it is not decided."""
        if self.status in (Status.PENDING, Status.REJECTED):
            return money.captured
        beyond = money.beyond(self.total_minor)
        applied = self.open_step
        if applied is not None and applied.state == StepState.APPLIED:
            beyond -= applied.gives_minor  # that step gives it back itself
        return max(beyond, 0)

    def _shares(self, wish: RefundWish, account: Account) -> tuple[dict[UUID, _Share], int]:
        """How much of each line and of the shipping the wish is about."""
        if wish.amount_minor is not None:
            return {}, 0
        if wish.is_for_all:
            shares = account.shared_out(account.money.kept)
            shipping = shares.pop(SHIPPING, 0)
            return {UUID(line_id): _Share(minor) for line_id, minor in shares.items()}, shipping
        units = dict(wish.units)
        if wish.return_id is not None:
            back = self.returned(wish.return_id)
            if back.state != ReturnState.RECEIVED:
                raise ReturnNotReceived(f"The return is {back.state}.")
            left = self.units_to_pay_back(back.id)
            units = {line_id: count for line_id, count in left.items() if count}
        elif units:
            units = self._units(units, self.units_to_refund())
        of_units = {line_id: self._share(line_id, count) for line_id, count in units.items()}
        return of_units, self.shipping_refundable if wish.shipping else 0

    def _share(self, line_id: UUID, units: int) -> _Share:
        return _Share(self._worth_to_refund(line_id, units), units)

    def units_to_refund(self) -> dict[UUID, int]:
        """What stands of each line and was not paid back in units."""
        return {
            line.id: max(line.standing - self._refunded_units(line.id), 0) for line in self.lines
        }
