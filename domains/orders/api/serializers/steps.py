"""What is done to an order after it was confirmed: what the routes take and answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from domains.orders import models
from domains.orders.api.serializers.orders import (
    MAX_LINES,
    MAX_QUANTITY,
    Actor,
    Address,
    BillingAddress,
    Code,
    PaymentMeans,
    Sku,
)
from domains.orders.errors import DuplicateLine
from domains.orders.models.commands.fulfilling import Tracking
from domains.orders.models.commands.refunding import RefundWish
from domains.orders.models.commands.returning import Inspected
from domains.orders.queries import orders as queries
from domains.orders.services import editing
from infrastructure.errors import FieldError
from infrastructure.http.types import ONE_LINE, Body, Fault, GivenMoney, Money, Out, Words

Units = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
AnyUnits = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
# Not words, since events tell of it, which hold nothing personal.
Reason = Annotated[
    str,
    Meta(
        max_length=60,
        pattern=r"^[a-z0-9_]*$(?![\s\S])",
        description="Why, as a code of your own of small letters, digits and `_`. It is told to the"
        " customer and in events; words for other members of staff go into a note.",
        examples=["damaged"],
        extra={"form": "a code of small letters, digits and _"},
    ),
]
Warehouse = Annotated[str, Meta(min_length=1, max_length=40, examples=["main"])]
Url = Annotated[str, Meta(max_length=500, pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$(?![\s\S])")]


class LineUnits(Body, frozen=True, kw_only=True):
    """So many of one of the order's lines."""

    line_id: UUID
    quantity: Units


def units_of(lines: Sequence[LineUnits]) -> dict[UUID, int]:
    units: dict[UUID, int] = {}
    for line in lines:
        units[line.line_id] = units.get(line.line_id, 0) + line.quantity
    return units


Lines = Annotated[list[LineUnits], Meta(min_length=1, max_length=MAX_LINES)]


class CancelOrder(Body, frozen=True, kw_only=True):
    """Without `lines` the whole order; of a line so many of those that were not sent. `refund`:
    whether money that was taken may be given back; it takes the scope payments.refund."""

    reason: Reason = "customer_request"
    lines: Lines | UnsetType = UNSET
    refund: bool = False

    def units(self) -> dict[UUID, int] | None:
        return None if self.lines is UNSET else units_of(self.lines)


class TrackFulfilment(Body, frozen=True, kw_only=True):
    carrier: Annotated[str, Meta(max_length=60, pattern=ONE_LINE)] = ""
    tracking_number: Annotated[str, Meta(max_length=100, pattern=ONE_LINE)] = ""
    tracking_url: Url = ""

    def to_tracking(self) -> Tracking:
        return Tracking(carrier=self.carrier, number=self.tracking_number, url=self.tracking_url)


class Fulfil(TrackFulfilment, frozen=True, kw_only=True):
    """Without `lines` all that is open is sent. `capture`: whether its money is taken first; where
    the payment only promises it, it is unless this is false, which takes `orders.send_unpaid` for
    what is not paid for yet."""

    warehouse: Warehouse = "main"
    lines: Lines | UnsetType = UNSET
    capture: bool | UnsetType = UNSET
    reason: Reason = ""


class FulfilmentLine(Out, frozen=True, kw_only=True):
    line_id: UUID
    sku: str
    quantity: int


class Fulfilment(Out, frozen=True, kw_only=True):
    """`captured` is what was taken with it."""

    id: UUID
    warehouse: str
    carrier: str
    tracking_number: str
    tracking_url: str
    captured: Money
    lines: list[FulfilmentLine]
    created_at: datetime

    @classmethod
    def of(cls, order: models.Order, fulfilment: models.Fulfilment) -> Self:
        return cls(
            id=fulfilment.id,
            warehouse=fulfilment.warehouse,
            carrier=fulfilment.carrier,
            tracking_number=fulfilment.tracking_number,
            tracking_url=fulfilment.tracking_url,
            captured=Money.of_minor(fulfilment.captured_minor, order.currency),
            lines=[
                FulfilmentLine(
                    line_id=line.line_id, sku=order.line(line.line_id).sku, quantity=line.quantity
                )
                for line in order.fulfilment_lines
                if line.fulfilment_id == fulfilment.id
            ],
            created_at=fulfilment.created_at,
        )


