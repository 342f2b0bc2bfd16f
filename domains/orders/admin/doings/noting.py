"""What staff write down about an order."""

from __future__ import annotations

from django import forms

from domains.orders.admin.doings.base import Doing
from domains.orders.admin.fields import note_field
from domains.orders.services import noting


class Note(Doing):
    what, title, button, scope = "note", "Leave a note", "Leave the note", "orders.note"
    is_previewed = False

    def fields(self) -> dict[str, forms.Field]:
        return {"text": note_field(required=True, rows=4)}

    def carry_out(self) -> str:
        noting.note_order(
            order_id=self.order.id, text=self.said["text"], by=self.by, key=self.key, now=self.now
        )
        return "the note is left"
