"""Product types and what uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from domains.products.errors import ProductTypeNotFound
from domains.products.models import Attribute, ProductType
from domains.products.rules.attributes import Level
from domains.products.rules.types import AttributeTerms, Loss
from infrastructure.database.contexts import connection_of

_encode = msgspec.json.Encoder().encode

MOST_KEPT = 512


class ShownChoice(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    name: str


class ShownAttribute(msgspec.Struct, frozen=True, kw_only=True):
    """value: as its kind says; choices: what is chosen, with its name in the locale."""

    code: str
    name: str
    kind: str
    unit: str
    value: Any
    choices: tuple[ShownChoice, ...]


@dataclass(frozen=True, slots=True)
class Definitions:
    """The attributes of a type at one of its versions, in their order, by level."""

    version: int
    by_level: Mapping[str, tuple[AttributeTerms, ...]]


_NONE = Definitions(0, {})
# By type. A product is read with the version of its type, so nothing in here is ever out of date.
_kept: dict[UUID, Definitions] = {}

# Archived products are left out: they change no more, and nobody buys them.
_USED = """
    SELECT lost.place
    FROM unnest(%s::text[], %s::text[], %s::jsonb[]) WITH ORDINALITY
        AS lost (attribute, level, choice, place)
    WHERE EXISTS (
        SELECT 1 FROM products_product p
        WHERE p.product_type_id = %s AND p.status <> 'archived' AND CASE lost.level
            WHEN 'product' THEN p.attributes ? lost.attribute AND (
                lost.choice IS NULL OR p.attributes -> lost.attribute @> lost.choice
            )
            ELSE EXISTS (
                SELECT 1 FROM products_variant v
                WHERE v.product_id = p.id AND v.attributes ? lost.attribute AND (
                    lost.choice IS NULL OR v.attributes -> lost.attribute @> lost.choice
                )
            )
        END
    )
    ORDER BY lost.place
"""


def product_types() -> QuerySet[ProductType, Any]:
    """To be read in pages: two statements each, with the attributes."""
    return ProductType.objects.prefetch_related("attribute_rows")


def product_type_shown(code: str) -> ProductType:
    """Two statements. Raises ProductTypeNotFound."""
    found = product_types().filter(code=code).first()
    if found is None:
        raise ProductTypeNotFound(f"There is no product type {code}.")
    return found


def definitions_of(type_id: UUID | None, version: int | None) -> Definitions:
    """The attributes of a type, which is at this version. Read by one statement,
    once per version and process."""
    if type_id is None:
        return _NONE
    kept = _kept.get(type_id)
    if kept is None or kept.version != version:
        rows = list(Attribute.objects.filter(product_type=type_id).select_related("product_type"))
        attributes = [row.terms for row in rows]
        kept = Definitions(
            rows[0].product_type.version if rows else version or 0,
            {
                level.value: tuple(terms for terms in attributes if terms.level == level)
                for level in Level
            },
        )
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[type_id] = kept
    return kept


def attributes_shown(
    definitions: Definitions, level: str, values: Mapping[str, Any], locale: str
) -> tuple[ShownAttribute, ...]:
    """Those attributes that there are values for, in the order of the type."""
    if not values:
        return ()
    return tuple(
        ShownAttribute(
            code=terms.code,
            name=terms.names.get(locale, terms.name),
            kind=terms.kind.value,
            unit=terms.unit,
            value=values[terms.code],
            choices=_chosen(terms, values[terms.code], locale),
        )
        for terms in definitions.by_level.get(level, ())
        if terms.code in values
    )


def _chosen(terms: AttributeTerms, value: Any, locale: str) -> tuple[ShownChoice, ...]:
    if not terms.choices:
        return ()
    codes = value if isinstance(value, list) else (value,)
    return tuple(
        ShownChoice(code=choice.code, name=choice.names.get(locale, choice.name))
        for choice in terms.choices
        if choice.code in codes
    )


def code_of(type_id: UUID) -> str:
    """Raises ProductTypeNotFound."""
    found = ProductType.objects.filter(pk=type_id).values_list("code", flat=True).first()
    if found is None:
        raise ProductTypeNotFound(f"There is no product type {type_id}.")
    return found


def used_of(type_id: UUID, lost: Sequence[Loss]) -> list[Loss]:
    """Those of the losses that products would notice."""
    rows = connection_of("products").fetch(
        _USED,
        [
            [loss.attribute for loss in lost],
            [loss.level.value for loss in lost],
            [None if loss.choice is None else _encode(loss.choice).decode() for loss in lost],
            type_id,
        ],
    )
    return [lost[place - 1] for (place,) in rows]
