"""What the order routes take and answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from domains.carts import public as carts
from domains.orders import models
from domains.orders.queries.orders import HistoryEntry, PaymentOfOrder
from domains.orders.rules.steps import amounts_standing
from domains.payments import public as payments
from domains.pricing.public import amounts
from infrastructure.errors import FieldError
from infrastructure.http.types import (
    ONE_LINE,
    Body,
    CountryCode,
    Currency,
    Fault,
    GivenMoney,
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


Note = Annotated[str, Meta(max_length=500)]
OrderNote = Annotated[str, Meta(max_length=carts.NOTE_LENGTH)]
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$(?![\s\S])",
        examples=["ann@example.com"],
    ),
]
Coupon = Annotated[str, Meta(min_length=1, max_length=40, pattern=ONE_LINE, examples=["SPRING"])]


class WantedLine(Body, frozen=True, kw_only=True):
    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
    note: Note = ""


class Address(Body, frozen=True, kw_only=True):
    name: ShortText
    line1: ShortText
    line2: OptionalText = ""
    city: ShortText
    region: OptionalText = ""
    postcode: Annotated[str, Meta(max_length=20, pattern=ONE_LINE)] = ""
    country: CountryCode
    phone: Annotated[str, Meta(max_length=40, pattern=ONE_LINE)] = ""


class BillingAddress(Address, frozen=True, kw_only=True):
    """Whom the invoice is made out to. `vat_id`: a business customer's, with its country."""

    company: OptionalText = ""
    vat_id: Annotated[
        str,
        Meta(
            max_length=14,
            pattern=r"^([A-Z]{2}[A-Z0-9+*]{2,12})?$(?![\s\S])",
            examples=["DE811907980"],
        ),
    ] = ""


ReturnUrl = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$(?![\s\S])",
        description=(
            "Where to come back to from a confirmation (3-D Secure), without a user's name or "
            "password; the shop's own page if left out. Where it has none, a card that has to be "
            "confirmed is declined."
        ),
    ),
]
# Somebody before the host, or what browsers take for a slash.
_ODD_HOST = re.compile(r"https?://[^/?#]*[@\\]")

# The pattern is for the document: what it does not fit may be a card number, and is told as one.
Token = Annotated[
    str,
    Meta(
        max_length=190,
        extra_json_schema={"pattern": r"^([A-Za-z][A-Za-z0-9_.:-]*)?$(?![\s\S])"},
        examples=["tok_visa"],
    ),
]
_TOKEN = re.compile(r"([A-Za-z][A-Za-z0-9_.:-]*)?")
_NUMBER = re.compile(r"\d([-._: ]?\d){11,18}")


class PaymentMeans(Body, frozen=True, kw_only=True):
    """By what is paid, and where its customer comes back to. Raises CardNumberRefused, whatever
    else is wrong with the request."""

    token: Token = ""
    return_url: ReturnUrl = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if _NUMBER.fullmatch(self.token) or payments.names_card_number(self.token):
            detail = "Send the token that the gateway's form gives for it."
            fault = FieldError("/payment/token", payments.CardNumberRefused.code, detail)
            raise payments.CardNumberRefused(detail, errors=[fault])
        if not _TOKEN.fullmatch(self.token):
            raise Fault("bad_format", "Not a token of the gateway's, such as tok_visa", "token")
        if _ODD_HOST.match(self.return_url):
            raise Fault("bad_format", "Nobody is named before the host", "return_url")


class PaymentChoice(PaymentMeans, frozen=True, kw_only=True):
    """The token is the gateway's for the customer's means of payment. Card numbers are refused."""

    method: Annotated[str, Meta(min_length=1, max_length=40, examples=["card"])]
    saved_method: Annotated[
        UUID | UnsetType,
        Meta(description="One of `/payment-methods`, instead of a token."),
    ] = UNSET
    save: Annotated[
        bool,
        Meta(description="Have the gateway keep it for your next orders, once it is authorised."),
    ] = False
    keep_on_decline: Annotated[
        bool, Meta(description="Whether a declined order waits for another try.")
    ] = False

    def to_choice(self) -> models.PaymentChoice:
        return models.PaymentChoice(
            method=self.method,
            token=payments.token_for(
                token=self.token,
                saved_method=None if self.saved_method is UNSET else self.saved_method,
                keep=self.save,
            ),
            return_url=self.return_url,
            keep_on_decline=self.keep_on_decline,
        )


