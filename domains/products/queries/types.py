"""Product types and what uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from domains.products.errors import ProductTypeNotFound
from domains.products.models import ProductType
from domains.products.rules.types import Loss
from infrastructure.database.contexts import connection_of

_encode = msgspec.json.Encoder().encode

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
