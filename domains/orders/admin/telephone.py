"""Taking an order for a customer, as by telephone: what it would cost first, then it is placed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from domains.orders.admin.doings import Comes
from domains.orders.admin.fields import address_fields, address_said
from domains.orders.models import Order, PaymentChoice
from domains.orders.services import placement
from domains.orders.services.wishes import WantedLine, Wish
from domains.pricing import public as pricing
from domains.users import public as users
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError
from infrastructure.http import idempotency
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.http.idempotency import IdempotencyKey, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.screens import ServiceForm

SCOPE = "orders.place_for"
MAX_LINES = 100


class LinesField(forms.CharField):
    """A line per SKU, with how many: `85123A 2`; one where no number is told."""

    def __init__(self) -> None:
        super().__init__(
            label="Items",
            max_length=10_000,
            widget=forms.Textarea(attrs={"rows": 5}),
            help_text="A SKU per line, and how many of it: 85123A 2",
        )

    def clean(self, value: Any) -> list[WantedLine]:
        found = []
        for line in super().clean(value).splitlines():
            sku, _, count = line.strip().partition(" ")
            count = count.strip() or "1"
            if not sku:
                continue
            if not (count.isascii() and count.isdigit() and 0 < int(count) <= 1_000_000):
                raise ValidationError(f"{line.strip()!r} is not a SKU and a number.")
            found.append(WantedLine(sku=sku, quantity=int(count)))
        if len(found) > MAX_LINES:
            raise ValidationError(f"{MAX_LINES} lines at most.")
        return found


class OrderForm(ServiceForm):
    """Where a refusal is about a field of the API, it is shown by that of the form."""

    fields_of_codes = {
        "unknown_sku": "items",
        "out_of_stock": "items",
        "email_required": "email",
        "unknown_payment_method": "method",
        "payment_token_required": "payment_token",
        "payment_declined": "payment_token",
        "price_changed": "items",
    }

    email = forms.EmailField(
        max_length=254,
        help_text="Whoever has an account by it is the customer; anybody else orders as a guest.",
    )
    items = LinesField()
    coupon = forms.CharField(required=False, max_length=40)
    shipping_method = forms.ChoiceField(required=False)
    method = forms.ChoiceField(label="Paid by")
    payment_token = forms.CharField(
        required=False, max_length=200, help_text="The gateway's, for a card. Never a card number."
    )
    note = forms.CharField(
        required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any) -> None:
        super().__init__(data, initial={"token": new_id()})
        method: Any = self.fields["method"]
        method.choices = [
            (one, one.replace("_", " ").capitalize())
            for one in sorted(settings.PAYMENT_METHODS, key=lambda one: one != "invoice")
        ]
        shipping: Any = self.fields["shipping_method"]
        shipping.choices = [("", "The usual one"), *pricing.open_shipping_methods()]
        self.fields |= address_fields({"country": ""})

    def wish(self, *, placed_by: UUID, expected_total: Money | None = None) -> Wish:
        said = self.cleaned_data
        customer_id = users.id_of_email(said["email"])
        return Wish(
            customer_id=customer_id,
            email="" if customer_id else said["email"],
            lines=said["items"],
            currency=settings.DEFAULT_CURRENCY,
            coupons=[said["coupon"]] if said["coupon"] else [],
            shipping_method=said["shipping_method"] or None,
            expected_total=expected_total,
            shipping_address=address_said(said),
            payment=PaymentChoice(method=said["method"], token=said["payment_token"]),
            note=said["note"],
            placed_by=placed_by,
        )


def comes_to(form: OrderForm, *, placed_by: UUID, now: datetime) -> tuple[Comes, Money]:
    """What it would cost, in sentences and in all. Raises what placing it would refuse before
    anything is written."""
    wish = form.wish(placed_by=placed_by)
    order = placement.drafted(wish, order_id=new_id(), now=now)
    who = "a customer with an account" if wish.customer_id else "a guest"
    lines = [
        f"{line.quantity:,} × {line.sku}, {line.name}: {Money(line.amount_minor, order.currency)}"
        for line in order.lines
    ]
    if order.shipping_minor:
        shipping = Money(order.shipping_minor, order.currency)
        lines.append(f"{order.shipping_name or 'Shipping'}: {shipping}")
    return Comes(sentences=(f"For {who}:", *lines, f"In all {order.total}.")), order.total


class FormSentBefore(DomainError):
    """With something else in it, and an order came of it."""

    code, title = "form_sent_before", "This form was sent before"


def placed_before(form: OrderForm, *, placed_by: UUID, now: datetime) -> Order | None:
    """The order that the same form has made already, whatever it would come to by now.

    Raises FormSentBefore, OrderInProgress, and why the order was rejected.
    """
    try:
        earlier = idempotency.find(alias_of("orders"), _key(form, placed_by))
    except IdempotencyKeyReused as error:
        raise FormSentBefore(
            "An order was placed by this form, before it was changed. Begin a new one."
        ) from error
    return None if earlier is None else _accepted(placement.replayed(earlier, now=now))


def place(form: OrderForm, *, agreed: Money, placed_by: UUID, now: datetime) -> Order:
    """Place it, once however often the page is sent. agreed: the total that was shown; PriceChanged
    where it is another one by now. Raises as `placement.place_order`, and why it was rejected."""
    wish, key = form.wish(placed_by=placed_by, expected_total=agreed), _key(form, placed_by)
    return _accepted(placement.place_order(wish=wish, key=key, now=now))


def _accepted(placed: placement.Placed) -> Order:
    if (refusal := placed.refusal()) is not None:
        raise refusal
    return placed.order


def _key(form: OrderForm, placed_by: UUID) -> IdempotencyKey:
    said = {name: str(value) for name, value in form.cleaned_data.items() if name != "token"}
    return IdempotencyKey(
        client=f"user:{placed_by}",
        route="admin place an order",
        key=str(form.cleaned_data["token"]),
        fingerprint=fingerprint_of(sorted(said.items())),
    )
