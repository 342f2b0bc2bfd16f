"""Goods leave: what is sent, and where its parcel is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from domains.orders.admin.doings.base import Comes, Doing, at, ended, required, units_of
from domains.orders.admin.fields import units_said, why_fields
from domains.orders.models import Fulfilment
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.services import fulfilling, previewing
from domains.products import public as products
from infrastructure.form_fields import LineField, one_line


class Fulfil(Doing):
    what, title, button, scope = "fulfil", "Send items", "Mark as sent", "orders.fulfil"

    def fields(self) -> dict[str, forms.Field]:
        fields: dict[str, forms.Field] = {
            **units_of(self.order.lines, {line.id: line.open for line in self.order.lines}),
            "warehouse": forms.ChoiceField(choices=products.open_warehouses(), label="From"),
            "carrier": LineField(required=False, max_length=60),
            "tracking_number": LineField(required=False, max_length=100),
            "tracking_url": forms.URLField(
                required=False,
                max_length=500,
                label="Tracking page",
                assume_scheme="https",
                validators=[one_line],
            ),
        }
        # Of what is paid by bank there is nothing to take.
        if fulfilling.captures_by_itself(self.order):
            fields["capture"] = forms.BooleanField(
                required=False, initial=True, label="Take the money for them"
            )
        return fields | why_fields("in_stock_again", "expedited", "replacement")

    def comes_to(self) -> Comes:
        lines = units_said(self.said)
        preview = previewing.fulfilment(
            order_id=self.order.id,
            lines=lines,
            warehouse=self.said["warehouse"],
            capture=self.said.get("capture", False),
            may_be_unpaid=self.user.has_scope(fulfilling.SEND_UNPAID),
            by=self.by,
            now=self.now,
        )
        money = (
            f"{preview.takes} are taken." if preview.takes.amount_minor else "No money is taken."
        )
        return Comes(
            sentences=(
                f"These leave {self.said['warehouse']}:",
                *self.told(lines),
                money,
            )
        )

    def carry_out(self) -> str:
        begun = fulfilling.fulfil(
            order_id=self.order.id,
            lines=units_said(self.said),
            warehouse=self.said["warehouse"],
            tracking=_tracking(self.said),
            reason=self.said["reason"],
            note=self.said["note"],
            capture=self.said.get("capture", False),
            may_be_unpaid=self.user.has_scope(fulfilling.SEND_UNPAID),
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        return ended(begun, "sent")


class Track(Doing):
    what, title, button, scope = "track", "Change the tracking", "Save", "orders.fulfil"
    has_part = True
    is_previewed = False

    @property
    def _parcel(self) -> Fulfilment:
        return self.order.fulfilment(required(self.part_id))

    def about(self) -> tuple[str, ...]:
        left = {
            sent.line_id: sent.quantity
            for sent in self.order.fulfilment_lines
            if sent.fulfilment_id == self.part_id
        }
        parcel = self._parcel
        return (f"Left {parcel.warehouse} on {at(parcel.created_at)}:", *self.told(left))

    def fields(self) -> dict[str, forms.Field]:
        parcel = self._parcel
        return {
            "carrier": LineField(required=False, max_length=60, initial=parcel.carrier),
            "tracking_number": LineField(
                required=False, max_length=100, initial=parcel.tracking_number
            ),
            "tracking_url": forms.URLField(
                required=False,
                max_length=500,
                initial=parcel.tracking_url,
                label="Tracking page",
                assume_scheme="https",
                validators=[one_line],
            ),
        }

    def carry_out(self) -> str:
        fulfilling.track(
            order_id=self.order.id,
            fulfilment_id=required(self.part_id),
            tracking=_tracking(self.said),
            by=self.by,
            now=self.now,
        )
        return "the tracking is saved"


def _tracking(said: Mapping[str, Any]) -> Tracking:
    return Tracking(
        carrier=said["carrier"], number=said["tracking_number"], url=said["tracking_url"]
    )
