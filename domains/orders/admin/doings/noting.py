"""What staff write down about an order."""

from __future__ import annotations

from django import forms

from domains.orders.admin.doings.base import Doing
from domains.orders.services import noting

MAX_NOTE = 1000


class Note(Doing):
    what, title, button, scope = "note", "Leave a note", "Leave the note", "orders.note"
    is_previewed = False

    def fields(self) -> dict[str, forms.Field]:
        return {
            "text": forms.CharField(
                max_length=MAX_NOTE,
                widget=forms.Textarea(attrs={"rows": 4}),
                help_text="Only staff see it. It cannot be changed later: name nobody in it.",
            )
        }

    def carry_out(self) -> str:
        noting.note_order(order_id=self.order.id, text=self.said["text"], by=self.by, now=self.now)
        return "the note is left"
