"""The tree of categories."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models

from domains.products.errors import CategoryNotFound, CategoryTooDeep
from domains.products.models.texts import SlugRow, TextRow, retold, with_slug
from domains.products.rules.slugs import MAX_SLUG_LENGTH
from domains.products.rules.texts import Texts
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned
from infrastructure.ids import new_id

MAX_DEPTH = 10


class CategoryQuerySet(AggregateQuerySet):
    def lock_tree(self) -> None:
        """Wait until nobody else adds, moves or removes categories, and keep others waiting.

        Two moves at once could make a circle that neither of them sees.
        """
        self.command("SELECT pg_advisory_xact_lock(hashtext('products_category'))", [])

    def whole(self, ids: Collection[UUID]) -> list[Category]:
        """These with all their parts, locked against other commands."""
        sql = (
            "SELECT * FROM products_category WHERE id = ANY(%s::uuid[])"
            " ORDER BY id FOR NO KEY UPDATE"
        )
        return list(self.raw(sql, [list(ids)]).prefetch_related("text_rows", "slug_rows"))

    def staying(self, category_id: UUID) -> None:
        """Nobody removes it before the transaction ends. Raises CategoryNotFound."""
        sql = "SELECT id FROM products_category WHERE id = %s FOR KEY SHARE"
        if not self.command(sql, [category_id]):
            raise CategoryNotFound(f"There is no category {category_id}.")

    def remove_empty(self, category_id: UUID) -> bool:
        """Remove a category that nothing lies in. The caller has locked the tree."""
        return bool(self.command(_REMOVE_EMPTY, [category_id]))


class Category(AggregateRoot):
    """A place in the tree.

    position: its rank among its siblings (`rules.ranks`), so that a move writes one row.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
        db_index=False,
    )
    position = models.TextField(db_collation="C", editable=False)
    slug = models.CharField(max_length=MAX_SLUG_LENGTH)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    seo_title = models.CharField(max_length=200, blank=True)
    seo_description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    texts = Owned("text_rows")
    slugs = Owned("slug_rows")

    objects = CategoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "categories"
        constraints = [
            models.UniqueConstraint(
                fields=["parent", "position"],
                nulls_distinct=False,
                name="products_category_position_unique",
            ),
            models.UniqueConstraint(fields=["slug"], name="products_category_slug_unique"),
            models.UniqueConstraint(
                fields=["external_id"], name="products_category_external_id_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def create(
        cls,
        *,
        name: str,
        slug: str,
        parent_id: UUID | None,
        parent_depth: int,
        position: str,
        now: datetime,
        description: str = "",
        seo_title: str = "",
        seo_description: str = "",
        external_id: str | None = None,
        texts: Mapping[str, Texts] | None = None,
    ) -> Self:
        """parent_depth: 0 for the top of the tree. Raises CategoryTooDeep."""
        category = cls(
            name=name,
            description=description,
            seo_title=seo_title,
            seo_description=seo_description,
            external_id=external_id,
            created_at=now,
            updated_at=now,
        )
        category._take_slug(slug)
        category.texts = retold([], texts or {}, CategoryText)
        category.move(
            parent_id=parent_id, depth=parent_depth + 1, levels_below=0, position=position
        )
        return category

    # Commands

    def edit(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        seo_title: str | None = None,
        seo_description: str | None = None,
        texts: Mapping[str, Texts | None] | None = None,
        slug: str | None = None,
        now: datetime,
    ) -> None:
        """Change what is given. An old slug goes on leading here."""
        given = {
            "name": name,
            "description": description,
            "seo_title": seo_title,
            "seo_description": seo_description,
        }
        for field, text in given.items():
            if text is not None:
                setattr(self, field, text)
        if texts is not None:
            self.texts = retold(self.texts, texts, CategoryText)
        if slug is not None:
            self._take_slug(slug)
        if self.has_changes:
            self.updated_at = now

    def identify(self, external_id: str | None) -> None:
        """What another system calls it."""
        self.external_id = external_id

    def move(self, *, parent_id: UUID | None, depth: int, levels_below: int, position: str) -> None:
        """Hang the category, with the levels of the tree below it, at a place.

        depth: how deep it will lie there, 1 at the top of the tree. Raises CategoryTooDeep.
        """
        if depth + levels_below > MAX_DEPTH:
            raise CategoryTooDeep(f"Categories go {MAX_DEPTH} levels deep.")
        self.parent_id, self.position = parent_id, position

    def _take_slug(self, slug: str) -> None:
        self.slug = slug
        self.slugs = with_slug(self.slugs, slug, CategorySlug)


class CategoryText(TextRow):
    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, related_name="text_rows", db_index=False
    )

    class Meta(TextRow.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["category", "locale"], name="products_categorytext_unique"
            ),
        ]


class CategorySlug(SlugRow):
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="slug_rows")

    class Meta(SlugRow.Meta):
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="products_categoryslug_unique"),
        ]


_REMOVE_EMPTY = """
WITH category AS MATERIALIZED (
    SELECT c.id FROM products_category c
    WHERE c.id = %s
        AND NOT EXISTS (SELECT 1 FROM products_category below WHERE below.parent_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM products_productcategory l WHERE l.category_id = c.id)
), texts AS (
    DELETE FROM products_categorytext t USING category WHERE t.category_id = category.id
), slugs AS (
    DELETE FROM products_categoryslug s USING category WHERE s.category_id = category.id
)
DELETE FROM products_category c USING category WHERE c.id = category.id RETURNING c.id
"""
