"""Fields that several screens take, and how they read and show values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.utils.html import format_html

from domains.products.models import Category, ProductCategory, ProductType
from domains.products.rules import names
from domains.products.rules.attributes import AttributeRule, Kind
from domains.products.rules.stock import MAX_QUANTITY
from domains.products.rules.texts import TEXT_FIELDS
from domains.products.rules.types import AttributeTerms
from infrastructure.form_fields import LineField, no_controls, one_line

MANY_CHOICES = 12
LEVELS_TOLD = 3
_BETWEEN_OPTIONS = re.compile(r";(?=[^;]*:)")
ABOVE = ("parent__parent__parent",)
_LABELS = {
    "name": "Name",
    "description": "Description",
    "seo_title": "Title for search engines",
    "seo_description": "Description for search engines",
}


class LongTextField(forms.CharField):
    """A text of several lines, as it was: a browser sends other ends of lines than it was given."""

    default_validators = [no_controls]

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.Textarea)
        super().__init__(required=False, max_length=100_000, strip=False, **options)

    def clean(self, value: Any) -> Any:
        return super().clean(value).replace("\r\n", "\n")


class OptionsField(forms.CharField):
    """`Size: M; Colour: blue` as a mapping."""

    default_validators = [no_controls]

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", "Such as Size: M; Colour: blue")
        super().__init__(required=False, max_length=2000, **options)

    def clean(self, value: Any) -> Any:
        found: dict[str, str] = {}
        # A semicolon in a value has no name and colon behind it.
        for part in _BETWEEN_OPTIONS.split(super().clean(value)):
            if not part.strip():
                continue
            name, colon, text = (piece.strip() for piece in part.partition(":"))
            if not (name and colon and text):
                raise ValidationError(f"{part.strip()!r} is not a name, a colon and a value.")
            if name in found:
                raise ValidationError(f"{name} is there twice.")
            if max(len(name), len(text)) > 100:
                raise ValidationError("Names and values have at most 100 characters.")
            for piece in (name, text):
                one_line(piece)
            found[name] = text
        return found

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "; ".join(f"{name}: {text}" for name, text in value.items())
        return value


class NamesField(forms.CharField):
    """A line `de: Name` per locale, or per whatever else is named, as a mapping."""

    default_validators = [no_controls]

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.Textarea(attrs={"rows": 3}))
        super().__init__(required=False, max_length=20_000, **options)

    def clean(self, value: Any) -> Any:
        found = {}
        # Whatever else ends lines is a control character.
        for line in super().clean(value).split("\n"):
            if line.strip():
                code, colon, name = (piece.strip() for piece in line.partition(":"))
                if not (code and colon and name):
                    raise ValidationError(f"{line.strip()!r} is not a code, a colon and a name.")
                for piece in (code, name):
                    one_line(piece)
                found[code] = name
        return found

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(f"{code}: {name}" for code, name in value.items())
        return value


def sku_field(**options: Any) -> forms.RegexField:
    return forms.RegexField(
        names.SKU,
        max_length=64,
        label="SKU",
        error_messages={"invalid": "Without slashes, and without spaces at its ends."},
        **options,
    )


def slug_field(**options: Any) -> forms.RegexField:
    return forms.RegexField(
        names.SLUG,
        max_length=200,
        error_messages={"invalid": "Small letters, digits and hyphens; no spaces."},
        **options,
    )


def external_id_field(**options: Any) -> forms.RegexField:
    return forms.RegexField(
        names.EXTERNAL_ID,
        required=False,
        max_length=200,
        label="External id",
        error_messages={"invalid": "Without slashes, and without spaces at its ends."},
        **options,
    )


def code_field(*, max_length: int = 40, **options: Any) -> forms.RegexField:
    return forms.RegexField(
        names.CODE,
        max_length=max_length,
        error_messages={"invalid": "Small letters, digits, hyphens and underscores."},
        **options,
    )


def quantity_field(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(**({"min_value": 0, "max_value": MAX_QUANTITY} | options))


def category_field(*, several: bool = False, **options: Any) -> Any:
    """Found by typing a part of the name."""
    relation = ProductCategory._meta.get_field("category")
    queryset = Category.objects.select_related(*ABOVE)
    if several:
        return _Categories(
            queryset, widget=AutocompleteSelectMultiple(relation, admin.site), **options
        )
    return _Category(queryset, widget=AutocompleteSelect(relation, admin.site), **options)


def path_of(category: Category) -> str:
    """Its name behind those of the categories above it: there are many Accessories. Of a deep one
    the nearest are told; they come with `select_related(*ABOVE)`."""
    path, above = [category.name], category.parent
    for _ in range(LEVELS_TOLD):
        if above is None:
            break
        path.insert(0, above.name)
        above = above.parent if len(path) <= LEVELS_TOLD else None
    return " › ".join(path)


class _Category(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return path_of(obj)


class _Categories(forms.ModelMultipleChoiceField):
    """In the order in which they were sent."""

    def label_from_instance(self, obj: Any) -> str:
        return path_of(obj)

    def clean(self, value: Any) -> Any:
        found = {str(category.pk): category for category in super().clean(value)}
        return [found[str(pk)] for pk in dict.fromkeys(value or ()) if str(pk) in found]


def type_choices(types: Sequence[ProductType]) -> list[tuple[str, str]]:
    return [("", "None"), *((one.code, one.name) for one in types)]


def text_fields(locale: str) -> dict[str, forms.Field]:
    """The texts of one locale; empty ones are shown in the default one."""
    fields: dict[str, forms.Field] = {
        "name": LineField(required=False, max_length=200),
        "description": LongTextField(),
        "seo_title": LineField(required=False, max_length=200),
        "seo_description": LineField(required=False, max_length=500),
    }
    for name, field in fields.items():
        field.label = _LABELS[name]
    return {f"text_{locale}_{name}": field for name, field in fields.items()}


def other_locales() -> list[str]:
    return [locale for locale in settings.LOCALES if locale != settings.DEFAULT_LOCALE]


def told_in(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The texts per locale that the fields of `text_fields` have been given."""
    return {
        locale: {name: values[f"text_{locale}_{name}"] for name in TEXT_FIELDS}
        for locale in other_locales()
    }