class Fulfilments(Out, frozen=True, kw_only=True):
    items: list[Fulfilment]


class CaptureOrder(Body, frozen=True, kw_only=True):
    """Without an amount all that is left to be paid is taken."""

    amount: GivenMoney | UnsetType = UNSET
    reason: Reason = ""


class RefundOrder(Body, frozen=True, kw_only=True):
    """`amount` and `all` are named alone; `all` is all that was taken and not given back."""

    lines: Lines | UnsetType = UNSET
    shipping: bool = False
    return_id: UUID | UnsetType = UNSET
    amount: GivenMoney | UnsetType = UNSET
    all: bool = False
    reason: Reason = ""

    @property
    def is_ambiguous(self) -> bool:
        parts = (self.lines is not UNSET, self.return_id is not UNSET)
        named = (any(parts) or self.shipping, self.amount is not UNSET, self.all)
        return sum(named) != 1 or all(parts)

    def to_wish(self) -> RefundWish:
        return RefundWish(
            units={} if self.lines is UNSET else units_of(self.lines),
            shipping=self.shipping,
            return_id=None if self.return_id is UNSET else self.return_id,
            amount_minor=(None if self.amount is UNSET else self.amount.to_money().amount_minor),
        )


class Step(Out, frozen=True, kw_only=True):
    """A change that was asked for. REQUESTED and APPLIED: under way; AWAITING_APPROVAL: for a
    second person, who is in `decided_by` then. `refusal` says in a code why it came to nothing, or
    what of it did. `taken`: what was, or what an edit had authorised anew, and 0 before that is
    sure; `given_back`: what is to be, or was. `action_url`: where the customer has to confirm what
    an edit costs more (3-D Secure), by `action_deadline`; else it is refused, and the order stays
    as it is."""

    id: UUID
    order_id: UUID
    kind: Literal["EDIT", "CANCEL", "CANCEL_LINES", "FULFIL", "CAPTURE", "RETURN", "REFUND"]
    state: Literal["AWAITING_APPROVAL", "REQUESTED", "APPLIED", "DONE", "REFUSED"]
    taken: Money
    given_back: Money
    reason: str
    refusal: str
    action_url: str | None
    action_deadline: datetime | None
    requested_by: Actor
    decided_by: Actor | None
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(
        cls,
        order: models.Order,
        step: models.OrderStep,
        confirmation: queries.Confirmation | None = None,
        *,
        with_ids: bool = True,
    ) -> Self:
        return cls(
            id=step.id,
            order_id=order.id,
            kind=step.kind,  # type: ignore[arg-type]
            state=step.state,  # type: ignore[arg-type]
            taken=Money.of_minor(step.taken_minor, order.currency),
            given_back=Money.of_minor(step.gives_minor, order.currency),
            reason=step.reason,
            refusal=step.refusal,
            action_url=None if confirmation is None else confirmation.url,
            action_deadline=None if confirmation is None else confirmation.deadline,
            requested_by=Actor(kind=step.actor.kind.value, id=step.actor_id if with_ids else None),
            decided_by=(
                None
                if step.decided_by is None
                else Actor(kind="staff", id=step.decided_by if with_ids else None)
            ),
            requested_at=step.requested_at,
            finished_at=step.finished_at,
        )


class DisapproveStep(Body, frozen=True, kw_only=True):
    reason: Reason = ""


class RequestReturn(Body, frozen=True, kw_only=True):
    lines: Lines
    reason: Reason = ""


class RefuseReturn(Body, frozen=True, kw_only=True):
    reason: Reason = ""


class InspectedLine(Body, frozen=True, kw_only=True):
    """How many came back as good as new and go into the warehouse, and how many damaged."""

    line_id: UUID
    restocked: AnyUnits = 0
    damaged: AnyUnits = 0


class ReceiveReturn(Body, frozen=True, kw_only=True):
    """Without `lines` all that was announced is as good as new."""

    warehouse: Warehouse = "main"
    lines: Annotated[list[InspectedLine], Meta(min_length=1, max_length=MAX_LINES)] | UnsetType = (
        UNSET
    )
    reason: Reason = ""

    def to_inspected(self) -> dict[UUID, Inspected] | None:
        """Raises DuplicateLine."""
        if self.lines is UNSET:
            return None
        named = [line.line_id for line in self.lines]
        twice = [
            FieldError(f"/lines/{place}/line_id", DuplicateLine.code, "It was named before.")
            for place, line_id in enumerate(named)
            if line_id in named[:place]
        ]
        if twice:
            raise DuplicateLine(errors=twice)
        return {
            line.line_id: Inspected(restocked=line.restocked, damaged=line.damaged)
            for line in self.lines
        }


