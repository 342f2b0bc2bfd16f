"""The tree of categories: one statement for the whole of it, one for a category."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from domains.products.errors import CategoryNotFound
from domains.products.models.category_counts import STALE, counted_anew
from domains.products.rules.slugs import EXTERNAL, named_by
from infrastructure.database.contexts import connection_of


class CategoryNode(msgspec.Struct, frozen=True, kw_only=True):
    """products: how many on sale lie in it or below it, each counted once."""

    id: UUID
    slug: str
    name: str
    products: int
    children: list[CategoryNode] = []


class Step(msgspec.Struct, frozen=True, array_like=True):
    """A category on the way down from the top of the tree."""

    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryShown:
    """node: the category with what lies below it. trail: the way to it, itself left out."""

    node: CategoryNode
    external_id: str | None
    description: str
    seo_title: str
    seo_description: str
    version: int
    trail: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What was asked for by an old slug has a new one."""

    slug: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """depth: of the parent, 0 for the top of the tree. previous, next: the ranks on both sides.

    inside: the parent is the moved category or lies below it. levels_below: how many levels the
    moved one has below itself.
    """

    depth: int
    previous: str | None
    next: str | None
    inside: bool
    levels_below: int


TRAIL = """
    WITH RECURSIVE up AS (
        SELECT step.id, step.parent_id, step.slug, step.name, 0 AS height
        FROM products_category step WHERE step.id = {start}
        UNION ALL
        SELECT step.id, step.parent_id, step.slug, step.name, up.height + 1
        FROM products_category step JOIN up ON step.id = up.parent_id
    )
    SELECT json_agg(
        json_build_array(up.id, up.slug, coalesce(nullif(ut.name, ''), up.name))
        ORDER BY up.height DESC
    )
    FROM up LEFT JOIN products_categorytext ut ON ut.category_id = up.id AND ut.locale = %s
"""
"""The way from the top of the tree down to the category whose id is `start`, with it. Takes the
locale."""

# tree       the categories below the seed, parents before children, siblings in their order
# counts     what the listing's rows add up to; where a category has just been hung elsewhere, and
#            until they are counted anew, what there is in this moment
_TREE = f"""
WITH RECURSIVE tree AS MATERIALIZED (
    SELECT c.id, c.parent_id, c.slug, c.position, c.name, 0 AS level
    FROM products_category c WHERE {{seed}}
    UNION ALL
    SELECT c.id, c.parent_id, c.slug, c.position, c.name, tree.level + 1
    FROM products_category c JOIN tree ON c.parent_id = tree.id
), counts AS MATERIALIZED (
    SELECT category_id, sum(products)::int AS products FROM products_categorycount
    WHERE {{counted}} AND NOT {STALE}
    GROUP BY category_id
    UNION ALL
    SELECT category_id, products FROM ({counted_anew("tree")}) anew WHERE {STALE}
)
SELECT (
    SELECT json_agg(json_build_array(
        tree.id, tree.parent_id, tree.slug, coalesce(nullif(t.name, ''), tree.name),
        coalesce(counts.products, 0)
    ) ORDER BY tree.level, tree.position COLLATE "C", tree.id)::text
    FROM tree
    LEFT JOIN counts ON counts.category_id = tree.id
    LEFT JOIN products_categorytext t ON t.category_id = tree.id AND t.locale = %s
) {{more}}
"""

_WHOLE_TREE = _TREE.format(seed="c.parent_id IS NULL", counted="category_id IS NOT NULL", more="")

# Takes the locale twice.
_ONE = f""", (
    SELECT json_build_array(
        c.external_id,
        coalesce(nullif(t.description, ''), c.description),
        coalesce(nullif(t.seo_title, ''), c.seo_title),
        coalesce(nullif(t.seo_description, ''), c.seo_description),
        c.version,
        ({TRAIL.format(start="c.id")})
    )::text
    FROM tree JOIN products_category c ON c.id = tree.id
    LEFT JOIN products_categorytext t ON t.category_id = c.id AND t.locale = %s
    WHERE tree.level = 0
)"""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    id: UUID
    parent_id: UUID | None
    slug: str
    name: str
    products: int


class _Told(msgspec.Struct, frozen=True, array_like=True):
    external_id: str | None
    description: str
    seo_title: str
    seo_description: str
    version: int
    trail: tuple[Step, ...]


_decode_rows = msgspec.json.Decoder(list[_Row]).decode
_decode_told = msgspec.json.Decoder(_Told).decode


def category_tree(*, locale: str) -> list[CategoryNode]:
    """All categories, each below its parent and in its order; one statement."""
    [(rows,)] = connection_of("products").fetch(_WHOLE_TREE, [locale])
    return _assembled(rows)


