"""What staff do to an order: for each a form, what it would come to, and the one service it calls.

A page shows what it would come to first. What is confirmed is exactly that: if it would come to
something else by then, that is shown instead of being done. A form that is sent twice acts once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.urls import reverse

from domains.orders import queries
from domains.orders.admin.fields import (
    AmountField,
    address_fields,
    address_said,
    choice_of_reasons,
    units_field,
    units_said,
)
from domains.orders.admin.showing import words
from domains.orders.models import Fulfilment, Order, OrderLine, Return
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.models.commands.returning import Inspected
from domains.orders.rules.history import By, Kind
from domains.orders.rules.steps import ReturnState
from domains.orders.services import (
    cancelling,
    editing,
    fulfilling,
    noting,
    previewing,
    refunding,
    returning,
)
from domains.orders.services.beginning import Begun
from domains.payments import public as payments
from domains.pricing import public as pricing
from domains.products import public as products
from domains.users import public as users
from infrastructure.errors import DomainError
from infrastructure.http.idempotency import IdempotencyKey, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.screens import ServiceForm

MAX_NOTE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Comes:
    """What a doing would come to, in sentences. warnings: what to think of before confirming."""

    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("\n".join(self.sentences + self.warnings).encode()).hexdigest()


class DoingForm(ServiceForm):
    """Every form knows the version that it was made from, and what it is called when sent twice."""

    fields_of_codes = {
        "unknown_sku": "sku",
        "payment_token_required": "token_of_payment",
        "payment_declined": "token_of_payment",
        "shipping_unavailable": "shipping_method",
        "unknown_shipping_method": "shipping_method",
    }

    version = forms.IntegerField(widget=forms.HiddenInput)
    token = forms.UUIDField(widget=forms.HiddenInput)


class Doing:
    """Something that can be done to an order. Subclasses fill the form, and say what it is."""

    what: ClassVar[str]
    title: ClassVar[str]
    button: ClassVar[str]
    scope: ClassVar[str]
    # Whether the page shows what it would come to before it can be confirmed.
    is_previewed: ClassVar[bool] = True
    # Whether it is about a part of the order that the address names.
    has_part: ClassVar[bool] = False

    def __init__(
        self, order: Order, posted: Any, part_id: UUID | None, *, user: Any, now: datetime
    ) -> None:
        self.order, self.part_id, self.user, self.now = order, part_id, user, now
        self.by = By(kind=Kind.STAFF, id=UUID(str(user.pk)))
        initial = {"version": order.version, "token": new_id()}
        self.form = DoingForm(posted, initial=initial)
        self.form.fields |= self.fields()

    def fields(self) -> dict[str, forms.Field]:
        return {}

    def about(self) -> tuple[str, ...]:
        """What the page tells first, whatever was entered."""
        return ()

    def comes_to(self) -> Comes:
        """Raises what the service would refuse."""
        return Comes(sentences=(self.title,))

    def carry_out(self) -> str:
        """Call the service. Returns what was done, as the end of a sentence."""
        raise NotImplementedError

    @property
    def said(self) -> dict[str, Any]:
        return self.form.cleaned_data

    @property
    def key(self) -> IdempotencyKey:
        said = sorted((n, str(v)) for n, v in self.said.items() if n not in ("token", "version"))
        return IdempotencyKey(
            client=f"user:{self.by.id}",
            route=f"admin {self.what} {self.order.id} {self.part_id}",
            key=str(self.said["token"]),
            fingerprint=fingerprint_of(said),
        )

    def told(self, lines: Mapping[UUID, int]) -> tuple[str, ...]:
        names = {line.id: line for line in self.order.lines}
        return tuple(f"{count:,} × {names[i].sku}, {names[i].name}" for i, count in lines.items())


class Capture(Doing):
    what, title, button, scope = "capture", "Capture", "Capture", "payments.capture"

    def fields(self) -> dict[str, forms.Field]:
        left = previewing.capturable(self.order)
        return {
            "amount": AmountField(
                currency=self.order.currency,
                initial=left,
                help_text=f"{left} are left to be taken.",
            )
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
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        return _ended(begun, f"{self.said['amount']} captured")


class Fulfil(Doing):
    what, title, button, scope = "fulfil", "Send items", "Mark as sent", "orders.fulfil"

    def fields(self) -> dict[str, forms.Field]:
        captures = previewing.captures_by_itself(self.order)
        return {
            **_units(self.order.lines, {line.id: line.open for line in self.order.lines}),
            "warehouse": forms.ChoiceField(choices=products.open_warehouses(), label="From"),
            "carrier": forms.CharField(required=False, max_length=60),
            "tracking_number": forms.CharField(required=False, max_length=100),
            "tracking_url": forms.URLField(
                required=False, max_length=500, label="Tracking page", assume_scheme="https"
            ),
            "capture": forms.BooleanField(
                required=False, initial=captures, label="Take the money for them"
            ),
        }

    def comes_to(self) -> Comes:
        lines = units_said(self.said)
        preview = previewing.fulfilment(
            order_id=self.order.id,
            lines=lines,
            warehouse=self.said["warehouse"],
            capture=self.said["capture"],
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
            capture=self.said["capture"],
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        return _ended(begun, "sent")


class Track(Doing):
    what, title, button, scope = "track", "Change the tracking", "Save", "orders.fulfil"
    has_part = True
    is_previewed = False

    @property
    def _parcel(self) -> Fulfilment:
        return self.order.fulfilment(_required(self.part_id))

    def about(self) -> tuple[str, ...]:
        left = {
            sent.line_id: sent.quantity
            for sent in self.order.fulfilment_lines
            if sent.fulfilment_id == self.part_id
        }
        parcel = self._parcel
        return (f"Left {parcel.warehouse} on {_at(parcel.created_at)}:", *self.told(left))

    def fields(self) -> dict[str, forms.Field]:
        parcel = self._parcel
        return {
            "carrier": forms.CharField(required=False, max_length=60, initial=parcel.carrier),
            "tracking_number": forms.CharField(
                required=False, max_length=100, initial=parcel.tracking_number
            ),
            "tracking_url": forms.URLField(
                required=False,
                max_length=500,
                initial=parcel.tracking_url,
                label="Tracking page",
                assume_scheme="https",
            ),
        }

    def carry_out(self) -> str:
        fulfilling.track(
            order_id=self.order.id,
            fulfilment_id=_required(self.part_id),
            tracking=_tracking(self.said),
            by=self.by,
            now=self.now,
        )
        return "the tracking is saved"


class Cancel(Doing):
    what, title, button, scope = "cancel", "Cancel", "Cancel items", "orders.cancel"

    def fields(self) -> dict[str, forms.Field]:
        return {
            **_units(self.order.lines, {line.id: line.open for line in self.order.lines}),
            "reason": choice_of_reasons("customer_request", "out_of_stock", "fraud", "duplicate"),
            "refund": forms.BooleanField(
                required=False,
                disabled=not may(self.user, Refund),
                label="Give money back",
                help_text="What was taken for them already. Without it nothing paid is cancelled.",
            ),
        }

    def comes_to(self) -> Comes:
        lines = self._lines()
        preview = previewing.cancellation(
            order_id=self.order.id,
            lines=lines,
            refund=self.said["refund"],
            by=self.by,
            now=self.now,
        )
        whole = lines is None or self.order.takes_all(lines)
        if whole:
            sentences: tuple[str, ...] = ("The whole order is cancelled, and its goods are free.",)
        else:
            sentences = ("These are cancelled, and free for others:", *self.told(lines or {}))
            sentences += (f"The order then costs {preview.total}.",)
        back = f"{preview.gives} are given back." if preview.gives.amount_minor else ""
        return Comes(sentences=(*sentences, *filter(None, [back])), warnings=_approval(preview))

    def carry_out(self) -> str:
        order, begun = cancelling.cancel(
            order_id=self.order.id,
            reason=self.said["reason"],
            lines=self._lines(),
            refund=self.said["refund"],
            by=self.by,
            key=self.key,
            now=self.now,
        )
        if begun is not None:
            return _ended(begun, "cancelled")
        return "cancelled" if order.status == "CANCELLED" else "its cancellation is under way"

    def _lines(self) -> dict[UUID, int] | None:
        """None for an order that was not decided: it can only be cancelled whole."""
        return None if self.order.status == "PENDING" else units_said(self.said)


class NothingChosen(DomainError):
    """Of no item any unit."""

    code, title = "nothing_chosen", "Nothing is chosen"


class RequestReturn(Doing):
    what, title, button, scope = "return", "Announce a return", "Announce", "orders.return"

    def fields(self) -> dict[str, forms.Field]:
        left = {line.id: line.fulfilled - line.returned for line in self.order.lines}
        return {
            **_units(self.order.lines, left, initial=0),
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
        returning.decide_return(
            order_id=self.order.id,
            return_id=_required(self.part_id),
            approve=accept,
            reason=self.said["reason"],
            by=self.by,
            now=self.now,
        )
        return "the return is accepted" if accept else "the return is refused"


class ReceiveReturn(Doing):
    what, title, button, scope = "receive", "Receive a return", "Receive", "orders.return"
    has_part = True

    def about(self) -> tuple[str, ...]:
        return _return_told(self)

    def fields(self) -> dict[str, forms.Field]:
        fields: dict[str, forms.Field] = {}
        by_id = {line.id: line for line in self.order.lines}
        for expected in self.order.lines_of_return(_required(self.part_id)):
            name = f"{by_id[expected.line_id].sku}, {expected.quantity:,} announced"
            fields[f"restocked_{expected.line_id}"] = units_field(
                expected.quantity, label=f"{name}: as good as new", initial=expected.quantity
            )
            fields[f"damaged_{expected.line_id}"] = units_field(
                expected.quantity, label=f"{name}: damaged", initial=0
            )
        fields["warehouse"] = forms.ChoiceField(choices=products.open_warehouses(), label="Into")
        return fields

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
            return_id=_required(self.part_id),
            inspected=self._inspected(),
            warehouse=self.said["warehouse"],
            by=self.by,
            key=self.key,
            now=self.now,
        )
        return _ended(begun, "the return is received")

    def _inspected(self) -> dict[UUID, Inspected]:
        return {
            line.line_id: Inspected(
                restocked=self.said[f"restocked_{line.line_id}"] or 0,
                damaged=self.said[f"damaged_{line.line_id}"] or 0,
            )
            for line in self.order.lines_of_return(_required(self.part_id))
        }


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
        left = {line.id: line.standing for line in self.order.lines}
        kept = previewing.refundable(self.order)
        return {
            **_units(self.order.lines, left, initial=0),
            "shipping": forms.BooleanField(required=False, label="The shipping"),
            "everything": forms.BooleanField(
                required=False, label="Everything", help_text=f"All that is kept: {kept}."
            ),
            "amount": AmountField(
                currency=self.order.currency,
                required=False,
                label="Or an amount",
                help_text=f"Whatever for, up to {kept}; then choose nothing above.",
            ),
            **reason,
        }

    def comes_to(self) -> Comes:
        preview = previewing.refund(
            order_id=self.order.id, wish=self._wish(), by=self.by, now=self.now
        )
        lines = units_said(self.said)
        return Comes(
            sentences=(f"{preview.gives} are given back.", *self.told(lines)),
            warnings=_approval(preview),
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
        return _ended(begun, f"{given} given back")

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


class NothingToChange(DomainError):
    """An edit that says what is true already."""

    code, title = "nothing_to_change", "Nothing would change"


class Edit(Doing):
    what, title, button, scope = "edit", "Edit", "Change the order", "orders.edit"

    def fields(self) -> dict[str, forms.Field]:
        fields: dict[str, forms.Field] = {
            f"units_{line.id}": units_field(
                1_000_000, label=f"{line.sku}, {line.name}", initial=line.standing
            )
            for line in self.order.lines
        }
        return {
            **fields,
            "sku": forms.CharField(required=False, max_length=64, label="Another SKU"),
            "quantity": units_field(1_000_000, label="How many of it", initial=1, required=False),
            "shipping_method": forms.ChoiceField(
                required=False,
                choices=_with(
                    (self.order.shipping_method, self.order.shipping_name or "The usual one"),
                    pricing.open_shipping_methods(),
                ),
                initial=self.order.shipping_method,
                label="Shipping",
            ),
            **address_fields(self.order.shipping_address),
            "token_of_payment": forms.CharField(
                required=False,
                max_length=200,
                label="Means of payment",
                help_text="The gateway's token, where the order gets dearer than was authorised.",
            ),
            "reason": choice_of_reasons("customer_request", "staff_error", "out_of_stock"),
        }

    def comes_to(self) -> Comes:
        preview = previewing.edit(
            order_id=self.order.id, edit=self._edit(), by=self.by, now=self.now
        )
        sentences = [f"The order costs {preview.total} then, and {self.order.total} now."]
        if preview.pays_anew:
            sentences.append(f"{preview.takes} are authorised anew; the earlier payment is let go.")
        if preview.gives.amount_minor:
            sentences.append(f"{preview.gives} are given back.")
        return Comes(sentences=tuple(sentences), warnings=_approval(preview))

    def carry_out(self) -> str:
        begun = editing.edit(
            order_id=self.order.id,
            edit=self._edit(),
            reason=self.said["reason"],
            by=self.by,
            key=self.key,
            version=self.said["version"],
            now=self.now,
        )
        return _ended(begun, "changed")

    def _edit(self) -> editing.Edit:
        changed = [
            editing.LineEdit(line_id=line.id, quantity=self.said[f"units_{line.id}"] or 0)
            for line in self.order.lines
            if (self.said[f"units_{line.id}"] or 0) != line.standing
        ]
        if self.said["sku"]:
            quantity = self.said["quantity"] or 1
            changed.append(editing.LineEdit(sku=self.said["sku"].strip(), quantity=quantity))
        address: dict[str, str] | None = address_said(self.said)
        if address == {name: self.order.shipping_address.get(name, "") for name in address or ()}:
            address = None
        shipping = self.said["shipping_method"]
        if shipping == self.order.shipping_method:
            shipping = None
        if not changed and address is None and shipping is None:
            raise NothingToChange("Everything is as it was.")
        return editing.Edit(
            lines=changed,
            shipping_address=address,
            shipping_method=shipping,
            token=self.said["token_of_payment"],
        )


class Approve(Doing):
    what, title, button = "approve", "Approve", "Approve"
    scope = "orders.approve_refunds"
    has_part = True

    def about(self) -> tuple[str, ...]:
        return _step_told(self)

    def comes_to(self) -> Comes:
        step = self.order.step(_required(self.part_id))
        gives = Money(step.gives_minor, self.order.currency)
        return Comes(sentences=(f"{gives} are given back to the customer.",))

    def carry_out(self) -> str:
        begun = refunding.approve_step(
            order_id=self.order.id,
            step_id=_required(self.part_id),
            actor_id=_required(self.by.id),
            now=self.now,
        )
        return _ended(begun, "approved and done")


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
            step_id=_required(self.part_id),
            actor_id=_required(self.by.id),
            reason=self.said["reason"],
            now=self.now,
        )
        return "not approved; nothing was done"


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


_ALL: tuple[type[Doing], ...] = (
    *(Fulfil, Capture, Edit, Cancel, RequestReturn, Refund),
    *(Track, DecideReturn, ReceiveReturn, Approve, Disapprove, Note),
)
KINDS: dict[str, type[Doing]] = {kind.what: kind for kind in _ALL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Offered:
    title: str
    address: str


def may(user: Any, kind: type[Doing]) -> bool:
    return bool(user.is_active and user.has_scope(kind.scope))


def offered(user: Any, order: Order, payment: payments.PaymentView | None) -> list[Offered]:
    """What this person can do to the order as it is; while something is under way, nothing."""
    if order.step_id is not None:
        return []
    captured = payment.captured.amount_minor if payment else 0
    kept = captured - (payment.refunded.amount_minor if payment else 0)
    standing = order.status in ("CONFIRMED", "COMPLETED")
    is_open = any(line.open for line in order.lines)
    possible: list[tuple[type[Doing], bool]] = [
        (Fulfil, order.status == "CONFIRMED" and is_open),
        (Capture, standing and payment is not None and captured < order.total_minor),
        (Edit, order.status == "CONFIRMED" and not any(line.fulfilled for line in order.lines)),
        (Cancel, order.status == "PENDING" or (order.status == "CONFIRMED" and is_open)),
        (RequestReturn, standing and any(line.fulfilled > line.returned for line in order.lines)),
        (Refund, kept > 0),
    ]
    return [_offer(kind, order) for kind, can in possible if can and may(user, kind)]


def of_return(user: Any, order: Order, announced: Return) -> list[Offered]:
    if order.step_id is not None:
        return []
    kind = _OF_RETURNS.get(ReturnState(announced.state))
    if kind is None or not may(user, kind):
        return []
    return [_offer(kind, order, announced.id)]


_OF_RETURNS: dict[ReturnState, type[Doing]] = {
    ReturnState.REQUESTED: DecideReturn,
    ReturnState.APPROVED: ReceiveReturn,
    ReturnState.RECEIVED: Refund,
}


def _offer(kind: type[Doing], order: Order, part_id: UUID | None = None) -> Offered:
    if part_id is None:
        address = reverse("admin:orders_order_do", args=[order.id, kind.what])
    else:
        address = reverse("admin:orders_order_do_part", args=[order.id, kind.what, part_id])
    return Offered(title=kind.title, address=address)


def _units(
    lines: Iterable[OrderLine], available: Mapping[UUID, int], *, initial: int | None = None
) -> dict[str, forms.Field]:
    """One number per line of which there is something, filled with all of it unless told."""
    return {
        f"units_{line.id}": units_field(
            available[line.id],
            label=f"{line.sku}, {line.name}",
            initial=available[line.id] if initial is None else initial,
            help_text=f"of {available[line.id]:,}",
        )
        for line in lines
        if available[line.id]
    }


def _with(kept: tuple[str, str], offered: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is offered, and what is chosen already though it may be offered no more."""
    return [*([] if kept[0] in dict(offered) else [kept]), *offered]


