"""What the order routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.orders import models
from infrastructure.http.types import (
    ONE_LINE,
    Body,
    CountryCode,
    Currency,
    Money,
    Out,
    PageQuery,
    ShortText,
)

MAX_LINES = 2000
MAX_QUANTITY = 1_000_000

Sku = Annotated[str, Meta(min_length=1, max_length=64, examples=["85123A"])]
Code = Annotated[str, Meta(min_length=1, max_length=40, examples=["web"])]
OptionalText = Annotated[str, Meta(max_length=200, pattern=ONE_LINE)]
OrderStatus = Literal["PENDING", "CONFIRMED", "REJECTED", "CANCELLED", "COMPLETED"]
OrderNumber = Annotated[str, Meta(min_length=9, max_length=9, examples=["7Q4M2XWJK"])]


class WantedLine(Body, frozen=True, kw_only=True):
    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]


class Address(Body, frozen=True, kw_only=True):
    name: ShortText
    line1: ShortText
    line2: OptionalText = ""
    city: ShortText
    region: OptionalText = ""
    postcode: Annotated[str, Meta(max_length=20, pattern=ONE_LINE)] = ""
    country: CountryCode
    phone: Annotated[str, Meta(max_length=40, pattern=ONE_LINE)] = ""


class PaymentChoice(Body, frozen=True, kw_only=True):
    """The token is the gateway's for the customer's means of payment. Card numbers are refused."""

    method: Annotated[str, Meta(min_length=1, max_length=40, examples=["card"])]
    token: Annotated[
        str,
        Meta(max_length=200, pattern=r"^([A-Za-z][A-Za-z0-9_.:-]*)?$", examples=["tok_visa"]),
    ] = ""


class PlaceOrder(Body, frozen=True, kw_only=True):
    lines: Annotated[list[WantedLine], Meta(min_length=1, max_length=MAX_LINES)]
    shipping_address: Address
    payment: PaymentChoice
    currency: Currency | UnsetType = UNSET
    channel: Code | UnsetType = UNSET


class CancelOrder(Body, frozen=True, kw_only=True):
    reason: Annotated[str, Meta(max_length=60, pattern="^[a-z0-9_]*$")] = "customer_request"


class OrderFilters(PageQuery, frozen=True, kw_only=True):
    status: OrderStatus | None = None
    number: OrderNumber | None = None


class OrderLine(Out, frozen=True, kw_only=True):
    sku: str
    name: str
    quantity: int
    unit_price: Money
    amount: Money


class OrderPayment(Out, frozen=True, kw_only=True):
    id: UUID
    method: str
    status: str


class Order(Out, frozen=True, kw_only=True):
    """`reason` says in a code why an order was rejected or cancelled."""

    id: UUID
    number: str
    status: OrderStatus
    reason: str
    total: Money
    lines: list[OrderLine]
    shipping_address: Address
    payment: OrderPayment
    placed_at: datetime
    decided_at: datetime | None
    cancel_requested_at: datetime | None

    @classmethod
    def of(cls, order: models.Order, *, payment_status: str) -> Self:
        currency = order.currency
        return cls(
            id=order.id,
            number=order.number,
            status=order.status,  # type: ignore[arg-type]
            reason=order.reason,
            total=Money.of(order.total),
            lines=[
                OrderLine(
                    sku=line.sku,
                    name=line.name,
                    quantity=line.quantity,
                    unit_price=Money.of_minor(line.unit_price_minor, currency),
                    amount=Money.of_minor(line.amount_minor, currency),
                )
                for line in order.lines
            ],
            shipping_address=Address(**order.shipping_address),
            payment=OrderPayment(id=order.id, method=order.payment_method, status=payment_status),
            placed_at=order.placed_at,
            decided_at=order.decided_at,
            cancel_requested_at=order.cancel_requested_at,
        )