def category_shown(name: str, *, locale: str) -> CategoryShown | Moved:
    """One category with what lies below it, by id, slug, or `external:` and external id.

    One statement; two for an old slug, which is answered with the new one.
    Raises CategoryNotFound.
    """
    column, key = named_by(name)
    fetch = connection_of("products").fetch
    [(rows, told)] = fetch(_one_text(column), [key, locale, locale, locale])
    if rows is None:
        return Moved(slug=_slug_now(name))
    [node] = _assembled(rows)
    more = _decode_told(told)
    return CategoryShown(
        node=node,
        external_id=more.external_id,
        description=more.description,
        seo_title=more.seo_title,
        seo_description=more.seo_description,
        version=more.version,
        trail=more.trail[:-1],
    )


def category_id_of(name: str) -> UUID:
    """By id, slug, or `external:` and external id. Raises CategoryNotFound."""
    column, key = named_by(name)
    rows = connection_of("products").fetch(
        f"SELECT id FROM products_category WHERE {column} = %s", [key]
    )
    if not rows:
        raise CategoryNotFound(f"There is no category {name}.")
    found: UUID = rows[0][0]
    return found


# What commands need to know


def ids_of(names: Iterable[str]) -> dict[str, UUID]:
    """Categories by slug, or by `external:` and their external id; as long as the transaction
    lasts nobody removes them."""
    asked = sorted(set(names))
    found = connection_of("products").fetch(
        "SELECT id, slug, external_id FROM products_category"
        " WHERE slug = ANY(%s::text[]) OR external_id = ANY(%s::text[])"
        " ORDER BY id FOR KEY SHARE",
        [asked, [name.removeprefix(EXTERNAL) for name in asked if name.startswith(EXTERNAL)]],
    )
    ids = {slug: category_id for category_id, slug, _ in found}
    ids |= {EXTERNAL + outside: category_id for category_id, _, outside in found if outside}
    return {name: ids[name] for name in asked if name in ids}


def slugs_among(slugs: Sequence[str]) -> set[str]:
    """Those of these slugs that a category has or had."""
    sql = "SELECT slug FROM products_categoryslug WHERE slug = ANY(%s::text[])"
    return {slug for (slug,) in connection_of("products").fetch(sql, [list(slugs)])}


def place_below(
    parent_id: UUID | None,
    *,
    moved: UUID | None = None,
    before: str | None = None,
    after: str | None = None,
) -> Place:
    """A place among the children of a category, at the end unless the rank of a neighbour is
    given. The moved one is no neighbour of itself. One statement."""
    edge = before or after
    text = _place_text(parent_id is None, "before" if before else "after" if after else "end")
    siblings: list[Any] = [] if parent_id is None else [parent_id]
    [(depth, inside, levels_below, found)] = connection_of("products").fetch(
        text, [parent_id, moved, moved, *siblings, moved, *([edge] if edge else [])]
    )
    ranks = (after, found) if after else (found, before)
    return Place(
        depth=depth,
        previous=ranks[0],
        next=ranks[1],
        inside=inside,
        levels_below=levels_below,
    )


@cache
def _place_text(at_top: bool, where: str) -> str:
    beyond = {
        "before": "AND position < %s ORDER BY position DESC",
        "after": "AND position > %s ORDER BY position",
        "end": "ORDER BY position DESC",
    }[where]
    below = "parent_id IS NULL" if at_top else "parent_id = %s"
    return f"""
        WITH RECURSIVE above AS (
            SELECT id, parent_id FROM products_category WHERE id = %s::uuid
            UNION ALL
            SELECT c.id, c.parent_id FROM products_category c JOIN above ON c.id = above.parent_id
        ), below AS (
            SELECT id, 0 AS level FROM products_category WHERE id = %s::uuid
            UNION ALL
            SELECT c.id, below.level + 1
            FROM products_category c JOIN below ON c.parent_id = below.id
        )
        SELECT (SELECT count(*)::int FROM above),
            EXISTS (SELECT 1 FROM above WHERE id = %s::uuid),
            (SELECT coalesce(max(level), 0) FROM below),
            (
                SELECT position FROM products_category
                WHERE {below} AND id IS DISTINCT FROM %s::uuid {beyond} LIMIT 1
            )
    """


@cache
def _one_text(column: str) -> str:
    return _TREE.format(
        seed=f"c.{column} = %s",
        counted="category_id = ANY(ARRAY(SELECT id FROM tree))",
        more=_ONE,
    )


def _slug_now(name: str) -> str:
    """Raises CategoryNotFound."""
    rows = connection_of("products").fetch(
        "SELECT c.slug FROM products_category c"
        " JOIN products_categoryslug s ON s.category_id = c.id WHERE s.slug = %s",
        [name],
    )
    if not rows:
        raise CategoryNotFound(f"There is no category {name}.")
    slug: str = rows[0][0]
    return slug


def _assembled(rows_text: str | None) -> list[CategoryNode]:
    """The categories that have no parent among the rows, each with its children."""
    tops: list[CategoryNode] = []
    # What lies below the categories so far; a parent comes before its children.
    below: dict[UUID | None, list[CategoryNode]] = {}
    for row in _decode_rows(rows_text) if rows_text else ():
        node = CategoryNode(id=row.id, slug=row.slug, name=row.name, products=row.products)
        below[row.id] = node.children
        below.get(row.parent_id, tops).append(node)
    return tops
