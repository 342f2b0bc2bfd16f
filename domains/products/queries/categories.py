"""The tree of categories: one statement."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from domains.products.models import Category


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryNode:
    id: UUID
    slug: str
    name: str
    version: int
    children: list[CategoryNode] = field(default_factory=list)


def category_tree() -> list[CategoryNode]:
    """All categories, each below its parent, sorted by name; one statement."""
    children: dict[UUID | None, list[CategoryNode]] = defaultdict(list)
    categories = Category.objects.order_by("name", "id")
    for pk, slug, name, version, parent_id in categories.values_list(
        "pk", "slug", "name", "version", "parent_id"
    ):
        node = CategoryNode(id=pk, slug=slug, name=name, version=version, children=children[pk])
        children[parent_id].append(node)
    return children[None]


def category_of(category_id: UUID) -> CategoryNode | None:
    """One category with what lies below it."""
    waiting = category_tree()
    while waiting:
        node = waiting.pop()
        if node.id == category_id:
            return node
        waiting += node.children
    return None
