"""Taking an order for a customer, as by telephone: what it would cost first, then it is placed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from domains.orders.admin.contents import invoiced_to
from domains.orders.admin.doings import WORDS, Comes, owed_by_guest
from domains.orders.admin.fields import (
    CouponsField,
    address_fields,
    address_said,
    billing_fields,
    billing_said,
    means_said,
    method_field,
    saved_card_fields,
    token_field,
)
from domains.orders.errors import UnknownCustomer
from domains.orders.models import Order, PaymentChoice
from domains.orders.rules.invoices import address_lines
from domains.orders.rules.placement import Status
from domains.orders.services import placement
from domains.orders.services.wishes import WantedLine, Wish
from domains.pricing import public as pricing
from domains.products import public as products
from domains.users import public as users
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError, FieldError
from infrastructure.form_fields import CurrencyField, WordsField, one_line
from infrastructure.http import idempotency
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.http.idempotency import IdempotencyKey, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.screens import ServiceForm

SCOPE = "orders.place_for"
MAX_LINES = 100


class LinesField(forms.CharField):
    """A line per SKU, with how many: `85123A 2`, or as it is copied from a spreadsheet, with a tab
    between the two, where a SKU may have blanks in it. One where no number is told."""

    def __init__(self) -> None:
        super().__init__(
            label="Items",
            max_length=10_000,
            # The tab after a SKU without a number is not to be lost.
            strip=False,
            widget=forms.Textarea(attrs={"rows": 5}),
            help_text="A SKU per line, and how many: 85123A 2. Or two columns of a spreadsheet.",
        )

    def clean(self, value: Any) -> list[WantedLine]:
        found = [
            _line_said(line)
            for line in _BLANKS.sub(" ", super().clean(value)).splitlines()
            if line.strip()
        ]
        if not found:
            raise ValidationError(self.error_messages["required"], code="required")
        if len(found) > MAX_LINES:
            raise ValidationError(f"{MAX_LINES} lines at most.")
        return found


# What separates like a blank, and is seen as one or not at all, in tables that are pasted.
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")


def _line_said(line: str) -> WantedLine:
    line = line.strip(" ")
    separator = "\t" if "\t" in line else " "
    sku, _, count = (part.strip() for part in line.partition(separator))
    count = count or "1"
    is_number = count.isascii() and count.isdigit() and len(count) <= 7
    if not (sku and is_number and 0 < int(count) <= 1_000_000):
        raise ValidationError(f"{line.strip()!r} is not a SKU and a number.")
    one_line(sku)
    return WantedLine(sku=sku, quantity=int(count))


class OrderForm(ServiceForm):
    """Where a refusal is about a field of the API, it is shown by that of the form."""

    fields_of_codes = {
        "unknown_sku": "items",
        "out_of_stock": "items",
        "not_sold_in_currency": "currency",
        "total_too_large": "items",
        "email_required": "email",
        "unknown_payment_method": "method",
        "payment_token_required": "payment_token",
        "card_number_refused": "payment_token",
        "payment_declined": "payment_token",
        "price_changed": "items",
    }

    email = forms.EmailField(
        max_length=254,
        help_text="Whoever has an account by it is the customer; anybody else orders as a guest.",
    )
    items = LinesField()
    coupons = CouponsField()
    currency = CurrencyField(widget=forms.TextInput(attrs={"class": "number"}))
    channel = forms.ChoiceField(
        required=False, help_text="Where it was ordered: its price lists hold, too."
    )
    shipping_method = forms.ChoiceField(required=False)
    note = WordsField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any) -> None:
        initial = {"token": new_id(), "currency": settings.DEFAULT_CURRENCY}
        super().__init__(data, initial=initial)
        channel: Any = self.fields["channel"]
        channel.choices = [("", "None"), *products.channels()]
        shipping: Any = self.fields["shipping_method"]
        shipping.choices = [("", "The usual one"), *pricing.open_shipping_methods()]
        self.fields |= {"method": method_field(), "payment_token": token_field()}
        self.fields |= saved_card_fields(_id_of(data.get("email", "")) if data else None)
        self.fields |= address_fields({"country": ""}) | billing_fields({})

    def sections(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """The fields that are seen, with what each group of them is about."""
        groups: dict[str, list[forms.BoundField]] = {title: [] for title in _SECTIONS.values()}
        for field in self.visible_fields():
            groups[_SECTIONS.get(field.name.partition("_")[0], _SECTIONS[""])].append(field)
        yield from groups.items()

    def renew(self, token: UUID) -> None:
        """Another one under this token, since nothing is left of what it made before."""
        self.cleaned_data["token"] = token
        self.reissue(token=token)

    def wish(
        self, *, placed_by: UUID, return_url: str, expected_total: Money | None = None
    ) -> Wish:
        """Raises UnknownCustomer, IncompleteAddress, AmbiguousMeans."""
        said = self.cleaned_data
        customer = _customer_by(said["email"])
        delivered_to = address_said(said)
        return Wish(
            customer_id=customer.id if customer else None,
            customer_group=customer.group if customer else None,
            email="" if customer else said["email"],
            lines=said["items"],
            currency=said["currency"],
            channel=said["channel"] or None,
            coupons=said["coupons"],
            shipping_method=said["shipping_method"] or None,
            expected_total=expected_total,
            shipping_address=delivered_to,
            billing_address=billing_said(said, delivered_to=delivered_to),
            payment=PaymentChoice(
                method=said["method"],
                token=means_said(said, beside="payment_token"),
                return_url=return_url,
            ),
            note=said["note"],
            placed_by=placed_by,
        )


# By the first word of the name of a field; the others are in the first one.
_SECTIONS = {
    "": "What, and for whom",
    "address": "Delivered to",
    "billing": "Invoiced to, if it is somebody or somewhere else",
    "method": "Payment",
    "payment": "Payment",
}


def _id_of(text: str) -> UUID | None:
    """Whose e-mail address it is, where it is one."""
    try:
        return users.id_of_email(forms.EmailField(max_length=254).clean(text))
    except ValidationError:
        return None


def _customer_by(email: str) -> users.Customer | None:
    """Raises UnknownCustomer for the address of an account that is closed."""
    user_id = users.id_of_email(email)
    if user_id is None:
        return None
    customer = users.customer_of(user_id)
    if customer is None:
        detail = "The account of this address is closed."
        raise UnknownCustomer(errors=[FieldError("/email", UnknownCustomer.code, detail)])
    return customer


def comes_to(
    form: OrderForm, *, placed_by: UUID, return_url: str, now: datetime
) -> tuple[Comes, Money]:
    """What it would cost, in sentences and in all. Raises what placing it would refuse before
    anything is written."""
    wish = form.wish(placed_by=placed_by, return_url=return_url)
    order = placement.drafted(wish, order_id=new_id(), now=now)
    who = "a customer with an account" if wish.customer_id else "a guest"
    said = form.cleaned_data
    lines = [
        f"{line.quantity:,} × {line.sku}, {line.name}: {Money(line.amount_minor, order.currency)}"
        for line in order.lines
    ]
    if order.shipping_minor:
        shipping = Money(order.shipping_minor, order.currency)
        lines.append(f"{order.shipping_name or 'Shipping'}: {shipping}")
    sentences = (
        f"For {said['email']}, {who}:",
        *lines,
        f"In all {order.total}.",
        f"Paid by {wish.payment.method}.",
        f"Delivered to {', '.join(address_lines(order.shipping_address))}.",
    )
    if address := invoiced_to(order):
        sentences += (f"Invoiced to {', '.join(address)}.",)
    entered = sorted((n, str(v)) for n, v in said.items() if n not in {"token", *WORDS})
    warnings = owed_by_guest(order, wish.payment)
    return Comes(sentences=sentences, warnings=warnings, entered=entered), order.total


class FormSentBefore(DomainError):
    """With something else in it, and an order came of it."""

    code, title = "form_sent_before", "This form was sent before"


def placed_before(form: OrderForm, *, placed_by: UUID, now: datetime) -> Order | None:
    """The order that the same form has made already, whatever it would come to by now.

    Raises FormSentBefore, OrderInProgress, and why the order was rejected.
    """
    while True:
        key = _key(form, placed_by)
        try:
            earlier = idempotency.find(alias_of("orders"), key)
        except IdempotencyKeyReused as error:
            made = idempotency.subject_of(alias_of("orders"), key)
            if made is None or Order.objects.whole(made).status != Status.REJECTED:
                raise FormSentBefore(
                    "An order was placed by this form, before it was changed. Begin a new one."
                ) from error
            # Somebody went back to it after a decline, and corrected it.
            form.renew(_token_after(form, made))
        else:
            return (
                None if earlier is None else _accepted(form, placement.replayed(earlier, now=now))
            )


def place(
    form: OrderForm, *, agreed: Money, placed_by: UUID, return_url: str, now: datetime
) -> Order:
    """Place it, once however often the page is sent. agreed: the total that was shown; PriceChanged
    where it is another one by now. return_url: where whoever has to confirm the payment comes back
    to. Raises as `placement.place_order`, and why it was rejected."""
    wish = form.wish(placed_by=placed_by, return_url=return_url, expected_total=agreed)
    key = _key(form, placed_by)
    return _accepted(form, placement.place_order(wish=wish, key=key, now=now))


def _accepted(form: OrderForm, placed: placement.Placed) -> Order:
    """Where the order was rejected, the form is a new one: corrected, it makes another order."""
    if (refusal := placed.refusal()) is not None:
        form.renew(_token_after(form, placed.order.id))
        raise refusal
    return placed.order


def _token_after(form: OrderForm, rejected: UUID) -> UUID:
    """The same each time, so what is corrected and sent twice is one order, from whichever page."""
    return uuid5(form.cleaned_data["token"], str(rejected))


def _key(form: OrderForm, placed_by: UUID) -> IdempotencyKey:
    said = {name: str(value) for name, value in form.cleaned_data.items() if name != "token"}
    return IdempotencyKey(
        client=f"user:{placed_by}",
        route="admin place an order",
        key=str(form.cleaned_data["token"]),
        fingerprint=fingerprint_of(sorted(said.items())),
    )