def initial_texts(rows: Sequence[Any]) -> dict[str, str]:
    return {f"text_{row.locale}_{name}": text for row in rows for name, text in row.told.items()}


# Typed attributes


def attribute_field(terms: AttributeTerms) -> forms.Field:
    """An input for the kind of an attribute. What is required is so only for what is on sale, so
    that is left to the service."""
    label = f"{terms.name} ({terms.unit})" if terms.unit else terms.name
    options: dict[str, Any] = {"label": label, "required": False}
    choices = [(choice.code, choice.name) for choice in terms.choices]
    if terms.required:
        options["help_text"] = "Required while it is on sale."
    match terms.kind:
        case Kind.NUMBER:
            return forms.DecimalField(
                widget=forms.NumberInput(attrs={"step": "any", "class": "number"}), **options
            )
        case Kind.BOOLEAN:
            return forms.ChoiceField(
                choices=[("", "Not said"), ("true", "Yes"), ("false", "No")], **options
            )
        case Kind.DATE:
            return forms.DateField(
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options
            )
        case Kind.CHOICE:
            return forms.ChoiceField(choices=[("", "Not said"), *choices], **options)
        case Kind.MULTI_CHOICE:
            few = len(choices) <= MANY_CHOICES
            widget = forms.CheckboxSelectMultiple if few else forms.SelectMultiple
            return forms.MultipleChoiceField(choices=choices, widget=widget, **options)
        case _:
            return LineField(max_length=1000, **options)


def attribute_value(rule: AttributeRule, value: Any) -> Any:
    """What a field says as an attribute is stored; None for nothing."""
    if value in (None, "", []):
        return None
    match rule.kind:
        case Kind.NUMBER:
            number = Decimal(value)
            return int(number) if number == number.to_integral_value() else float(number)
        case Kind.BOOLEAN:
            return value == "true"
        case Kind.DATE:
            return value.isoformat()
        case _:
            return value


def attribute_initial(rule: AttributeRule, value: Any) -> Any:
    if rule.kind == Kind.BOOLEAN and value is not None:
        return "true" if value else "false"
    return value


def thumbnail(address: str | None) -> str:
    """A small picture for a row of a list, or its empty place."""
    if address is None:
        return format_html('<span class="{}"></span>', "no-thumbnail")
    return format_html('<img class="thumbnail" src="{}" alt="" loading="lazy">', address)


def actor_of(request: Any) -> UUID:
    found: UUID = request.user.pk
    return found
