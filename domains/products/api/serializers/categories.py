"""What the category routes take and answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.fields import (
    CategoryName,
    ExternalId,
    Locale,
    NewSlug,
    ProductName,
    Seo,
    SeoDescription,
    SeoTitle,
    Texts,
    given,
)
from domains.products.queries import categories as queries
from domains.products.services.categories import NewCategory
from infrastructure.http.types import Body, LongText, Out, ShortText

MAX_LOCALES = 50
MAX_RELISTED = 1000


class CreateCategory(Body, frozen=True, kw_only=True):
    """parent: a slug, or `external:` and an external id. slug: made from the name where there is
    none. The category goes behind its siblings."""

    name: ShortText
    parent: CategoryName | None = None
    slug: NewSlug | None = None
    external_id: ExternalId | None = None
    description: LongText = ""
    seo_title: SeoTitle = ""
    seo_description: SeoDescription = ""
    texts: Annotated[dict[Locale, Texts], Meta(max_length=MAX_LOCALES)] = {}

    def to_new(self) -> NewCategory:
        return NewCategory(
            name=self.name,
            parent=self.parent,
            slug=self.slug,
            external_id=self.external_id,
            description=self.description,
            seo_title=self.seo_title,
            seo_description=self.seo_description,
            texts={locale: given(texts) for locale, texts in self.texts.items()},
        )


class EditCategory(Body, frozen=True, kw_only=True):
    """parent: the category to hang it below, or null for the top of the tree. before, after: the
    sibling it goes next to; without one of them a new parent puts it behind the others."""

    name: ShortText | UnsetType = UNSET
    parent: CategoryName | UnsetType | None = UNSET
    before: CategoryName | UnsetType = UNSET
    after: CategoryName | UnsetType = UNSET
    slug: NewSlug | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    description: LongText | UnsetType = UNSET
    seo_title: SeoTitle | UnsetType = UNSET
    seo_description: SeoDescription | UnsetType = UNSET
    texts: (
        Annotated[
            dict[Locale, Texts | None],
            Meta(max_length=MAX_LOCALES, description="null takes a locale away."),
        ]
        | UnsetType
    ) = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.before is not UNSET and self.after is not UNSET:
            raise ValueError("Say either before or after")


class RelistProducts(Body, frozen=True, kw_only=True):
    add: Annotated[list[ProductName], Meta(max_length=MAX_RELISTED)] = []
    remove: Annotated[list[ProductName], Meta(max_length=MAX_RELISTED)] = []


class Relisted(Out, frozen=True, kw_only=True):
    """How many products were not in the category before, and how many were."""

    added: int
    removed: int


class CategoryLink(Out, frozen=True, kw_only=True):
    id: UUID
    slug: str
    name: str

    @classmethod
    def of(cls, step: queries.Step) -> Self:
        return cls(id=step.id, slug=step.slug, name=step.name)


class CategoryNode(CategoryLink, frozen=True, kw_only=True):
    """products: how many on sale lie in it or below it, each counted once."""

    products: int
    children: list[CategoryNode]

    @classmethod
    def of_node(cls, node: queries.CategoryNode) -> Self:
        return cls(
            id=node.id,
            slug=node.slug,
            name=node.name,
            products=node.products,
            children=[CategoryNode.of_node(child) for child in node.children],
        )


class Categories(Out, frozen=True, kw_only=True):
    items: list[CategoryNode]

    @classmethod
    def of(cls, nodes: Iterable[queries.CategoryNode]) -> Self:
        return cls(items=[CategoryNode.of_node(node) for node in nodes])


class Category(CategoryNode, frozen=True, kw_only=True):
    """breadcrumbs: the way there from the top of the tree, the category itself left out."""

    external_id: str | None
    description: str
    seo: Seo
    breadcrumbs: list[CategoryLink]

    @classmethod
    def of_shown(cls, shown: queries.CategoryShown) -> Self:
        node = shown.node
        return cls(
            id=node.id,
            slug=node.slug,
            name=node.name,
            products=node.products,
            children=[CategoryNode.of_node(child) for child in node.children],
            external_id=shown.external_id,
            description=shown.description,
            seo=Seo(title=shown.seo_title, description=shown.seo_description),
            breadcrumbs=[CategoryLink.of(step) for step in shown.trail],
        )
