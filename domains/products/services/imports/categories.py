"""A batch of categories. Those they lie in are there, in the batch before them, or in an earlier
one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from msgspec import UNSET

from domains.products.errors import CategoryCycle, UnknownCategory
from domains.products.models import Category, CategoryCount
from domains.products.queries import categories as queries
from domains.products.queries.trees import Branch, branches
from domains.products.rules import tags
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import CategoryRow
from domains.products.rules.ranks import rank_between, rank_of
from domains.products.rules.slugs import EXTERNAL, free_slugs
from domains.products.rules.texts import merged_texts
from domains.products.services import listing, shown
from domains.products.services.imports.terms import (
    Refused,
    Terms,
    check_mode,
    given_texts,
    given_translations,
    refuse,
    required,
)
from infrastructure.errors import DomainError, FieldError
from infrastructure.ids import new_id
from infrastructure.work import hint_after_commit


class CategoryWriter:
    """Writes the batches of one file.

    dry_run: remember what was made, which is gone from the database when the next batch comes.
    """

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._made: dict[UUID, Branch] = {}

    def __call__(self, items: Sequence[Item], terms: Terms) -> None:
        Category.objects.lock_tree()
        stored_tree = branches()
        known = {branch.id for branch in stored_tree}
        tree = _Tree([*stored_tree, *(b for b in self._made.values() if b.id not in known)])
        rows: list[CategoryRow] = [item.value for item in items]
        ids = [found for row in rows if (found := tree.id_of(row)) is not None]
        stored = {category.id: category for category in Category.objects.whole(ids)}
        slugs = iter(_slugs_for([row for row in rows if tree.id_of(row) is None]))
        made: dict[UUID, Branch] = {}
        new, changed, renamed = [], [], []
        moved = False
        for item in items:
            row: CategoryRow = item.value
            found = tree.id_of(row)
            slug = next(slugs) if found is None else ""
            try:
                check_mode(terms.mode, is_there=found is not None, what="category")
                if found is None:
                    category = _create(row, slug, tree, terms)
                    made[category.id] = tree.add(category)
                    new.append(category)
                    item.outcome = "created"
                elif found in stored:
                    category = stored[found]
                    parent_id = category.parent_id
                    if _edit(category, row, tree, terms):
                        renamed.append(category.id)
                    item.outcome = "changed" if category.has_changes else "unchanged"
                    if category.has_changes:
                        changed.append(category)
                    moved |= category.parent_id != parent_id
                item.id = found or category.id
            except DomainError as refusal:
                refuse(item, refusal)
        Category.objects.add_all(new)
        Category.objects.save_all(changed)
        if moved:
            CategoryCount.objects.tree_changed()
            hint_after_commit("products", "products.count_categories")
        if renamed:
            listing.refresh_in_categories(category_ids=renamed)
        if new or changed:
            shown.hint(tags.CATEGORIES)
        if self._dry_run:
            self._made |= made


@dataclass(slots=True)
class _Tree:
    """The whole tree with what the batch has done to it so far."""

    branches: list[Branch]
    by_id: dict[UUID, Branch] = field(default_factory=dict)
    by_name: dict[str, UUID] = field(default_factory=dict)
    below: dict[UUID | None, list[UUID]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for branch in self.branches:
            self._take(branch)

    def _take(self, branch: Branch) -> None:
        self.by_id[branch.id] = branch
        self.by_name[branch.slug] = branch.id
        if branch.external_id:
            self.by_name[EXTERNAL + branch.external_id] = branch.id
        self.below.setdefault(branch.parent_id, []).append(branch.id)

    def add(self, category: Category) -> Branch:
        branch = Branch(
            id=category.id,
            parent_id=category.parent_id,
            position=category.position,
            slug=category.slug,
            external_id=category.external_id,
        )
        self._take(branch)
        return branch

    def move(self, category: Category) -> None:
        old = self.by_id[category.id]
        self.below[old.parent_id].remove(category.id)
        self.add(category)

    def id_of(self, row: CategoryRow) -> UUID | None:
        """Raises Refused where neither external id nor slug is given."""
        found = self.by_name.get(EXTERNAL + row.external_id) if row.external_id else None
        if found is None and row.slug is not UNSET:
            found = self.by_name.get(row.slug)
        return found

    def named(self, name: str) -> UUID:
        """Raises UnknownCategory."""
        if name not in self.by_name:
            detail = f"There is no category {name}, neither in the file."
            raise UnknownCategory(errors=[FieldError("/parent", UnknownCategory.code, detail)])
        return self.by_name[name]

    def depth_of(self, category_id: UUID | None) -> int:
        depth = 0
        while category_id is not None:
            depth += 1
            category_id = self.by_id[category_id].parent_id
        return depth

    def lies_in(self, category_id: UUID | None, other: UUID) -> bool:
        while category_id is not None:
            if category_id == other:
                return True
            category_id = self.by_id[category_id].parent_id
        return False

    def levels_below(self, category_id: UUID) -> int:
        levels, level = 0, self.below.get(category_id, [])
        while level:
            levels += 1
            level = [child for parent in level for child in self.below.get(parent, [])]
        return levels

    def place(self, parent_id: UUID | None, row: CategoryRow, *, moved: UUID | None = None) -> str:
        """The rank that the row asks for, or one behind all others. Raises Refused."""
        taken = {
            self.by_id[child].position for child in self.below.get(parent_id, []) if child != moved
        }
        if row.position is UNSET:
            return rank_between(max(taken, default=None), None)
        try:
            position = rank_of(row.position)
        except ValueError as error:
            raise Refused("bad_position", str(error), "/position") from error
        if position in taken:
            raise Refused("position_taken", "A sibling has this position.", "/position")
        return position


def _slugs_for(rows: Sequence[CategoryRow]) -> list[str]:
    """As the row says, or made from the name."""
    made = iter(
        free_slugs(
            ["" if row.name is UNSET else row.name for row in rows if row.slug is UNSET],
            taken_among=lambda asked: queries.slugs_among(list(asked)),
            otherwise=lambda: new_id().hex[-11:],
            reserved={row.slug for row in rows if row.slug is not UNSET},
        )
    )
    return [next(made) if row.slug is UNSET else row.slug for row in rows]


def _create(row: CategoryRow, slug: str, tree: _Tree, terms: Terms) -> Category:
    parent_id = tree.named(row.parent) if row.parent else None
    translations = {} if row.texts is UNSET else given_translations(row.texts)
    return Category.create(
        slug=slug,
        parent_id=parent_id,
        parent_depth=tree.depth_of(parent_id),
        position=tree.place(parent_id, row),
        external_id=None if row.external_id is UNSET else row.external_id,
        texts={locale: texts for locale, texts in translations.items() if texts is not None},
        now=terms.now,
        **{"name": required(row, "name")} | given_texts(row),
    )


def _edit(category: Category, row: CategoryRow, tree: _Tree, terms: Terms) -> bool:
    """Whether it is called something else now. Raises DomainError."""
    changes: dict[str, Any] = {
        name: text for name, text in given_texts(row).items() if text != getattr(category, name)
    }
    if row.slug is not UNSET and row.slug != category.slug:
        changes["slug"] = row.slug
    if row.texts is not UNSET:
        told = {text.locale: text.told for text in category.texts}
        translations = given_translations(row.texts)
        if merged_texts(told, translations) != merged_texts(told, {}):
            changes["texts"] = translations
    if row.external_id is not UNSET and row.external_id != category.external_id:
        if category.external_id:
            raise Refused(
                "other_external_id",
                f"It has the external id {category.external_id}.",
                "/external_id",
            )
        category.identify(row.external_id)
    _move(category, row, tree)
    if changes:
        category.edit(now=terms.now, **changes)
    return bool({"name", "texts"} & changes.keys())


def _move(category: Category, row: CategoryRow, tree: _Tree) -> None:
    parent_id = category.parent_id
    if row.parent is not UNSET:
        parent_id = tree.named(row.parent) if row.parent else None
    if parent_id == category.parent_id and (
        row.position is UNSET or row.position == category.position
    ):
        return
    if tree.lies_in(parent_id, category.id):
        raise CategoryCycle(
            errors=[FieldError("/parent", CategoryCycle.code, f"It lies below {category}.")]
        )
    position = tree.place(parent_id, row, moved=category.id)
    if (parent_id, position) == (category.parent_id, category.position):
        return
    category.move(
        parent_id=parent_id,
        depth=tree.depth_of(parent_id) + 1,
        levels_below=tree.levels_below(category.id),
        position=position,
    )
    tree.move(category)