class ReturnLine(Out, frozen=True, kw_only=True):
    line_id: UUID
    sku: str
    quantity: int
    restocked: int
    damaged: int
    missing: int


class Return(Out, frozen=True, kw_only=True):
    """REFUNDED: nothing is left to be given back for what came, whichever was first, the goods or
    their money. `refunded` is what went back for it."""

    id: UUID
    state: Literal["REQUESTED", "APPROVED", "REFUSED", "RECEIVED", "REFUNDED"]
    reason: str
    decision_reason: str
    lines: list[ReturnLine]
    refunded: Money
    requested_at: datetime
    decided_at: datetime | None
    received_at: datetime | None

    @classmethod
    def of(cls, order: models.Order, found: models.Return) -> Self:
        return cls(
            id=found.id,
            state=found.state,  # type: ignore[arg-type]
            reason=found.reason,
            decision_reason=found.decision_reason,
            lines=[
                ReturnLine(
                    line_id=line.line_id,
                    sku=order.line(line.line_id).sku,
                    quantity=line.quantity,
                    restocked=line.restocked,
                    damaged=line.damaged,
                    missing=line.missing,
                )
                for line in order.lines_of_return(found.id)
            ],
            refunded=Money.of_minor(found.refunded_minor, order.currency),
            requested_at=found.requested_at,
            decided_at=found.decided_at,
            received_at=found.received_at,
        )


class Returns(Out, frozen=True, kw_only=True):
    items: list[Return]


class EditedLine(Body, frozen=True, kw_only=True):
    """One of the order's lines by its `line_id`, of which 0 takes it out; or another `sku`. Beside
    a `line_id`, `sku` is the line's own."""

    quantity: AnyUnits
    line_id: UUID | UnsetType = UNSET
    sku: Sku | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.line_id is UNSET and self.sku is UNSET:
            raise Fault("required", "Say of which line, or which SKU")


class EditPayment(PaymentMeans, frozen=True, kw_only=True):
    method: Annotated[str, Meta(min_length=1, max_length=40)] | UnsetType = UNSET


class EditOrder(Body, frozen=True, kw_only=True):
    """What is to be different. Lines that are not named stay as they are. `billing_address`: whom
    the invoice is made out to, null for whom the goods go to. `payment`: by which more than was
    authorised is paid."""

    lines: Annotated[list[EditedLine], Meta(max_length=MAX_LINES)] = []
    shipping_address: Address | UnsetType = UNSET
    billing_address: BillingAddress | UnsetType | None = UNSET
    shipping_method: Code | UnsetType = UNSET
    expected_total: GivenMoney | UnsetType = UNSET
    payment: EditPayment | UnsetType = UNSET
    reason: Reason = ""

    def to_edit(self) -> editing.Edit:
        payment = self.payment
        return editing.Edit(
            lines=[
                editing.LineEdit(
                    quantity=line.quantity,
                    line_id=None if line.line_id is UNSET else line.line_id,
                    sku="" if line.sku is UNSET else line.sku,
                )
                for line in self.lines
            ],
            shipping_address=(
                None
                if self.shipping_address is UNSET
                else msgspec.structs.asdict(self.shipping_address)
            ),
            billing_address=self._billing_address(),
            shipping_method=None if self.shipping_method is UNSET else self.shipping_method,
            expected_total=(
                None if self.expected_total is UNSET else self.expected_total.to_money()
            ),
            method=None if payment is UNSET or payment.method is UNSET else payment.method,
            token="" if payment is UNSET else payment.token,
            return_url="" if payment is UNSET else payment.return_url,
        )

    def _billing_address(self) -> dict[str, Any] | None:
        if self.billing_address is UNSET:
            return None
        return {} if self.billing_address is None else msgspec.structs.asdict(self.billing_address)


class NoteOrder(Body, frozen=True, kw_only=True):
    """What members of staff tell each other; the customer does not see it."""

    text: Words
