"""Where the pages of products are, and how their forms are filled in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services import types
from tests.support.factories import products

LIST = "admin:products_product_changelist"
ADD = "admin:products_product_add"


def page_of(product_id: Any) -> str:
    return reverse("admin:products_product_change", args=[product_id])


def prices_page(product_id: Any) -> str:
    return reverse("admin:products_product_prices", args=[product_id])


def names(page: Any) -> list[str]:
    return [product.name for product in page.context["cl"].result_list]


def prefix_of(sku: str) -> str:
    return f"v{products.variant_id(sku).hex}"


def lamp(now: datetime) -> None:
    types.create_type(
        code="lamp",
        name="Lamp",
        attributes=[
            AttributeTerms(
                code="material",
                name="Material",
                kind=Kind.CHOICE,
                required=True,
                choices=(
                    ChoiceTerms(code="wood", name="Wood"),
                    ChoiceTerms(code="tin", name="Tin"),
                ),
            ),
            AttributeTerms(code="power", name="Power", kind=Kind.NUMBER, unit="W"),
            AttributeTerms(code="dimmable", name="Dimmable", kind=Kind.BOOLEAN),
            AttributeTerms(code="since", name="Since", kind=Kind.DATE),
            AttributeTerms(
                code="rooms",
                name="Rooms",
                kind=Kind.MULTI_CHOICE,
                choices=(
                    ChoiceTerms(code="hall", name="Hall"),
                    ChoiceTerms(code="attic", name="Attic"),
                ),
            ),
            AttributeTerms(code="hue", name="Hue", kind=Kind.TEXT, level=Level.VARIANT),
        ],
        now=now,
    )
