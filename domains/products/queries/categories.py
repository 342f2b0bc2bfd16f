"""The tree of categories: one statement for the whole of it, one for a category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from domains.products.errors import CategoryNotFound
from domains.products.rules.slugs import EXTERNAL, named_by
from infrastructure.database.contexts import connection_of


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryNode:
    """products: how many on sale lie in it or below it, each counted once."""

    id: UUID
    slug: str
    name: str
    products: int
    children: list[CategoryNode] = field(default_factory=list)


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
        SELECT c.id, c.parent_id, c.slug, c.name, 0 AS height
        FROM products_category c WHERE c.id = {start}
        UNION ALL
        SELECT c.id, c.parent_id, c.slug, c.name, up.height + 1
        FROM products_category c JOIN up ON c.id = up.parent_id
    )
    SELECT json_agg(
        json_build_array(up.id, up.slug, coalesce(nullif(ut.name, ''), up.name))
        ORDER BY up.height DESC
    )
    FROM up LEFT JOIN products_categorytext ut ON ut.category_id = up.id AND ut.locale = %s
"""
"""The way from the top of the tree down to the category whose id is `start`, with it. Takes the
locale."""

# tree       the categories below the seed, each with the ids on the way to it
# sets       products on sale by the set of categories that they are in: few sets have many products
# counted    what each category has, in the sets that lie in it or below it
_TREE = """
WITH RECURSIVE tree AS (
    SELECT c.id, c.parent_id, c.slug, c.position, c.name, ARRAY[c.id] AS trail
    FROM products_category c WHERE {seed}
    UNION ALL
    SELECT c.id, c.parent_id, c.slug, c.position, c.name, tree.trail || c.id
    FROM products_category c JOIN tree ON c.parent_id = tree.id
), sets AS MATERIALIZED (
    SELECT row_number() OVER () AS number, categories, count(*) AS products
    FROM (
        SELECT array_agg(l.category_id ORDER BY l.category_id) AS categories
        FROM products_productcategory l
        JOIN products_product p ON p.id = l.product_id AND p.status = 'active'
        {within}
        GROUP BY l.product_id
    ) listed
    GROUP BY categories
), counted AS (
    SELECT above AS id, sum(products)::int AS products
    FROM (
        SELECT DISTINCT sets.number, sets.products, step.above
        FROM sets
        CROSS JOIN unnest(sets.categories) AS direct (id)
        JOIN tree ON tree.id = direct.id
        CROSS JOIN unnest(tree.trail) AS step (above)
    ) pairs
    GROUP BY above
)
SELECT tree.id, tree.parent_id, tree.slug, coalesce(nullif(t.name, ''), tree.name),
    coalesce(counted.products, 0) {more}
FROM tree
LEFT JOIN counted ON counted.id = tree.id
LEFT JOIN products_categorytext t ON t.category_id = tree.id AND t.locale = %s
ORDER BY tree.position COLLATE "C", tree.id
"""

_WHOLE_TREE = _TREE.format(seed="c.parent_id IS NULL", within="", more="")

# What is told of the category itself travels in its row only.
_ONE = """, CASE WHEN cardinality(tree.trail) = 1 THEN (
        SELECT json_build_array(
            c.external_id,
            coalesce(nullif(t.description, ''), c.description),
            coalesce(nullif(t.seo_title, ''), c.seo_title),
            coalesce(nullif(t.seo_description, ''), c.seo_description),
            c.version,
            ({trail})
        )::text FROM products_category c WHERE c.id = tree.id
    ) END"""


class _Told(msgspec.Struct, frozen=True, array_like=True):
    external_id: str | None
    description: str
    seo_title: str
    seo_description: str
    version: int
    trail: tuple[Step, ...]


_decode = msgspec.json.Decoder(_Told).decode


def category_tree(*, locale: str) -> list[CategoryNode]:
    """All categories, each below its parent and in its order; one statement."""
    rows = connection_of("products").fetch(_WHOLE_TREE, [locale])
    return _assembled(rows)[None]


def category_shown(name: str, *, locale: str) -> CategoryShown | Moved:
    """One category with what lies below it, by id, slug, or `external:` and external id.

    One statement; two for an old slug, which is answered with the new one.
    Raises CategoryNotFound.
    """
    column, key = named_by(name)
    rows = connection_of("products").fetch(_one_text(column), [key, locale, locale])
    if not rows:
        return Moved(slug=_slug_now(name))
    nodes = _assembled(rows)
    top, told = next((row, _decode(row[5])) for row in rows if row[5] is not None)
    return CategoryShown(
        node=next(node for node in nodes[top[1]] if node.id == top[0]),
        external_id=told.external_id,
        description=told.description,
        seo_title=told.seo_title,
        seo_description=told.seo_description,
        version=told.version,
        trail=told.trail[:-1],
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
        within="WHERE l.category_id = ANY(ARRAY(SELECT id FROM tree))",
        more=_ONE.format(trail=TRAIL.format(start="tree.id")),
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


def _assembled(rows: Iterable[Sequence[Any]]) -> dict[UUID | None, list[CategoryNode]]:
    """The nodes, each with its children; those of one parent under its id."""
    children: dict[UUID | None, list[CategoryNode]] = defaultdict(list)
    for category_id, parent_id, slug, name, products, *_ in rows:
        children[parent_id].append(
            CategoryNode(
                id=category_id,
                slug=slug,
                name=name,
                products=products,
                children=children[category_id],
            )
        )
    return children
