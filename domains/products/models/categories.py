"""The tree of categories."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from domains.products.errors import CategoryCycle, CategoryTooDeep
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot
from infrastructure.ids import new_id

MAX_DEPTH = 10


class CategoryQuerySet(AggregateQuerySet):
    def locked(self) -> Self:
        """Lock what is selected against changes of the tree, in one order for everybody."""
        return self.select_for_update(no_key=True, of=("self",)).order_by("pk")

    def move_subtree(self, *, old_path: str, new_path: str) -> None:
        """Carry everything below a moved category along. The caller has locked the tree."""
        self.command(
            "UPDATE products_category SET path = %s::text || substr(path, %s::int),"
            " version = version + 1"
            " WHERE starts_with(path, %s::text) AND path <> %s::text RETURNING 1",
            [new_path, len(old_path) + 1, old_path, old_path],
        )


class Category(AggregateRoot):
    """A place in the tree.

    path: the ids from the root down to the category itself, each followed by a slash, so that a
    subtree is a prefix and renaming moves nothing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=200)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    path = models.TextField(editable=False)
    created_at = models.DateTimeField()

    objects = CategoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "categories"
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="products_category_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def create(cls, *, name: str, slug: str, parent: Category | None, now: datetime) -> Self:
        category = cls(name=name, slug=slug, created_at=now)
        category._settle_below(parent, levels_below=0)
        return category

    # Commands

    def rename(self, *, name: str) -> None:
        """The slug stays: links to it go on working."""
        self.name = name

    def move(self, *, parent: Category | None, levels_below: int) -> None:
        """Hang the category, with the levels of the tree below it, below another one.

        Raises CategoryCycle, CategoryTooDeep.
        """
        if parent is not None and parent.lies_in(self):
            raise CategoryCycle(f"{parent.name} lies below {self.name}.")
        self._settle_below(parent, levels_below=levels_below)

    def _settle_below(self, parent: Category | None, *, levels_below: int) -> None:
        if (parent.depth if parent else 0) + 1 + levels_below > MAX_DEPTH:
            raise CategoryTooDeep(f"Categories go {MAX_DEPTH} levels deep.")
        self.parent_id = parent.id if parent else None
        self.path = f"{parent.path if parent else ''}{self.id.hex}/"

    # Questions

    def lies_in(self, other: Category) -> bool:
        """Whether it is the other category or somewhere below it."""
        return self.path.startswith(other.path)

    @property
    def depth(self) -> int:
        """1 at the top of the tree."""
        return self.path.count("/")
