"""What the forms of staff take for names and reasons is what the API takes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django import forms
from django.core.exceptions import ValidationError

from domains.payments.admin.receipts import ReceiptForm
from domains.pricing.admin.promotions import BatchForm, PromotionForm
from domains.pricing.admin.shipping import ShippingForm
from domains.pricing.admin.taxes import TaxRateForm
from domains.products.admin.fields import LongTextField, NamesField, OptionsField, text_fields
from domains.products.admin.product_forms import ProductForm
from domains.products.admin.types import AttributeForm
from infrastructure.form_fields import CurrencyField, LineField, PlainDecimalField, WordsField


def code_of(field: forms.Field, text: str) -> str | None:
    with pytest.raises(ValidationError) as caught:
        field.clean(text)
    (error,) = caught.value.error_list
    return error.code


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (ReceiptForm, "reference"),
        (PromotionForm, "name"),
        (BatchForm, "batch"),
        (ShippingForm, "name"),
        (TaxRateForm, "name"),
        (TaxRateForm, "region"),
        (ProductForm, "name"),
        (AttributeForm, "unit"),
    ],
)
def test_what_documents_show_is_on_one_line(form: type[forms.Form], name: str) -> None:
    field = form.base_fields[name]
    assert code_of(field, "Be\nta") == "bad_format"
    assert field.clean(" Beta ") == "Beta"


def test_a_name_in_another_language_is_on_one_line() -> None:
    field = text_fields("de")["text_de_name"]
    assert code_of(field, "Lam\tpe") == "bad_format"
    assert field.clean(" Lampe ") == "Lampe"


@pytest.mark.parametrize(
    "text", ["Size: M\x07", "Si\tze: M", "Size: M\x1b; Colour: blue", "a: b\vc"]
)
def test_options_and_what_they_are_called_are_on_one_line(text: str) -> None:
    assert code_of(OptionsField(), text) == "bad_format"


def test_options_lose_the_white_space_around_them() -> None:
    assert OptionsField().clean(" Size:\tM ;\n Colour : dark blue") == {
        "Size": "M",
        "Colour": "dark blue",
    }


@pytest.mark.parametrize(
    "text", ["de: Lam\tpe", "de: Lampe\nf\x07r: Lampe", "de: a\vb", "de: a\rb"]
)
def test_of_names_each_is_on_its_line(text: str) -> None:
    assert code_of(NamesField(), text) == "bad_format"


def test_names_lose_the_white_space_around_them() -> None:
    assert NamesField().clean("de:\tLampe\r\n\r\n fr : Lampe: petite ") == {
        "de": "Lampe",
        "fr": "Lampe: petite",
    }


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\tb", "a\x07b", "a\x0bb", "a\x7fb", "a\x85b"])
def test_a_line_has_no_control_characters(text: str) -> None:
    assert code_of(LineField(), text) == "bad_format"


@pytest.mark.parametrize("letter", ["\x00", "\x07", "\x0b", "\x7f", "\x9f"])
@pytest.mark.parametrize(
    ("field", "text"),
    [
        (WordsField(), "one\n\tt%swo"),
        (LongTextField(), "one\n\tt%swo"),
        (OptionsField(), "Size: %sM"),
        (NamesField(), "de: La%smpe\nfr: Lampe"),
    ],
)
def test_a_text_of_several_lines_has_no_control_characters_either(
    field: forms.Field, text: str, letter: str
) -> None:
    field.clean(text % "")
    with pytest.raises(ValidationError):
        field.clean(text % letter)


@pytest.mark.parametrize("text", ["5", " -12.5 ", "0.25", ".5", "5."])
def test_a_number_is_in_plain_digits(text: str) -> None:
    assert PlainDecimalField().clean(text) == Decimal(text.strip())


@pytest.mark.parametrize(
    "text", ["1e3", "\u0663", "1_0", "+5", "1,5", "0x1", "inf", "nan", "-", "."]
)
def test_what_only_looks_like_a_number_is_refused(text: str) -> None:
    assert code_of(PlainDecimalField(), text) == "invalid"
    assert code_of(PlainDecimalField(), "") == "required"


@pytest.mark.parametrize("form", [PromotionForm, TaxRateForm])
def test_percentages_are_in_plain_digits(form: type[forms.Form]) -> None:
    assert code_of(form.base_fields["percent"], "1e1") == "invalid"


def test_a_currency_is_in_capitals_however_it_is_typed() -> None:
    assert CurrencyField().clean(" eur ") == "EUR"
    assert code_of(CurrencyField(), "EUX") == "unknown_currency"
    assert code_of(CurrencyField(), "EU") == "min_length"
    assert code_of(CurrencyField(), "") == "required"


def test_words_have_something_to_be_seen_on_some_line() -> None:
    assert WordsField().clean(" Ring.\n\nTwice. ") == "Ring.\n\nTwice."
    assert code_of(WordsField(), "Ring\x07\nTwice") == "bad_format"
    assert code_of(WordsField(), " \n ") == "required"
    assert WordsField(required=False).clean("") == ""
