"""Fields that several forms about orders take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from domains.payments import public as payments
from domains.pricing import public as pricing
from infrastructure.countries import COUNTRY_CODES
from infrastructure.errors import DomainError, FieldError
from infrastructure.form_fields import LineField, WordsField, one_line

_ADDRESS = {
    "name": ("Name", 200, True),
    "line1": ("Address", 200, True),
    "line2": ("Address, second line", 200, False),
    "postcode": ("Postcode", 20, False),
    "city": ("City", 200, True),
    "region": ("Region", 200, False),
    "country": ("Country", 2, True),
    "phone": ("Phone", 40, False),
}


# Of an address that an invoice is made out to, besides the above.
_BUSINESS = {"company": ("Company", 200), "vat_id": ("VAT id", 20)}
_NO_PHONE = [name for name in _ADDRESS if name != "phone"]
# As the API takes it; people write it with blanks and dots.
_VAT_ID = RegexValidator(
    r"^[A-Z]{2}[A-Z0-9+*]{2,12}\Z", "A VAT id begins with its country, such as DE811907980."
)

MAX_NOTE = 1000
# As the API takes them.
MAX_COUPONS, MAX_COUPON = 10, 40

# Why an order, or a part of it, is called off.
CANCELLED_FOR = ("customer_request", "out_of_stock", "fraud", "duplicate")


def units_field(most: int, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=0,
        max_value=most,
        widget=forms.NumberInput(attrs={"class": "number"}),
        **{"required": False} | options,
    )


def units_said(said: Mapping[str, Any]) -> dict[UUID, int]:
    """How many of which line a form asks for; lines of which it asks for none are left out."""
    return {
        UUID(name.removeprefix("units_")): count
        for name, count in said.items()
        if name.startswith("units_") and count
    }


def choices_of_reasons(*codes: str) -> list[tuple[str, str]]:
    """Codes, since reasons are part of what is told to others."""
    return [(code, code.replace("_", " ").capitalize()) for code in (*codes, "other")]


def choice_of_reasons(*codes: str) -> forms.ChoiceField:
    return forms.ChoiceField(choices=choices_of_reasons(*codes), label="Why")


def why_fields(*codes: str) -> dict[str, forms.Field]:
    """Why something is done that needs no reason: a code for everybody, and words among staff."""
    return {
        "reason": forms.ChoiceField(
            required=False,
            choices=[("", "No reason given"), *choices_of_reasons(*codes)],
            label="Why",
            help_text="The customer may be told.",
        ),
        "note": note_field(required=False, rows=2),
    }


def note_field(*, required: bool, rows: int) -> WordsField:
    return WordsField(
        required=required,
        max_length=MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": rows}),
        help_text="Only staff see it. It cannot be changed later: name nobody in it.",
    )


def method_field(*, without: frozenset[str] = frozenset()) -> forms.ChoiceField:
    """How somebody pays; nothing is chosen before they said it."""
    offered = sorted(set(settings.PAYMENT_METHODS) - without)
    choices = [(one, one.replace("_", " ").capitalize()) for one in offered]
    return forms.ChoiceField(choices=[("", "Choose …"), *choices], label="Paid by")


def token_field(**options: Any) -> LineField:
    return LineField(
        required=False,
        max_length=190,
        help_text="The gateway's, for a card. Never a card number.",
        **options,
    )


class CouponsField(forms.CharField):
    """A code per line, each of them once."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            label="Coupons",
            max_length=MAX_COUPONS * 42,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text="A code per line.",
        )

    def clean(self, value: Any) -> list[str]:
        lines = map(str.strip, _lines_of(super().clean(value)))
        codes = pricing.distinct_coupons(filter(None, lines))
        if len(codes) > MAX_COUPONS:
            raise ValidationError(f"{MAX_COUPONS} coupons at most.")
        for code in codes:
            one_line(code)
            if len(code) > MAX_COUPON:
                raise ValidationError(f"A coupon has {MAX_COUPON} characters at most.")
        return codes


def _lines_of(text: str) -> list[str]:
    # Not splitlines, to which control characters end lines, too.
    return text.replace("\r\n", "\n").split("\n")


