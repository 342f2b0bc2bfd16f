"""Fields that several forms about orders take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from infrastructure.countries import COUNTRY_CODES

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


def address_fields(address: Mapping[str, str]) -> dict[str, forms.Field]:
    return {
        f"address_{name}": forms.CharField(
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
