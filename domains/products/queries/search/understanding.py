"""What the words, the category and the filters of a search mean: its first statement, or, of a
category alone, a part of the one that makes the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import msgspec
from django.conf import settings

from domains.products.models.listing_sql import slip_keys
from domains.products.queries.search.port import Criteria, UnknownFilters
from domains.products.rules.search import (
    SHORTEST_CORRECTED,
    KnownWord,
    configuration_of,
    tsquery_of,
    words_of,
)
from infrastructure.database.contexts import connection_of

# How many lexemes that look like an unknown word are compared with it letter by letter, those that
# most products have: several times as many as a large shop has of them.
SIMILAR = 1_000

# So many products of a category are fetched as quickly as a page of them is walked for; and up to
# one in fifty of all, since a walk of 1,000 would not fill a page of 20 with them.
FEW = 200
_ARE_FEW = f"""sum(c.products) <= greatest({FEW}, (
                SELECT reltuples / 50 FROM pg_class WHERE oid = 'products_listing'::regclass
            ))"""

# Takes a category's slug, the words and behind them those that two of them make, configurations of
# the locale and the shop, how many words were typed, the category again, SIMILAR, the codes of
# filters, and both kinds of these together.
_UNDERSTOOD = f"""
    WITH RECURSIVE subtree AS (
        SELECT category_id AS id FROM products_categoryslug WHERE slug = %s::text
        UNION ALL
        SELECT c.id FROM products_category c JOIN subtree ON c.parent_id = subtree.id
    ), word AS MATERIALIZED (
        SELECT a.place, a.place = c.typed AS last, f.folded,
            a.place <= c.typed AND f.folded !~ '[0-9]'
                AND length(f.folded) >= {SHORTEST_CORRECTED} AS guessed,
            tsvector_to_array(to_tsvector(c.own::regconfig, f.folded)) AS own,
            tsvector_to_array(to_tsvector(c.shop::regconfig, f.folded)) AS shop
        FROM unnest(%s::text[]) WITH ORDINALITY a (word, place)
        CROSS JOIN (SELECT %s::text AS own, %s::text AS shop, %s::integer AS typed) c
        CROSS JOIN LATERAL (
            SELECT regexp_replace(lower(unaccent(a.word)), '[^[:alnum:]]+', '', 'g') AS folded
        ) f
    )
    SELECT
        ARRAY(SELECT id FROM subtree),
        (
            SELECT {_ARE_FEW} FROM products_categorycount c
            WHERE c.category_id = (
                SELECT s.category_id FROM products_categoryslug s WHERE s.slug = %s::text
            )
        ),
        (
            SELECT json_agg(
                json_build_array(w.folded, w.own, w.shop, k.known, s.lexemes) ORDER BY w.place
            )::text
            FROM word w
            CROSS JOIN LATERAL (
                SELECT EXISTS (
                    SELECT FROM products_listingword l
                    WHERE l.lexeme = ANY(w.own || w.shop || w.folded)
                ) OR w.last AND EXISTS (
                    SELECT FROM products_listingword l
                    WHERE l.lexeme >= w.folded AND l.lexeme < w.folded || chr(1114111)
                ) AS known
            ) k
            CROSS JOIN LATERAL (
                SELECT ARRAY(
                    SELECT l.lexeme FROM products_listingword l
                    WHERE l.head AND l.slip_keys && {slip_keys("w.folded")}
                        AND abs(length(l.lexeme) - length(w.folded)) <= 2
                        AND NOT k.known AND w.guessed
                    ORDER BY l.products DESC, l.lexeme LIMIT %s
                ) AS lexemes
            ) s
        ),
        ARRAY(
            SELECT code FROM unnest(%s::text[]) a (code)
            WHERE NOT EXISTS (
                SELECT FROM products_attribute t
                WHERE t.code = a.code AND t.filterable AND t.kind NOT IN ('number', 'date')
            ) AND NOT EXISTS (SELECT FROM products_listingoption o WHERE o.code = a.code)
        ) || ARRAY(
            SELECT code FROM unnest(%s::text[]) a (code)
            WHERE NOT EXISTS (
                SELECT FROM products_attribute t
                WHERE t.code = a.code AND t.filterable AND t.kind IN ('number', 'date')
            )
        ),
        ARRAY(
            SELECT code FROM unnest(%s::text[]) a (code)
            WHERE EXISTS (
                SELECT FROM products_attribute t
                WHERE t.code = a.code AND t.filterable AND t.level = 'variant'
            ) OR EXISTS (SELECT FROM products_listingoption o WHERE o.code = a.code)
        )
"""


# The same of a category alone, for the statement that makes the list. `few` also where there is no
# such category: nothing is worth a walk then. Takes its slug.
WITHIN = f"""
    chosen_category AS MATERIALIZED (
        SELECT category_id AS id FROM products_categoryslug WHERE slug = %s::text
    ), subtree AS (
        SELECT id FROM chosen_category
        UNION ALL
        SELECT c.id FROM products_category c JOIN subtree ON c.parent_id = subtree.id
    ), within AS MATERIALIZED (
        SELECT ARRAY(SELECT id FROM subtree) AS ids, coalesce((
            SELECT {_ARE_FEW} FROM products_categorycount c
            WHERE c.category_id = (SELECT id FROM chosen_category)
        ), NOT EXISTS (SELECT FROM chosen_category)) AS few
    )
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Understood:
    """words: a tsquery, None where no words were asked for. subtree: ids of categories, None for
    all, or where the next statement looks for them itself. few: whether these have so few products,
    as far as is known, that they are fetched and not walked for. of_variants: the codes of filters
    that variants of a product may differ in. hopeless: whether a word or the category says that
    nothing can be found."""

    words: str | None = None
    subtree: tuple[UUID, ...] | None = None
    few: bool = False
    of_variants: frozenset[str] = frozenset()
    typed: str = ""
    hopeless: bool = False


def understood(criteria: Criteria, *, codes: Sequence[str] = ()) -> Understood:
    """One statement, none for criteria that need no explanation, or only that of a category, which
    the statement that makes the list has in itself (WITHIN). codes: of facets that are asked for by
    their names. Raises UnknownFilters."""
    words = None if criteria.q is None else words_of(criteria.q)
    choices = [*criteria.choices, *codes]
    if words is None and not choices and not criteria.ranges:
        return Understood()
    typed = words or []
    [(subtree, few, told, unknown, of_variants)] = connection_of("products").fetch(
        _UNDERSTOOD,
        [
            criteria.category,
            [*typed, *(a + b for a, b in pairwise(typed))],
            configuration_of(criteria.locale),
            configuration_of(settings.DEFAULT_LOCALE),
            len(typed),
            criteria.category,
            SIMILAR,
            choices,
            list(criteria.ranges),
            [*choices, *criteria.ranges],
        ],
    )
    if unknown:
        raise UnknownFilters(unknown)
    known = [
        KnownWord(folded, tuple(dict.fromkeys((*own, *shop))) if own else (), is_known, (*similar,))
        for folded, own, shop, is_known, similar in (msgspec.json.decode(told) if told else ())
    ]
    query = tsquery_of(known[: len(typed)], known[len(typed) :])
    return Understood(
        words=query,
        subtree=None if criteria.category is None else tuple(subtree),
        few=bool(few),
        of_variants=frozenset(of_variants),
        typed=" ".join(word.word for word in known[: len(typed)]),
        hopeless=(words is not None and query is None)
        or (criteria.category is not None and not subtree),
    )
