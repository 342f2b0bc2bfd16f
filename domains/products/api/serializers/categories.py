"""What the category routes take and answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self
from uuid import UUID

from msgspec import UNSET, UnsetType

from domains.products.api.serializers.fields import Slug
from domains.products.queries import categories as queries
from infrastructure.http.types import Body, Out, ShortText


class CreateCategory(Body, frozen=True, kw_only=True):
    name: ShortText
    parent: Slug | None = None


class EditCategory(Body, frozen=True, kw_only=True):
    """parent: the slug of the category to hang it below, or null for the top of the tree."""

    name: ShortText | UnsetType = UNSET
    parent: Slug | UnsetType | None = UNSET


class Category(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str
    children: list[Category]

    @classmethod
    def of(cls, node: queries.CategoryNode) -> Self:
        return cls(
            id=node.id,
            slug=node.slug,
            name=node.name,
            children=[cls.of(child) for child in node.children],
        )


class Categories(Out, frozen=True, kw_only=True):
    items: list[Category]

    @classmethod
    def of(cls, nodes: Iterable[queries.CategoryNode]) -> Self:
        return cls(items=[Category.of(node) for node in nodes])
