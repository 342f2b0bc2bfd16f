"""What lists of products take and answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import Meta

from domains.products.api.serializers.fields import Code, Slug
from domains.products.api.serializers.products import Variant
from domains.products.queries import listing as queries
from infrastructure.http.types import Currency, Out, PageQuery


class ListProducts(PageQuery, frozen=True, kw_only=True):
    """q: words that must all occur; the last one may be unfinished. category: a slug."""

    q: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    category: Slug | None = None
    sort: Literal["name", "-name", "created_at", "-created_at"] = "name"
    currency: Currency | None = None
    channel: Code | None = None


class ListedProduct(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str
    variants: list[Variant]

    @classmethod
    def of(cls, product: queries.ListedProduct) -> Self:
        return cls(
            id=product.id,
            slug=product.slug,
            name=product.name,
            variants=[Variant.of(variant) for variant in product.variants],
        )
