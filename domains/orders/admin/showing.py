"""How orders, and what happened to them, are told to staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.html import format_html

from domains.orders.models import Order, OrderLine, OrderStep
from domains.orders.queries import orders as queries
from domains.orders.rules.invoices import address_lines, invoice_lines
from domains.users import public as users
from infrastructure.money import Money

# The look of a status: what is fine, what somebody waits for, what is over.
_LOOKS = {
    "CONFIRMED": "active",
    "COMPLETED": "active",
    "AUTHORISED": "active",
    "CAPTURED": "active",
    "FULFILLED": "active",
    "DONE": "active",
    "SUCCEEDED": "active",
    "RECEIVED": "active",
    "HELD": "active",
    "REJECTED": "archived",
    "CANCELLED": "archived",
    "DECLINED": "archived",
    "VOIDED": "archived",
    "REFUNDED": "archived",
    "RELEASED": "archived",
    "REFUSED": "archived",
    "FAILED": "archived",
    "NONE": "archived",
}


def words(code: str) -> str:
    """`PARTIALLY_FULFILLED` as people say it."""
    return code.replace("_", " ").capitalize()


def badge(code: str) -> str:
    return format_html('<span class="tag {}">{}</span>', _LOOKS.get(code, "draft"), words(code))


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An entry of the history, as a sentence."""

    at: datetime
    who: str
    what: str
    details: Sequence[str]
    is_note: bool = False


_SENTENCES = {
    "placed": "Order placed",
    "confirmed": "Order confirmed",
    "rejected": "Order rejected",
    "cancelled": "Order cancelled",
    "completed": "Order completed",
    "cancel_requested": "Cancellation asked for",
    "payment_tried_again": "Another payment tried",
    "payment_declined": "Payment declined",
    "lines_cancelled": "Items cancelled",
    "rest_let_go": "What was held beside what was taken was let go",
    "earlier_payment_refunded": "What was taken of the earlier payment was given back",
    "edited": "Order edited",
    "fulfilled": "Items sent",
    "tracking_changed": "Tracking changed",
    "captured": "Payment captured",
    "refunded": "Money given back",
    "refund_refused": "The gateway refused to give money back",
    "return_requested": "Return announced",
    "return_approved": "Return approved",
    "return_refused": "Return refused",
    "return_received": "Return received",
    "approval_asked": "Waits for a second person",
    "step_approved": "Approved by a second person",
    "step_disapproved": "Not approved",
    "step_refused": "Came to nothing",
    "note": "Note",
}
_AMOUNTS = {
    "amount_minor": "amount",
    "captured_minor": "captured",
    "gives_minor": "gives back",
    "takes_minor": "takes",
    "total_minor": "total now",
    "total_before_minor": "total before",
    "shipping_minor": "shipping",
}
# Of the machinery, or told by the sentence.
_UNTOLD = {"step_id", "return_id", "fulfilment_id", "visibility", "internal"}
_UNTOLD |= {"address_changed", "billing_address_changed"}


def timeline(order: Order) -> list[Told]:
    """The history of an order, the latest first: two statements."""
    entries = queries.history_of(order)
    edits = {str(step.id): step for step in order.steps if step.former_address}
    people = {entry.by.id for entry in entries if entry.by.id is not None}
    names = users.display_names(people) if people else {}
    return [
        _told(order, entry, names, former=_former_of(edits.get(entry.data.get("step_id", ""))))
        for entry in reversed(entries)
    ]


def _former_of(step: OrderStep | None) -> Mapping[str, Any]:
    """The addresses that an edit put others in the place of."""
    return (step and step.former_address) or {}


def _told(
    order: Order,
    entry: queries.HistoryEntry,
    names: Mapping[UUID, str],
    *,
    former: Mapping[str, Any],
) -> Told:
    name = names.get(entry.by.id, "") if entry.by.id else ""
    lines = {str(line.id): line for line in order.lines}
    text = [entry.text] if entry.text else []
    return Told(
        at=entry.at,
        who=f"{name} ({entry.by.kind})" if name else words(entry.by.kind),
        what=_SENTENCES.get(entry.code, words(entry.code)),
        details=[*text, *_details(order, entry.data, lines), *_moved(entry.data, former)],
        is_note=entry.code == "note",
    )


def _moved(data: Mapping[str, Any], former: Mapping[str, Any]) -> Iterator[str]:
    """What was said of addresses. The former ones are kept with the edit, not in the history."""
    for changed, name, of_what, lines_of in _ADDRESSES:
        if data.get(changed):
            was = ", ".join(lines_of(former[name])) or "that of the goods" if name in former else ""
            yield f"Another address for the {of_what}{was and f'; before: {was}'}"


_ADDRESSES = (
    ("address_changed", "shipping", "goods", address_lines),
    ("billing_address_changed", "billing", "invoice", invoice_lines),
)


def _details(order: Order, data: Mapping[str, Any], lines: Mapping[str, OrderLine]) -> list[str]:
    found = []
    for name, value in data.items():
        if name in _UNTOLD or value in (None, "", 0, [], {}, False):
            continue
        if name in _AMOUNTS:
            found.append(f"{_AMOUNTS[name]} {Money(value, order.currency)}")
        elif name in ("text", "note"):
            found.append(str(value))
        elif name == "lines" and isinstance(value, dict):
            found += [_line_told(order, lines.get(key), said) for key, said in value.items()]
        elif name in ("before", "after") and isinstance(value, dict):
            listed = ", ".join(f"{count} × {sku}" for sku, count in value.items())
            found.append(f"{name}: {listed}")
        elif name in ("reason", "refusal", "why", "kind"):
            found.append(words(str(value)))
        else:
            found.append(f"{words(name).lower()}: {value}")
    return found


def _line_told(order: Order, line: OrderLine | None, said: Any) -> str:
    sku = "a former line" if line is None else line.sku
    if not isinstance(said, dict):
        return f"{said} × {sku}"
    parts = []
    for name, value in said.items():
        if value:
            text = str(Money(value, order.currency)) if name == "minor" else f"{name} {value}"
            parts.append(text)
    return f"{sku}: {', '.join(parts)}"
