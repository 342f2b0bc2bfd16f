"""The forms of a product's page, and what they say as changes for the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings

from domains.products.admin.fields import (
    LongTextField,
    OptionsField,
    attribute_field,
    attribute_initial,
    attribute_value,
    category_field,
    external_id_field,
    initial_texts,
    other_locales,
    quantity_field,
    sku_field,
    slug_field,
    text_fields,
    told_in,
    type_choices,
)
from domains.products.models import Product, ProductType, Variant
from domains.products.queries.staff import StaffVariant
from domains.products.rules.attributes import AttributeRule, Level
from domains.products.services.prices import PriceEdit
from domains.products.services.products import NewProduct, NewVariant
from infrastructure.form_fields import AmountField, LineField
from infrastructure.screens import ServiceForm

UNITS = [("piece", "piece"), ("g", "gram"), ("cm", "centimetre")]
_MEASURES = ("weight_g", "length_mm", "width_mm", "height_mm")


class _Attributed(ServiceForm):
    """A form with an input for each attribute of a level."""

    def add_attributes(
        self, product_type: ProductType | None, level: Level, values: Mapping[str, Any]
    ) -> None:
        self.rules: list[AttributeRule] = []
        for attribute in product_type.attributes if product_type else ():
            if attribute.level != level:
                continue
            name = f"attr_{attribute.code}"
            self.rules.append(attribute.rule)
            self.fields[name] = attribute_field(attribute.terms)
            self.initial[name] = attribute_initial(attribute.rule, values.get(attribute.code))
        # What a type that the product had before has left behind.
        self.left_over = set(values) - {rule.code for rule in self.rules}

    @property
    def attributes(self) -> dict[str, Any]:
        """By code; None takes one away."""
        said = {
            rule.code: attribute_value(rule, self.cleaned_data.get(f"attr_{rule.code}"))
            for rule in self.rules
        }
        return dict.fromkeys(self.left_over) | said

    @property
    def attribute_fields(self) -> list[Any]:
        return [self[f"attr_{rule.code}"] for rule in self.rules]

    def fault(self, place: str, code: str, detail: str) -> None:
        if place.startswith("attributes/"):
            place = f"attr_{place.partition('/')[2]}"
        super().fault(place, code, detail)


class ProductForm(_Attributed):
    fields_of_codes = {
        "slug_taken": "slug",
        "invalid_slug": "slug",
        "external_id_taken": "external_id",
        "unknown_category": "main_category",
        "unknown_product_type": "product_type",
        "last_variant": "status",
        "product_archived": "status",
    }

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = LineField(max_length=200)
    status = forms.ChoiceField(
        choices=[("draft", "Draft"), ("active", "On sale"), ("archived", "Archived (for good)")]
    )
    product_type = forms.ChoiceField(required=False, label="Type")
    main_category = category_field(required=False)
    categories = category_field(required=False, several=True, label="Further categories")
    description = LongTextField()
    slug = slug_field(
        required=False, help_text="Its part of the address. Old ones go on leading here."
    )
    external_id = external_id_field(help_text="What your ERP calls it.")
    seo_title = LineField(required=False, max_length=200, label="Title for search engines")
    seo_description = LineField(
        required=False, max_length=500, label="Description for search engines"
    )

    def __init__(
        self,
        data: Any,
        *,
        types: Sequence[ProductType],
        product: Product | None,
    ) -> None:
        super().__init__(data, initial={} if product is None else _initial(product))
        choices = self.fields["product_type"]
        choices.choices = type_choices(types)  # type: ignore[attr-defined]
        code = data.get("product_type", "") if data is not None else self.initial_type(product)
        chosen = next((one for one in types if one.code == code), None)
        self.chosen_type = chosen
        self.add_attributes(chosen, Level.PRODUCT, product.attributes if product else {})
        for locale in other_locales():
            self.fields |= text_fields(locale)
        if product is None:
            status: Any = self.fields["status"]
            status.choices = status.choices[:2]

    @staticmethod
    def initial_type(product: Product | None) -> str:
        found = None if product is None else product.product_type
        return "" if found is None else found.code

    @property
    def basics(self) -> list[Any]:
        return [self[n] for n in ("name", "status", "main_category", "categories", "description")]

    @property
    def addresses(self) -> list[Any]:
        return [self[n] for n in ("slug", "external_id", "seo_title", "seo_description")]

    @property
    def locales(self) -> Iterator[tuple[str, bool, list[Any]]]:
        """Each with whether anything is told in it, and its fields."""
        for locale in other_locales():
            fields = [self[name] for name in text_fields(locale)]
            yield locale, any(field.value() or field.errors for field in fields), fields

    @property
    def category_slugs(self) -> tuple[str, ...]:
        main, others = self.cleaned_data["main_category"], self.cleaned_data["categories"]
        found = [*([main] if main else []), *others]
        return tuple(dict.fromkeys(category.slug for category in found))

    @property
    def changes(self) -> Any:
        """A ProductEdit."""
        said = self.cleaned_data
        changes = {
            "name": said["name"],
            "description": said["description"],
            "seo_title": said["seo_title"],
            "seo_description": said["seo_description"],
            "external_id": said["external_id"] or None,
            "product_type": said["product_type"] or None,
            "status": said["status"],
            "categories": self.category_slugs,
            "attributes": self.attributes,
            "texts": told_in(said),
        }
        return changes | ({"slug": said["slug"]} if said["slug"] else {})

    def new_product(self, variants: Sequence[NewVariant]) -> NewProduct:
        said = self.cleaned_data
        given = {code: value for code, value in self.attributes.items() if value is not None}
        return NewProduct(
            name=said["name"],
            description=said["description"],
            status=said["status"],
            categories=self.category_slugs,
            variants=tuple(variants),
            slug=said["slug"] or None,
            external_id=said["external_id"] or None,
            product_type=said["product_type"] or None,
            attributes=given,
            seo_title=said["seo_title"],
            seo_description=said["seo_description"],
            texts=told_in(said),
        )


class VariantForm(_Attributed):
    """A variant that there is, or with `variant=None` one to be sold from now on."""

    fields_of_codes = {
        "sku_taken": "sku",
        "external_id_taken": "external_id",
        "negative_price": "price",
        "stale_version": "price",
    }

    name = LineField(required=False, max_length=200)
    options = OptionsField()
    on_sale = forms.BooleanField(required=False, initial=True, label="On sale")
    barcode = LineField(required=False, max_length=64)
    external_id = external_id_field()
    unit = forms.ChoiceField(choices=UNITS)
    tax_class = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]*\Z", initial="standard", max_length=40, label="Tax class"
    )
    weight_g = quantity_field(required=False, label="Weight (g)")
    length_mm = quantity_field(required=False, label="Length (mm)")
    width_mm = quantity_field(required=False, label="Width (mm)")
    height_mm = quantity_field(required=False, label="Height (mm)")
    backorder_limit = quantity_field(
        required=False, initial=0, label="Backorders", help_text="Sold beyond the stock."
    )

    def __init__(
        self,
        data: Any,
        *,
        prefix: str,
        product_type: ProductType | None,
        variant: Variant | None = None,
        known: StaffVariant | None = None,
    ) -> None:
        super().__init__(
            data, prefix=prefix, initial={} if variant is None else _variant_initial(variant)
        )
        self.variant, self.known = variant, known
        currency = settings.DEFAULT_CURRENCY
        self.fields["price"] = AmountField(
            currency=currency, required=variant is None, label=f"Price ({currency})"
        )
        if variant is None:
            self.fields["sku"] = sku_field()
            del self.fields["on_sale"]
        else:
            self.initial["price"] = None if known is None else known.regular
            self.fields["seen"] = AmountField(
                currency=currency,
                required=False,
                initial=self.initial["price"],
                widget=forms.HiddenInput,
            )
            del self.fields["backorder_limit"]
        self.add_attributes(product_type, Level.VARIANT, variant.attributes if variant else {})

    @property
    def details(self) -> list[Any]:
        names = ["barcode", "external_id", "unit", "tax_class", *_MEASURES]
        if self.variant is None:
            names.append("backorder_limit")
        return [*(self[name] for name in names), *self.attribute_fields]

    @property
    def has_faults_in_details(self) -> bool:
        return any(field.errors for field in self.details)

    @property
    def changes(self) -> Any:
        """A VariantChanges."""
        said = self.cleaned_data
        assert self.variant is not None
        return {
            "name": said["name"],
            "options": dict.fromkeys(self.variant.options) | said["options"],
            "attributes": self.attributes,
            "barcode": said["barcode"],
            "external_id": said["external_id"] or None,
            "unit": said["unit"],
            "tax_class": said["tax_class"],
            "retired": not said["on_sale"],
            **{name: said[name] for name in _MEASURES},
        }

    @property
    def price_edit(self) -> PriceEdit | None:
        """None where the price is left as it was seen."""
        assert self.variant is not None
        wanted, seen = self.cleaned_data["price"], self.cleaned_data["seen"]
        if wanted is None or wanted == seen:
            return None
        return PriceEdit(sku=self.variant.sku, money=wanted, seen=seen)

    def clean(self) -> None:
        said = self.cleaned_data
        if self.variant is not None and said.get("seen") and said.get("price", 0) is None:
            self.add_error("price", "To ask for nothing any more, withdraw it under Prices.")

    @property
    def new_variant(self) -> NewVariant:
        said = self.cleaned_data
        given = {code: value for code, value in self.attributes.items() if value is not None}
        return NewVariant(
            sku=said["sku"],
            prices=(said["price"],),
            name=said["name"],
            options=said["options"],
            unit=said["unit"],
            backorder_limit=said["backorder_limit"] or 0,
            external_id=said["external_id"] or None,
            barcode=said["barcode"],
            attributes=given,
            tax_class=said["tax_class"],
            **{name: said[name] for name in _MEASURES},
        )


def _initial(product: Product) -> dict[str, Any]:
    categories = [link.category for link in product.category_rows.all()]
    return {
        "version": product.version,
        "name": product.name,
        "status": product.status,
        "product_type": ProductForm.initial_type(product),
        "main_category": categories[0] if categories else None,
        "categories": categories[1:],
        "description": product.description,
        "slug": product.slug,
        "external_id": product.external_id or "",
        "seo_title": product.seo_title,
        "seo_description": product.seo_description,
        **initial_texts(product.texts),
    }


def _variant_initial(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "options": variant.options,
        "on_sale": variant.retired_at is None,
        "barcode": variant.barcode,
        "external_id": variant.external_id or "",
        "unit": variant.unit,
        "tax_class": variant.tax_class,
        **{name: getattr(variant, name) for name in _MEASURES},
    }