def _return_told(doing: Doing) -> tuple[str, ...]:
    announced = doing.order.returned(_required(doing.part_id))
    lines = doing.order.lines_of_return(announced.id)
    told = doing.told({line.line_id: line.quantity for line in lines})
    why = f": {words(announced.reason).lower()}" if announced.reason else ""
    return (f"Announced on {_at(announced.requested_at)}{why}.", *told)


def _step_told(doing: Doing) -> tuple[str, ...]:
    step = doing.order.step(_required(doing.part_id))
    names = users.display_names([step.actor_id]) if step.actor_id else {}
    who = names.get(step.actor_id, "") if step.actor_id else ""
    gives = Money(step.gives_minor, doing.order.currency)
    why = f": {words(step.reason).lower()}" if step.reason else ""
    by = f" by {who}" if who else ""
    return (f"{words(step.kind)} of {gives}, asked for{by} on {_at(step.requested_at)}{why}.",)


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _tracking(said: Mapping[str, Any]) -> Tracking:
    return Tracking(
        carrier=said["carrier"], number=said["tracking_number"], url=said["tracking_url"]
    )


def _approval(preview: previewing.Preview) -> tuple[str, ...]:
    if not preview.needs_approval:
        return ()
    return ("So much takes a second person: it is done once somebody else has approved it.",)


def _ended(begun: Begun, done: str) -> str:
    if begun.is_done:
        return done
    if begun.step.state == "AWAITING_APPROVAL":
        return "asked for; it waits for a second person"
    confirmation = queries.confirmation_of(begun.step)
    if confirmation is not None:
        return f"asked for; the customer has to confirm the payment at {confirmation.url}"
    return "under way; the gateway has not answered yet"


def _required(value: UUID | None) -> UUID:
    """Of a page that names a part, or of somebody who is signed in: there is one."""
    assert value is not None
    return value
