"""What all doings have in common, and what several of them say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django import forms

from domains.orders.admin.fields import units_field
from domains.orders.models import Order, OrderLine, PaymentChoice
from domains.orders.queries import orders as queries
from domains.orders.rules.history import By, Kind
from domains.orders.rules.steps import NOT_APPROVED, StepState
from domains.orders.services import payment_choices, previewing
from domains.orders.services.beginning import Begun
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError
from infrastructure.http import idempotency
from infrastructure.http.idempotency import IdempotencyKey, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.screens import ServiceForm


@dataclass(frozen=True, kw_only=True, slots=True)
class Comes:
    """What a doing would come to, in sentences. warnings: what to think of before confirming.
    entered: what it was made of, by field, since no sentence says all of it."""

    sentences: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    entered: Sequence[tuple[str, object]] = ()

    @property
    def fingerprint(self) -> str:
        """What staff agree to: to exactly this, as exactly this was entered."""
        return fingerprint_of((self.sentences, self.warnings, self.entered)).hex()


# What a browser sends besides what was entered, or that says which step of the page it is.
_NOT_ENTERED = {"csrfmiddlewaretoken", "token", "version", "agreed", "confirm", "look"}
# What is said about it, and moves nothing: it may be added to what was shown.
WORDS = {"reason", "note"}


class DoingForm(ServiceForm):
    """Every form knows the version that it was made from, and what it is called when sent twice."""

    fields_of_codes = {
        "unknown_sku": "sku",
        "not_sold_in_currency": "sku",
        "payment_token_required": "token_of_payment",
        "card_number_refused": "token_of_payment",
        "payment_declined": "token_of_payment",
        "unknown_payment_method": "method",
        "shipping_unavailable": "shipping_method",
        "unknown_shipping_method": "shipping_method",
    }

    version = forms.IntegerField(widget=forms.HiddenInput)
    token = forms.UUIDField(widget=forms.HiddenInput)


class Doing(ABC):
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
        self,
        order: Order,
        posted: Any,
        part_id: UUID | None,
        *,
        user: Any,
        return_url: str,
        now: datetime,
    ) -> None:
        """return_url: where a customer comes back to from confirming a payment that it begins."""
        self.order, self.part_id, self.user, self.now = order, part_id, user, now
        self.return_url = return_url
        self._posted = posted
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

    def looked_at(self) -> Comes:
        """`comes_to`, to be agreed to."""
        asked = self.form.fields.keys() - WORDS
        return replace(
            self.comes_to(), entered=[field for field in self._entered if field[0] in asked]
        )

    @abstractmethod
    def carry_out(self) -> str:
        """Call the service. Returns what was done, as the end of a sentence."""

    def confirm(self) -> str:
        """`carry_out`; where it comes to nothing, the form is a new one, of the order as that left
        it: corrected, it may be confirmed again. Not while its twin may be at work."""
        try:
            return self.carry_out()
        except ConcurrentModification:
            raise
        except DomainError as refusal:
            if refusal.code != idempotency.Duplicate.code:
                version = Order.objects.whole(self.order.id).version
                self.form.reissue(token=new_id(), version=version)
            raise

    def sent_before(self) -> str:
        """What came of this very form where it was confirmed before, as the end of a sentence; else
        nothing. By what that came to, the form may ask for less by now, or find faults.

        Raises IdempotencyKeyReused for another one under its token.
        """
        if "token" in self.form.errors:
            return ""
        made = idempotency.find(alias_of("orders"), self.key)
        if made is None:
            return ""
        refused = [
            step.id
            for step in self.order.steps
            if step.state == StepState.REFUSED and step.refusal != NOT_APPROVED
        ]
        return "came to nothing" if made in refused else "done once"

    @property
    def said(self) -> dict[str, Any]:
        return self.form.cleaned_data

    @property
    def key(self) -> IdempotencyKey:
        """Of what was entered, and not of what the form reads of it: its fields follow the order,
        which the first one has changed."""
        return IdempotencyKey(
            client=f"user:{self.by.id}",
            route=f"admin {self.what} {self.order.id} {self.part_id}",
            key=str(self.said["token"]),
            fingerprint=fingerprint_of(self._entered),
        )

    @property
    def _entered(self) -> list[tuple[str, list[str]]]:
        return sorted((n, all_) for n, all_ in self._posted.lists() if n not in _NOT_ENTERED)

    def told(self, lines: Mapping[UUID, int]) -> tuple[str, ...]:
        names = {line.id: line for line in self.order.lines}
        return tuple(f"{count:,} × {names[i].sku}, {names[i].name}" for i, count in lines.items())


def may(user: Any, kind: type[Doing]) -> bool:
    return bool(user.is_active and user.has_scope(kind.scope))


def units_of(
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


def paid_ahead(order: Order, *, of: Collection[UUID] | None = None) -> tuple[str, ...]:
    """What counts first for what is still to come back, of all lines or of these."""
    skus = {line.id: line.sku for line in order.lines}
    return tuple(
        f"Money went back before for {units:,} × {skus[line_id]} that did not come back. It counts"
        " first: for so many of those that do, nothing more is given back."
        for line_id, units in order.units_paid_ahead().items()
        if of is None or line_id in of
    )


def at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def approval(preview: previewing.Preview) -> tuple[str, ...]:
    if not preview.needs_approval:
        return ()
    return ("So much takes a second person: it is done once somebody else has approved it.",)


def owed_by_guest(order: Order, payment: PaymentChoice) -> tuple[str, ...]:
    if not payment_choices.is_owed_by_guest(payment.method, customer_id=order.customer_id):
        return ()
    return (f"A guest, without an account, would owe it: is {payment.method} what was agreed?",)


def ended(begun: Begun, done: str) -> str:
    if begun.is_done:
        return done
    if begun.step.state == "AWAITING_APPROVAL":
        return "asked for; it waits for a second person"
    confirmation = queries.confirmation_of(begun.step)
    if confirmation is not None:
        return "asked for; the customer has to confirm the payment"
    return "under way; the gateway has not answered yet"


def required(value: UUID | None) -> UUID:
    """Of a page that names a part, or of somebody who is signed in: there is one."""
    assert value is not None
    return value
