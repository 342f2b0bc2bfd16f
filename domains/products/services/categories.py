"""Commands of the tree of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

from domains.products.errors import (
    CategoryCycle,
    CategoryNotEmpty,
    CategoryNotFound,
    UnknownCategory,
)
from domains.products.models import Category, CategoryCount
from domains.products.queries import categories as queries
from domains.products.rules import slugs, tags
from domains.products.rules.ranks import rank_between
from domains.products.rules.texts import Texts
from domains.products.services import listing, shown
from domains.products.services.writing import again_if_taken, known_locales, refusals
from infrastructure.database.contexts import atomic
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id
from infrastructure.work import hint_after_commit

SLUGS = ("products_category_slug_unique", "products_categoryslug_unique")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCategory:
    """parent: as everywhere here a slug, or `external:` and an external id. slug: made from the
    name where it is None."""

    name: str
    parent: str | None = None
    slug: str | None = None
    external_id: str | None = None
    description: str = ""
    seo_title: str = ""
    seo_description: str = ""
    texts: Mapping[str, Texts] = field(default_factory=dict)


class CategoryEdit(TypedDict, total=False):
    """What can be changed of a category.

    parent: None for the top of the tree. before, after: the sibling that it goes next to; without
    one of them, and with a new parent, it goes to the end.
    """

    name: str
    description: str
    seo_title: str
    seo_description: str
    texts: Mapping[str, Texts | None]
    slug: str
    external_id: str | None
    parent: str | None
    before: str
    after: str


def add_category(
    *, category: NewCategory, now: datetime, idempotency: IdempotencyKey | None = None
) -> UUID:
    """Add a category behind its siblings.

    Raises UnknownCategory, CategoryTooDeep, SlugTaken, ExternalIdTaken, UnknownLocale; Duplicate
    for a key that was used before.
    """
    known_locales(category.texts)
    retried = SLUGS if category.slug is None else ()

    def create() -> UUID:
        with atomic("products"), duplicates(), refusals(but=retried):
            Category.objects.lock_tree()
            above = category_ids([category.parent] if category.parent else [], "/parent")
            parent_id = above.get(category.parent or "")
            place = queries.place_below(parent_id)
            created = Category.create(
                name=category.name,
                slug=_free_slug(category),
                parent_id=parent_id,
                parent_depth=place.depth,
                position=rank_between(place.previous, None),
                now=now,
                description=category.description,
                seo_title=category.seo_title,
                seo_description=category.seo_description,
                external_id=category.external_id,
                texts=category.texts,
            )
            created.save(also=[idempotency.record(created.id, now)] if idempotency else ())
            shown.hint(tags.CATEGORIES)
            return created.id

    return again_if_taken(create, *retried)


def edit_category(
    *, category_id: UUID, version: int | None, now: datetime, **changes: Unpack[CategoryEdit]
) -> None:
    """Change what is given, or hang the category with all below it somewhere else.

    Raises CategoryNotFound, UnknownCategory, CategoryCycle, CategoryTooDeep, SlugTaken,
    ExternalIdTaken, UnknownLocale, ConcurrentModification.
    """
    known_locales(changes.get("texts", ()))
    moves = bool(_MOVES & changes.keys())
    with atomic("products"), refusals():
        if moves:
            Category.objects.lock_tree()
        category = _locked(category_id)
        category.require_version(version)
        parent_id = category.parent_id
        if moves:
            _move(category, changes)
        if "external_id" in changes:
            category.identify(changes["external_id"])
        category.edit(
            name=changes.get("name"),
            description=changes.get("description"),
            seo_title=changes.get("seo_title"),
            seo_description=changes.get("seo_description"),
            texts=changes.get("texts"),
            slug=changes.get("slug"),
            now=now,
        )
        if not category.has_changes:
            return
        category.save()
        if category.parent_id != parent_id:
            CategoryCount.objects.tree_changed()
            hint_after_commit("products", "products.count_categories")
        if {"name", "texts"} & changes.keys():
            listing.refresh_in_categories(category_ids=[category.id])
        shown.hint(tags.CATEGORIES)


def remove_category(*, category_id: UUID, version: int | None) -> None:
    """Remove a category that nothing lies in; its slugs are free again.

    Raises CategoryNotFound, CategoryNotEmpty, ConcurrentModification.
    """
    with atomic("products"):
        Category.objects.lock_tree()
        # Whoever puts a product into it holds it, until the product is there to be seen.
        category = _locked(category_id, against_links=True)
        category.require_version(version)
        if not Category.objects.remove_empty(category_id):
            raise CategoryNotEmpty(f"Something lies in {category}.")
        shown.hint(tags.CATEGORIES)


def category_ids(names: Sequence[str], pointer: str | None = None) -> dict[str, UUID]:
    """Categories by slug, or by `external:` and their external id; they stay where the caller is
    in a transaction. pointer: to the one name; None where they are a product's `categories`.
    Raises UnknownCategory."""
    if not names:
        return {}
    found = queries.ids_of(names)
    missing = [
        (pointer or f"/categories/{place}", name)
        for place, name in enumerate(names)
        if name not in found
    ]
    if missing:
        raise UnknownCategory.at(missing)
    return found


_MOVES = {"parent", "before", "after"}


def _move(category: Category, changes: CategoryEdit) -> None:
    """The caller has locked the tree."""
    parent_id = category.parent_id
    if "parent" in changes:
        parent = changes["parent"]
        parent_id = None if parent is None else category_ids([parent], "/parent")[parent]
    side = "before" if "before" in changes else "after" if "after" in changes else None
    beside = None
    if side is not None:
        anchor = changes[side]  # type: ignore[literal-required]
        beside = Category.objects.get(pk=category_ids([anchor], f"/{side}")[anchor])
        if "parent" not in changes:
            parent_id = beside.parent_id
        if beside == category or beside.parent_id != parent_id:
            detail = f"{beside} is no other category below the same parent."
            raise UnknownCategory(errors=[FieldError(f"/{side}", "not_a_sibling", detail)])
    elif parent_id == category.parent_id:
        return
    place = queries.place_below(
        parent_id,
        moved=category.id,
        before=beside.position if beside and side == "before" else None,
        after=beside.position if beside and side == "after" else None,
    )
    if place.inside:
        raise CategoryCycle(f"The new place lies below {category}.")
    category.move(
        parent_id=parent_id,
        depth=place.depth + 1,
        levels_below=place.levels_below,
        position=rank_between(place.previous, place.next),
    )


def _locked(category_id: UUID, *, against_links: bool = False) -> Category:
    category: Category | None = (
        Category.objects.select_for_update(no_key=not against_links, of=("self",))
        .filter(pk=category_id)
        .first()
    )
    if category is None:
        raise CategoryNotFound(f"There is no category {category_id}.")
    return category


def _free_slug(category: NewCategory) -> str:
    if category.slug is not None:
        return category.slug
    base = slugs.slug_of(category.name)
    taken = queries.slugs_among([base, *slugs.numbered_slugs(base)])
    return slugs.free_slug(base, taken, otherwise=new_id().hex[-11:])