def saved_card_fields(customer_id: UUID | None) -> dict[str, forms.Field]:
    """What the customer left with the gateway, where there is anything, instead of a token."""
    cards = payments.saved_cards(customer_id) if customer_id is not None else []
    if not cards:
        return {}
    choices = [("", "None of them"), *((str(card.id), str(card)) for card in cards)]
    return {
        "payment_saved_card": forms.ChoiceField(
            required=False,
            choices=choices,
            label="Saved card",
            help_text="One that the customer left to be paid with, instead of a token.",
        )
    }


def means_said(said: Mapping[str, Any], *, beside: str) -> str:
    """What is paid with, as orders keep it: a saved card, or the token of the field beside it.
    Raises AmbiguousMeans."""
    card = said.get("payment_saved_card")
    if card and said[beside]:
        fault = FieldError(f"/{beside}", AmbiguousMeans.code, "Not beside a saved card.")
        raise AmbiguousMeans(errors=[fault])
    return payments.token_for(token=said[beside], saved_method=UUID(card) if card else None)


class AmbiguousMeans(DomainError):
    """A token and a saved card."""

    code, title = "ambiguous_means", "It is paid by one or the other"


def address_fields(address: Mapping[str, str]) -> dict[str, forms.Field]:
    return {
        f"address_{name}": LineField(
            label=label,
            max_length=most,
            required=required,
            initial=address.get(name, ""),
            validators=[_is_country] if name == "country" else [],
        )
        for name, (label, most, required) in _ADDRESS.items()
    }


def _is_country(code: str) -> None:
    if code.upper() not in COUNTRY_CODES:
        raise ValidationError(f"{code} is no code of a country, such as GB.")


def address_said(said: Mapping[str, Any]) -> dict[str, str]:
    found = {name: str(said[f"address_{name}"]).strip() for name in _ADDRESS}
    return found | {"country": found["country"].upper()}


class IncompleteAddress(DomainError):
    """Of the address of the invoice a part was given, and not all that it needs."""

    code, title = "incomplete_address", "The address of the invoice is not complete"


class _VatIdField(LineField):
    def to_python(self, value: Any) -> str:
        written = super().to_python(value) or ""
        return "".join(c for c in written.upper() if c not in " .-")


def billing_fields(billing: Mapping[str, str]) -> dict[str, forms.Field]:
    """Whom the invoice is made out to; empty where that is whom the goods go to."""
    fields: dict[str, forms.Field] = {}
    for name, (label, most) in _BUSINESS.items():
        kind = _VatIdField if name == "vat_id" else LineField
        fields[f"billing_{name}"] = kind(
            label=label,
            max_length=most,
            required=False,
            initial=billing.get(name, ""),
            validators=[_VAT_ID] if name == "vat_id" else [],
            help_text="Alone, it is at the address of the goods." if name == "company" else "",
        )
    for name in _NO_PHONE:
        label, most, _ = _ADDRESS[name]
        fields[f"billing_{name}"] = LineField(
            label=label,
            max_length=most,
            required=False,
            initial=billing.get(name, ""),
            validators=[_is_country] if name == "country" else [],
        )
    return fields


def billing_said(
    said: Mapping[str, Any], *, delivered_to: Mapping[str, str]
) -> dict[str, str] | None:
    """The address of the invoice as orders keep it; None where nothing was said of it. Where only
    the company was named, it is at the address that the goods go to.

    Raises IncompleteAddress.
    """
    business = {name: str(said[f"billing_{name}"]).strip() for name in _BUSINESS}
    place = {name: str(said[f"billing_{name}"]).strip() for name in _NO_PHONE}
    if not any(place.values()):
        if not any(business.values()):
            return None
        place = {name: delivered_to.get(name, "") for name in _NO_PHONE}
    missing = [name for name, (_, _, needed) in _ADDRESS.items() if needed and not place[name]]
    if missing:
        raise IncompleteAddress(
            errors=[
                FieldError(f"/billing_{name}", "required", "The address of the invoice needs it.")
                for name in missing
            ]
        )
    return place | {"phone": ""} | business | {"country": place["country"].upper()}
