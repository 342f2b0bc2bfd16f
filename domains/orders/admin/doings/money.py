"""Money is taken and given back, and what needs a second person is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from django import forms

from domains.orders.admin.doings.base import (
    Comes,
    Doing,
    approval,
    at,
    ended,
    paid_ahead,
    required,
    units_of,
)
from domains.orders.admin.fields import choice_of_reasons, units_said, why_fields
from domains.orders.admin.showing import words
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.services import fulfilling, previewing, refunding
from domains.users import public as users
from infrastructure.errors import DomainError
from infrastructure.form_fields import AmountField
from infrastructure.money import Money


class Capture(Doing):
    what, title, button, scope = "capture", "Capture", "Capture", "payments.capture"

    def fields(self) -> dict[str, forms.Field]:
        left = previewing.capturable(self.order)
        return {
            "amount": AmountField(
                currency=self.order.currency,
                positive=True,
                initial=left,
                help_text=f"{left} are left to be taken.",
            ),
            **why_fields("before_sending", "partial_delivery", "agreed_with_customer"),
        }

    def comes_to(self) -> Comes:
        preview = previewing.capture(
            order_id=self.order.id,
            amount_minor=self.said["amount"].amount_minor,
            by=self.by,
            now=self.now,
        )
        return Comes(sentences=(f"{preview.takes} are taken from the customer.",))

    def carry_out(self) -> str:
        begun = fulfilling.capture(
            order_id=self.order.id,
            amount_minor=self.said["amount"].amount_minor,
            reason=self.said["reason"],
            note=self.said["note"],
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        return ended(begun, f"{self.said['amount']} captured")


class WhatToGiveBack(DomainError):
    """Nothing was chosen, or two things that exclude each other."""

    code, title = "what_to_give_back", "It is not clear what is to be given back"


class Refund(Doing):
    """part_id: of a return whose goods are paid back."""

    what, title, button, scope = "refund", "Give money back", "Give back", "payments.refund"

    def fields(self) -> dict[str, forms.Field]:
        reason: dict[str, forms.Field] = {
            "reason": choice_of_reasons("returned", "damaged", "late", "price_error", "goodwill")
        }
        if self.part_id is not None:
            return reason
        left = self.order.units_to_refund()
        kept = previewing.refundable(self.order)
        return {
            **units_of(self.order.lines, left, initial=0),
            "shipping": forms.BooleanField(required=False, label="The shipping"),
            "everything": forms.BooleanField(
                required=False, label="Everything", help_text=f"All that is kept: {kept}."
            ),
            "amount": AmountField(
                currency=self.order.currency,
                positive=True,
                required=False,
                label="Or an amount",
                help_text=f"Whatever for, up to {kept}; then choose nothing above.",
            ),
            **reason,
        }

    def about(self) -> tuple[str, ...]:
        return paid_ahead(self.order) if self.part_id is None else self._paid_before(self.part_id)

    def comes_to(self) -> Comes:
        preview = previewing.refund(
            order_id=self.order.id, wish=self._wish(), by=self.by, now=self.now
        )
        lines = units_said(self.said)
        sentences = (f"{preview.gives} are given back.", *self.told(lines), *self._not_back(lines))
        return Comes(sentences=sentences, warnings=approval(preview))

    def _not_back(self, lines: Mapping[UUID, int]) -> Iterator[str]:
        """Of what is chosen, what was sent and may still come back."""
        ahead = self.order.units_paid_ahead(lines)
        for line in self.order.lines:
            units = min(
                lines.get(line.id, 0), ahead.get(line.id, 0), line.fulfilled - line.returned
            )
            if units > 0:
                yield (
                    f"{units:,} × {line.sku} did not come back. This counts for them if they do:"
                    " nothing more is given back then."
                )

    def _paid_before(self, return_id: UUID) -> tuple[str, ...]:
        """What came back with a return and is not paid back by it."""
        left = self.order.units_to_pay_back(return_id)
        skus = {line.id: line.sku for line in self.order.lines}
        return tuple(
            f"Paid back before: {line.received - left[line.line_id]:,} of"
            f" {line.received:,} × {skus[line.line_id]} that came back."
            for line in self.order.lines_of_return(return_id)
            if left[line.line_id] < line.received
        )

    def carry_out(self) -> str:
        begun = refunding.refund(
            order_id=self.order.id,
            wish=self._wish(),
            reason=self.said["reason"],
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        given = Money(begun.step.gives_minor, self.order.currency)
        return ended(begun, f"{given} given back")

    def _wish(self) -> RefundWish:
        if self.part_id is not None:
            return RefundWish(return_id=self.part_id)
        amount, units = self.said["amount"], units_said(self.said)
        chosen = (bool(units) or self.said["shipping"], amount is not None, self.said["everything"])
        if sum(chosen) != 1:
            raise WhatToGiveBack(
                "Choose items and shipping, an amount, or everything: one of them."
            )
        return RefundWish(
            units=units,
            shipping=self.said["shipping"],
            amount_minor=None if amount is None else amount.amount_minor,
        )


class Approve(Doing):
    what, title, button = "approve", "Approve", "Approve"
    scope = "orders.approve_refunds"
    has_part = True

    def about(self) -> tuple[str, ...]:
        return _step_told(self)

    def comes_to(self) -> Comes:
        step = self.order.step(required(self.part_id))
        gives = Money(step.gives_minor, self.order.currency)
        return Comes(sentences=(f"{gives} are given back to the customer.",))

    def carry_out(self) -> str:
        begun = refunding.approve_step(
            order_id=self.order.id,
            step_id=required(self.part_id),
            actor_id=required(self.by.id),
            key=self.key,
            now=self.now,
        )
        return ended(begun, "approved and done")


class Disapprove(Doing):
    what, title, button = "disapprove", "Do not approve", "Do not approve"
    scope = "orders.approve_refunds"
    has_part = True
    is_previewed = False

    def about(self) -> tuple[str, ...]:
        return _step_told(self)

    def fields(self) -> dict[str, forms.Field]:
        return {"reason": choice_of_reasons("not_justified", "wrong_amount", "suspicious")}

    def carry_out(self) -> str:
        refunding.disapprove_step(
            order_id=self.order.id,
            step_id=required(self.part_id),
            actor_id=required(self.by.id),
            reason=self.said["reason"],
            key=self.key,
            now=self.now,
        )
        return "not approved; nothing was done"


def _step_told(doing: Doing) -> tuple[str, ...]:
    step = doing.order.step(required(doing.part_id))
    names = users.display_names([step.actor_id]) if step.actor_id else {}
    who = names.get(step.actor_id, "") if step.actor_id else ""
    gives = Money(step.gives_minor, doing.order.currency)
    why = f": {words(step.reason).lower()}" if step.reason else ""
    by = f" by {who}" if who else ""
    return (f"{words(step.kind)} of {gives}, asked for{by} on {at(step.requested_at)}{why}.",)
