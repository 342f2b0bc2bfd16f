"""Goods come back: announced, decided, received."""

from __future__ import annotations

from uuid import UUID

from django import forms

from domains.orders.admin.doings.base import (
    Comes,
    Doing,
    at,
    ended,
    paid_ahead,
    required,
    units_of,
)
from domains.orders.admin.fields import choice_of_reasons, units_field, units_said, why_fields
from domains.orders.admin.showing import words
from domains.orders.models.commands.returning import Inspected
from domains.orders.services import returning
from domains.products import public as products
from infrastructure.errors import DomainError


class NothingChosen(DomainError):
    """Of no item any unit."""

    code, title = "nothing_chosen", "Nothing is chosen"


class RequestReturn(Doing):
    what, title, button, scope = "return", "Announce a return", "Announce", "orders.return"

    def about(self) -> tuple[str, ...]:
        left = self.order.units_to_return()
        told = (
            f"{line.sku}, {line.name}: {line.quantity:,} ordered, {line.fulfilled:,} sent,"
            f" {line.fulfilled - line.returned - left[line.id]:,} announced already,"
            f" {line.returned:,} back; {left[line.id]:,} at most."
            for line in self.order.lines
        )
        return (*told, *paid_ahead(self.order))

    def fields(self) -> dict[str, forms.Field]:
        return {
            **units_of(self.order.lines, self.order.units_to_return(), initial=0),
            "reason": choice_of_reasons(
                "changed_mind", "damaged", "wrong_item", "not_as_described"
            ),
        }

    def comes_to(self) -> Comes:
        units = units_said(self.said)
        if not units:
            raise NothingChosen("Say how many of what come back.")
        return Comes(sentences=("These come back:", *self.told(units)))

    def carry_out(self) -> str:
        returning.request_return(
            order_id=self.order.id,
            lines=units_said(self.said),
            reason=self.said["reason"],
            by=self.by,
            key=self.key,
            now=self.now,
        )
        return "the return is announced"


class DecideReturn(Doing):
    what, title, button, scope = "decide", "Decide a return", "Decide", "orders.return"
    has_part = True
    is_previewed = False

    def about(self) -> tuple[str, ...]:
        return _return_told(self)

    def fields(self) -> dict[str, forms.Field]:
        choices = [("yes", "Accept it"), ("no", "Refuse it")]
        return {
            "accept": forms.ChoiceField(
                choices=choices, widget=forms.RadioSelect, initial="yes", label="What to do"
            ),
            "reason": choice_of_reasons("within_terms", "too_late", "not_eligible"),
        }

    def carry_out(self) -> str:
        accept = self.said["accept"] == "yes"
        _decide(self, approve=accept)
        return "the return is accepted" if accept else "the return is refused"


class EndReturn(Doing):
    what, title, button, scope = "end", "Give nothing back", "End the return", "orders.return"
    has_part = True
    is_previewed = False

    def about(self) -> tuple[str, ...]:
        ends = "The return is over then, and nothing, or nothing more, is given back for it."
        return (*_return_told(self), ends)

    def fields(self) -> dict[str, forms.Field]:
        return {"reason": choice_of_reasons("damaged", "not_eligible", "paid_back_before")}

    def carry_out(self) -> str:
        _decide(self, approve=False)
        return "the return is over"


class ReceiveReturn(Doing):
    what, title, button, scope = "receive", "Receive a return", "Receive", "orders.return"
    has_part = True

    def about(self) -> tuple[str, ...]:
        return _return_told(self)

    def fields(self) -> dict[str, forms.Field]:
        fields: dict[str, forms.Field] = {}
        by_id = {line.id: line for line in self.order.lines}
        for expected in self.order.lines_of_return(required(self.part_id)):
            name = f"{by_id[expected.line_id].sku}, {expected.quantity:,} announced"
            fields[f"restocked_{expected.line_id}"] = units_field(
                expected.quantity, label=f"{name}: as good as new", initial=expected.quantity
            )
            fields[f"damaged_{expected.line_id}"] = units_field(
                expected.quantity, label=f"{name}: damaged", initial=0
            )
        fields["warehouse"] = forms.ChoiceField(choices=products.open_warehouses(), label="Into")
        return fields | why_fields("as_announced", "incomplete", "damaged", "not_as_described")

    def comes_to(self) -> Comes:
        names = {line.id: line.sku for line in self.order.lines}
        told = tuple(
            f"{names[line_id]}: {found.restocked:,} back on the shelf, {found.damaged:,} damaged"
            for line_id, found in self._inspected().items()
        )
        return Comes(sentences=(f"Into {self.said['warehouse']}:", *told))

    def carry_out(self) -> str:
        begun = returning.receive_return(
            order_id=self.order.id,
            return_id=required(self.part_id),
            inspected=self._inspected(),
            warehouse=self.said["warehouse"],
            reason=self.said["reason"],
            note=self.said["note"],
            by=self.by,
            key=self.key,
            now=self.now,
        )
        return ended(begun, "the return is received")

    def _inspected(self) -> dict[UUID, Inspected]:
        return {
            line.line_id: Inspected(
                restocked=self.said[f"restocked_{line.line_id}"] or 0,
                damaged=self.said[f"damaged_{line.line_id}"] or 0,
            )
            for line in self.order.lines_of_return(required(self.part_id))
        }


def _decide(doing: Doing, *, approve: bool) -> None:
    returning.decide_return(
        order_id=doing.order.id,
        return_id=required(doing.part_id),
        approve=approve,
        reason=doing.said["reason"],
        by=doing.by,
        key=doing.key,
        now=doing.now,
    )


def _return_told(doing: Doing) -> tuple[str, ...]:
    announced = doing.order.returned(required(doing.part_id))
    lines = doing.order.lines_of_return(announced.id)
    told = doing.told({line.line_id: line.quantity for line in lines})
    why = f": {words(announced.reason).lower()}" if announced.reason else ""
    ahead = paid_ahead(doing.order, of={line.line_id for line in lines})
    return (f"Announced on {at(announced.requested_at)}{why}.", *told, *ahead)
