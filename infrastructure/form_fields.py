"""Fields of forms for value types of ours."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from infrastructure.http.types import CONTROL, SEEN
from infrastructure.money import InvalidMoney, Money, minor_digits

# The rules of the API for the same texts: what a name may be, or what somebody has to say.
one_line = RegexValidator(
    rf"{CONTROL}|[\t\n\r]",
    "One line, without control characters.",
    code="bad_format",
    inverse_match=True,
)
no_controls = RegexValidator(
    CONTROL, "Without control characters.", code="bad_format", inverse_match=True
)
something_seen = RegexValidator(SEEN, "Something that can be read.", code="bad_format")

_DECIMAL = re.compile(r"-?(?:\d+\.?\d*|\.\d+)", re.ASCII)


class LineField(forms.CharField):
    """Text on one line, such as a name: documents, letters and files show it as it is."""

    default_validators = [one_line]


class WordsField(forms.CharField):
    """Text on several lines, where there is something to be seen."""

    widget = forms.Textarea
    default_validators = [something_seen, no_controls]


class PlainDecimalField(forms.DecimalField):
    """A number in plain digits, such as 12.5 or -3, as amounts are: not 1e3, and no digits of other
    scripts."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip() and not _DECIMAL.fullmatch(value.strip()):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class CurrencyField(forms.CharField):
    """A code of ISO 4217 in capitals, however it is typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=3, max_length=3, **options)

    def clean(self, value: Any) -> Any:
        currency = super().clean(value).upper()
        try:
            minor_digits(currency)
        except InvalidMoney as error:
            raise ValidationError(str(error), code=error.code) from error
        return currency


class AmountField(forms.CharField):
    """An amount of one currency, such as 12.30, as Money; None where it is empty.

    positive: nothing, and less than that, is refused.
    """

    def __init__(self, *, currency: str, positive: bool = False, **options: Any) -> None:
        self.currency = currency
        self.positive = positive
        options.setdefault(
            "widget", forms.TextInput(attrs={"inputmode": "decimal", "class": "price"})
        )
        super().__init__(max_length=20, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            amount = Money.parse(text, self.currency)
        except InvalidMoney as error:
            raise ValidationError(str(error), code=error.code) from error
        if self.positive and amount.amount_minor <= 0:
            raise ValidationError("More than nothing.", code="invalid_amount")
        return amount

    def prepare_value(self, value: Any) -> Any:
        return value.amount_text if isinstance(value, Money) else value


def instant_field(**options: Any) -> forms.DateTimeField:
    """UTC, as everything here."""
    return forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        **options,
    )
