"""Fields that several screens take, and how they read and show values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from infrastructure.countries import COUNTRY_CODES
from infrastructure.form_fields import one_line
from infrastructure.money import InvalidMoney, Money

MANY = 20_000


class AmountsField(forms.CharField):
    """A line `GBP: 4.95` per currency; becomes minor units by currency."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.Textarea(attrs={"rows": 2}))
        options.setdefault("help_text", "A line for each currency, such as GBP: 4.95")
        super().__init__(required=False, max_length=MANY, **options)

    def clean(self, value: Any) -> Any:
        found: dict[str, int] = {}
        for line in super().clean(value).splitlines():
            if not line.strip():
                continue
            currency, _, amount = (part.strip() for part in line.partition(":"))
            try:
                found[currency.upper()] = Money.parse(amount, currency.upper()).amount_minor
            except InvalidMoney as error:
                raise ValidationError(str(error), code=error.code) from error
        return found

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(
                f"{currency}: {Money(amount, currency).amount_text}"
                for currency, amount in value.items()
            )
        return value


class ManyField(forms.CharField):
    """Several words, between commas or on lines of their own."""

    def __init__(self, *, rows: int = 1, capital: bool = False, **options: Any) -> None:
        self.capital = capital
        options.setdefault("widget", forms.Textarea(attrs={"rows": rows}))
        super().__init__(required=False, max_length=MANY, **options)

    def clean(self, value: Any) -> Any:
        words = [word.strip() for word in super().clean(value).replace("\n", ",").split(",")]
        for word in words:
            one_line(word)
        return [word.upper() if self.capital else word for word in words if word]

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Iterable) and not isinstance(value, str):
            return ", ".join(str(word) for word in value)
        return value


class CountriesField(ManyField):
    """Codes of two letters."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", "Codes such as GB, IE; none: everywhere.")
        super().__init__(capital=True, **options)

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        for code in found:
            if code not in COUNTRY_CODES:
                raise ValidationError(f"{code!r} is no code of a country.")
        return found


class IdsField(ManyField):
    def clean(self, value: Any) -> Any:
        try:
            return [UUID(word) for word in super().clean(value)]
        except ValueError as error:
            raise ValidationError("One of these is no id.") from error


def limit_field(label: str, help_text: str = "Empty: no limit.") -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=1, max_value=10**9, label=label, help_text=help_text
    )


def version_field() -> forms.IntegerField:
    return forms.IntegerField(required=False, widget=forms.HiddenInput)