class Checkout(Body, frozen=True, kw_only=True):
    """`email`: demanded of guests. `expected_total`: what the customer was shown; where it is
    something else now, nothing is ordered. Without a `billing_address` it is the shipping one."""

    shipping_address: Address
    billing_address: BillingAddress | UnsetType = UNSET
    payment: PaymentChoice
    email: Email | UnsetType = UNSET
    shipping_method: Code | UnsetType = UNSET
    expected_total: GivenMoney | UnsetType = UNSET
    note: OrderNote | UnsetType = UNSET

    def terms(self) -> dict[str, Any]:
        """What the body says of a `Wish`."""
        billing, expected = self.billing_address, self.expected_total
        return {
            "email": self.email or "",
            "shipping_address": msgspec.structs.asdict(self.shipping_address),
            "billing_address": None if billing is UNSET else msgspec.structs.asdict(billing),
            "payment": self.payment.to_choice(),
            "expected_total": None if expected is UNSET else expected.to_money(),
        }


class PlaceOrder(Checkout, frozen=True, kw_only=True):
    """`customer_id`, of staff who take an order by telephone: for whom; null for somebody without
    an account, who is known by `email`."""

    lines: Annotated[list[WantedLine], Meta(min_length=1, max_length=MAX_LINES)]
    currency: Currency | UnsetType = UNSET
    channel: Code | UnsetType = UNSET
    coupons: Annotated[list[Coupon], Meta(max_length=10)] = []
    customer_id: UUID | UnsetType | None = UNSET


class PayAgain(Body, frozen=True, kw_only=True):
    payment: PaymentChoice


class OrderFilters(PageQuery, frozen=True, kw_only=True):
    """`email` and `sku` are for staff who may read every order."""

    status: OrderStatus | None = None
    number: OrderNumber | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    email: Email | None = None
    sku: Sku | None = None


class OrderLine(Out, frozen=True, kw_only=True):
    """`quantity` is what was ordered; of it so many were cancelled, sent and returned. The amounts
    are of what stands, `quantity` − `cancelled`, and add up to the order's with its shipping, also
    after returns and refunds. `total` is what is paid, `tax` the part of it at `tax_rate` %."""

    id: UUID
    product_id: UUID
    sku: str
    name: str
    note: str
    quantity: int
    cancelled: int
    fulfilled: int
    returned: int
    unit_price: Money
    subtotal: Money
    discount: Money
    tax: Money
    tax_rate: str
    total: Money

    @classmethod
    def of(cls, line: models.OrderLine, currency: str) -> Self:
        standing = amounts_standing(line)
        return cls(
            id=line.id,
            product_id=line.product_id,
            sku=line.sku,
            name=line.name,
            note=line.note,
            quantity=line.quantity,
            cancelled=line.cancelled,
            fulfilled=line.fulfilled,
            returned=line.returned,
            unit_price=Money.of_minor(line.unit_price_minor, currency),
            subtotal=Money.of_minor(standing.subtotal_minor, currency),
            discount=Money.of_minor(standing.discount_minor, currency),
            tax=Money.of_minor(standing.tax_minor, currency),
            tax_rate=line.tax_rate,
            total=Money.of_minor(standing.amount_minor, currency),
        )


class OrderPayment(Out, frozen=True, kw_only=True):
    """`action_url`: where the customer has to confirm it. `pay_until`: until when the order waits
    for that, for the money, or for another try. `decline_reason`: of one that is DECLINED."""

    id: UUID
    method: str
    status: str
    action_url: str | UnsetType = UNSET
    pay_until: datetime | UnsetType = UNSET
    decline_reason: Annotated[str, Meta(description=payments.DECLINE_REASONS)] | UnsetType = UNSET


class OrderShipping(Out, frozen=True, kw_only=True):
    method: str
    name: str
    net: Annotated[Money, Meta(description=amounts.SHIPPING_NET)]
    tax: Annotated[Money, Meta(description=amounts.SHIPPING_TAX)]
    tax_rate: str
    total: Annotated[Money, Meta(description=amounts.SHIPPING_PAID)]


class OrderDiscount(Out, frozen=True, kw_only=True):
    """`amount` is what it took off when the order was placed or last edited, also off shipping.
    What is cancelled since lowers the order's `discount`, and not this."""

    name: str
    coupon: str | None
    amount: Money


