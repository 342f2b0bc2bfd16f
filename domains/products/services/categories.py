"""Commands of the tree of categories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.products.errors import CategoryNotFound, UnknownCategory
from domains.products.models import Category
from domains.products.rules import slugs
from domains.products.services.writing import again_if_taken, expect
from infrastructure.database.contexts import atomic
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id


def create_category(
    *,
    name: str,
    parent: str | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Add a category below another one, which `parent` is the slug of, or at the root.

    Raises UnknownCategory, CategoryTooDeep; Duplicate for a key that was used before.
    """

    def create() -> UUID:
        with atomic("products"), duplicates():
            above = None
            if parent is not None:
                # Locked, so that it cannot be moved while its path is being continued.
                above = Category.objects.locked().filter(slug=parent).first()
                if above is None:
                    raise unknown_category([parent], "/parent")
            base = slugs.slug_of(name)
            candidates = [base, *slugs.numbered_slugs(base)]
            taken = set(Category.objects.filter(slug__in=candidates).values_list("slug", flat=True))
            slug = slugs.free_slug(base, taken, otherwise=new_id().hex[-11:])
            category = Category.create(name=name, slug=slug, parent=above, now=now)
            category.save(also=[idempotency.record(category.id, now)] if idempotency else ())
            return category.id

    return again_if_taken(create, "products_category_slug_unique")


def edit_category(
    *,
    category_id: UUID,
    version: int | None,
    name: str | None = None,
    parent: str | None = None,
    to_root: bool = False,
) -> None:
    """Rename a category, or hang it with all below it somewhere else. The slug stays.

    parent: slug of the new parent; to_root: no parent any more.
    Raises CategoryNotFound, UnknownCategory, CategoryCycle, CategoryTooDeep,
    ConcurrentModification.
    """
    with atomic("products"):
        if parent is None and not to_root:
            category = Category.objects.locked().filter(pk=category_id).first()
            above = None
        else:
            # Two moves at once could make a circle that neither of them sees: one at a time.
            tree = {found.id: found for found in Category.objects.locked()}
            category = tree.get(category_id)
            above = next((c for c in tree.values() if c.slug == parent), None)
            if parent is not None and above is None:
                raise unknown_category([parent], "/parent")
        if category is None:
            raise CategoryNotFound(f"There is no category {category_id}.")
        expect(category.version, version, category)
        old_path = category.path
        if name is not None:
            category.rename(name=name)
        if above is not None or to_root:
            below = max(found.depth for found in tree.values() if found.lies_in(category))
            category.move(parent=above, levels_below=below - category.depth)
        category.save()
        if category.path != old_path:
            Category.objects.move_subtree(old_path=old_path, new_path=category.path)


def category_ids(slugs: Sequence[str]) -> dict[str, UUID]:
    """Category slugs and their ids. Raises UnknownCategory."""
    if not slugs:
        return {}
    found = dict(Category.objects.filter(slug__in=set(slugs)).values_list("slug", "pk"))
    missing = [slug for slug in dict.fromkeys(slugs) if slug not in found]
    if missing:
        raise unknown_category(missing, "/categories")
    return found


def unknown_category(slugs: Sequence[str], pointer: str) -> UnknownCategory:
    return UnknownCategory(
        errors=[
            FieldError(pointer, UnknownCategory.code, f"There is no category {slug}.")
            for slug in slugs
        ]
    )