class Order(Out, frozen=True, kw_only=True):
    """`reason` says in a code why an order was rejected or cancelled. Its amounts are of what
    stands, or stood until it was called off; refunds lower none of them. `order_token`, in the
    answer to a guest's order: what they read it with, in the header Order-Token."""

    id: UUID
    number: str
    status: OrderStatus
    reason: str
    fulfilment_status: Literal["UNFULFILLED", "PARTIALLY_FULFILLED", "FULFILLED"]
    return_status: Literal["NONE", "REQUESTED", "PARTIALLY_RETURNED", "RETURNED"]
    source: Literal["web", "cart", "staff"]
    channel: str | None
    email: str | None
    note: str
    prices_include_tax: bool
    subtotal: Annotated[Money, Meta(description=amounts.SUBTOTAL)]
    discount: Annotated[Money, Meta(description=amounts.DISCOUNT)]
    discounts: list[OrderDiscount]
    coupons: list[str]
    shipping: OrderShipping | None
    tax: Annotated[Money, Meta(description=amounts.TAX)]
    total: Annotated[Money, Meta(description=amounts.total("amount"))]
    captured: Annotated[
        Money,
        Meta(description="What its payment took so far, or came by bank, refunded or not."),
    ]
    refunded: Annotated[Money, Meta(description="What of it was given back.")]
    lines: list[OrderLine]
    shipping_address: Address
    billing_address: BillingAddress | None
    payment: OrderPayment
    placed_at: datetime
    confirmed_at: datetime | None
    decided_at: datetime | None
    cancel_requested_at: datetime | None
    order_token: str | UnsetType = UNSET

    @classmethod
    def of(
        cls,
        order: models.Order,
        payment: PaymentOfOrder,
        *,
        order_token: str | UnsetType = UNSET,
    ) -> Self:
        def money(amount_minor: int) -> Money:
            return Money.of_minor(amount_minor, order.currency)

        billing = order.billing_address
        return cls(
            id=order.id,
            number=order.number,
            status=order.status,  # type: ignore[arg-type]
            reason=order.reason,
            fulfilment_status=order.fulfilment_status,  # type: ignore[arg-type]
            return_status=order.return_status,  # type: ignore[arg-type]
            source=order.source,  # type: ignore[arg-type]
            channel=order.channel or None,
            email=order.email or None,
            note=order.customer_note,
            prices_include_tax=order.prices_include_tax,
            subtotal=money(order.subtotal_minor),
            discount=money(order.discount_minor),
            discounts=[
                OrderDiscount(
                    name=found["name"], coupon=found["coupon"], amount=money(found["amount_minor"])
                )
                for found in order.discounts
            ],
            coupons=order.coupons,
            shipping=_shipping_of(order),
            tax=money(order.tax_minor),
            total=money(order.total_minor),
            captured=money(payment.captured_minor),
            refunded=money(order.refunded_minor),
            lines=[OrderLine.of(line, order.currency) for line in order.lines],
            shipping_address=Address(**order.shipping_address),
            billing_address=None if billing is None else BillingAddress(**billing),
            payment=OrderPayment(
                id=order.payment_id,
                method=order.payment_method,
                status=payment.status,
                action_url=payment.action_url or UNSET,
                pay_until=order.pay_until or UNSET,
                decline_reason=UNSET if payment.decline is None else payment.decline.reason.value,
            ),
            placed_at=order.placed_at,
            confirmed_at=order.confirmed_at,
            decided_at=order.decided_at,
            cancel_requested_at=order.cancel_requested_at,
            order_token=order_token,
        )


def _shipping_of(order: models.Order) -> OrderShipping | None:
    if not order.shipping_method:
        return None
    return OrderShipping(
        method=order.shipping_method,
        name=order.shipping_name,
        net=Money.of_minor(order.shipping_minor - order.shipping_tax_minor, order.currency),
        tax=Money.of_minor(order.shipping_tax_minor, order.currency),
        tax_rate=order.shipping_tax_rate,
        total=Money.of_minor(order.shipping_minor, order.currency),
    )


class Actor(Out, frozen=True, kw_only=True):
    """Who did it; the id is told to staff."""

    kind: Literal["customer", "staff", "system"]
    id: UUID | None


class OrderChange(Out, frozen=True, kw_only=True):
    """`code` says what happened, `data` what the code leaves open, `text` what staff wrote."""

    at: datetime
    code: str
    actor: Actor
    data: dict[str, Any]
    text: str

    @classmethod
    def of(cls, entry: HistoryEntry, *, with_ids: bool) -> Self:
        by = entry.by
        return cls(
            at=entry.at,
            code=entry.code,
            actor=Actor(kind=by.kind.value, id=by.id if with_ids else None),
            data=entry.data,
            text=entry.text,
        )
