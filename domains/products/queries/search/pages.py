"""One page of a list, as SQL.

A list that is sorted by a column can be made in two ways. Walk along the index of its order, and
keep what fits: quick where much fits. Or fetch all that fits and sort it: quick where little does.
Nobody knows beforehand how much fits, so the statement walks first, but not far, and only where
that has not filled the page does it fetch and sort. Either way it costs about the same with a
thousand products and with a hundred thousand. Only of a small category it is known beforehand:
that is fetched at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from domains.products.queries.media import IMAGE
from domains.products.queries.price_sql import LISTS
from domains.products.queries.prices import PricesFor
from domains.products.queries.search.conditions import Condition, Kind, params_of, where
from domains.products.queries.search.facets import COUNTED
from domains.products.queries.search.port import Sort
from domains.products.queries.variants import VARIANTS

# How far it walks. A filter that one product in fifty passes still fills a page of 20 by that.
WALK = 1_000
# A search has several walks, and mostly words that few products have.
WALK_OF_WORDS = 200

_COLUMNS: dict[Sort, tuple[str, str]] = {
    "name": ("l.sort_name", "ASC"),
    "-name": ("l.sort_name", "DESC"),
    "price": ("o.amount_minor", "ASC"),
    "-price": ("o.amount_minor", "DESC"),
    "newest": ("l.created_at", "DESC"),
    "popularity": ("l.popularity", "DESC"),
}
# Conditions that the one index of listings finds products by.
_FOUND_BY_INDEX: frozenset[Kind] = frozenset(
    {"words", "category", "within", "choice", "variant_choice"}
)
_IN_RANGE = "o.amount_minor >= %s::bigint AND o.amount_minor <= %s::bigint"
# Ranks: what somebody typed is what a product is called, or its SKU or barcode; the name begins
# with it; all the words are in its names; they are somewhere.
EXACT, BEGINS, NAMED, ANYWHERE = 3, 2, 1, 0
# What was typed, and where names that begin with it end in the order of names.
_EXACT = "l.identifiers @> ARRAY[%s::text]"
_BEGINS = "l.sort_name >= %s::text AND l.sort_name < %s::text"
_NAMED = "l.names @@ %s::tsquery"
_BY_RANK = "ORDER BY a DESC, b DESC, product_id DESC"
_AFTER_ALL = "\U0010ffff"
# Behind these an order by rank, popularity and id begins.
_START = (EXACT + 1, 0, UUID(int=0))
_FROM_TOP = (2**63 - 1, UUID(int=2**128 - 1))
_NOTHING = (-1, UUID(int=0))


@lru_cache(maxsize=256)
def page_text(*, kinds: Sequence[Kind], sort: Sort, continued: bool) -> str:
    """CTEs that end in `page`: n, product_id, and the values `a`, `b` it was sorted by.

    Takes the parameters in the order of `page_params`.
    """
    if sort == "relevance":
        return _ranked(kinds)
    column, direction = _COLUMNS[sort]
    table = column.split(".")[0]
    alone, source, bounds = "products_listing l", "products_listing l", ["true"]
    if table == "o":
        # What has a price here is listed.
        alone, bounds = "products_listingprice o", ["o.currency = %s"]
        source = f"{alone} JOIN products_listing l ON l.product_id = o.product_id"
        if "price" in kinds:
            # The walk begins and ends where the range does.
            bounds.append(_IN_RANGE)
            kinds = [kind for kind in kinds if kind != "price"]
    bounded = " AND ".join(bounds)
    fetched = f"{source} WHERE {bounded}"
    if table == "o" and len(bounds) == 1 and not _FOUND_BY_INDEX.isdisjoint(kinds):
        # The prices of those only: Postgres, which does not know how few they are, would read all.
        fetched = f"""products_listing l CROSS JOIN LATERAL (
            SELECT amount_minor FROM products_listingprice o
            WHERE o.product_id = l.product_id AND {bounded} LIMIT 1
        ) o WHERE true"""
    order = f"ORDER BY {column} {direction}, {table}.product_id {direction}"
    behind = _behind((column, f"{table}.product_id"), direction) if continued else "true"
    numbered = f"row_number() OVER (ORDER BY a {direction}, product_id {direction}) AS n"
    if not kinds:
        return f"""
        page AS MATERIALIZED (
            SELECT {numbered}, product_id, a, NULL::bigint AS b FROM (
                SELECT {table}.product_id, {column} AS a FROM {alone}
                WHERE {bounded} AND {behind} {order} LIMIT %s
            ) p
        )
        """
    walks = "%s::boolean"
    if "within" in kinds:
        walks += " AND NOT (SELECT few FROM within)"
    return f"""
        walk AS MATERIALIZED (
            SELECT l.product_id, l.a FROM (
                SELECT l.*, {column} AS a FROM {source}
                WHERE {walks} AND {bounded} AND {behind} {order} LIMIT {WALK}
            ) l WHERE {where(kinds, by="check")} LIMIT %s
        ), enough AS MATERIALIZED (
            SELECT count(*) >= %s AS enough FROM walk
        ), fits AS MATERIALIZED (
            SELECT l.product_id, {column} AS a FROM {fetched}
                AND NOT (SELECT enough FROM enough) AND {where(kinds, by="index")}
        ), sorted AS MATERIALIZED (
            SELECT product_id, a FROM fits
            WHERE {_behind(("a", "product_id"), direction) if continued else "true"}
            ORDER BY a {direction}, product_id {direction} LIMIT %s
        ), page AS MATERIALIZED (
            SELECT {numbered}, product_id, a, NULL::bigint AS b FROM (
                SELECT product_id, a FROM walk WHERE (SELECT enough FROM enough)
                UNION ALL
                SELECT product_id, a FROM sorted
            ) p
        )
    """


def page_params(
    conditions: Sequence[Condition],
    *,
    sort: Sort,
    after: Sequence[Any] | None,
    limit: int,
    currency: str,
    typed: str,
    walks: bool,
) -> list[Any]:
    """walks: whether a walk may fill the page."""
    if sort == "relevance":
        return _ranked_params(conditions, after, limit, typed)
    behind, source = list(after or ()), list[Any]()
    if sort in ("price", "-price"):
        bounds = [bound for c in conditions if c.kind == "price" for bound in c.params[1:]]
        source = [currency, *bounds]
        conditions = [c for c in conditions if c.kind != "price"]
    given = params_of(conditions)
    if not conditions:
        return [*source, *behind, limit]
    return [walks, *source, *behind, *given, limit, limit, *source, *given, *behind, limit]


def _behind(columns: Sequence[str], direction: str) -> str:
    places = ", ".join("%s" for _ in columns)
    return f"({', '.join(columns)}) {'<' if direction == 'DESC' else '>'} ({places})"


def _ranked(kinds: Sequence[Kind]) -> str:
    """By rank, then by popularity: a stage per rank that is only entered where those above it have
    not filled the page. Within a stage it walks along the popular ones first, as above."""
    others = [kind for kind in kinds if kind != "words"]
    better = f"({_EXACT} OR {_BEGINS})"
    order = _BY_RANK
    anywhere = f"l.document @@ %s::tsquery AND NOT {_NAMED}"
    return f"""
        best AS MATERIALIZED (
            SELECT * FROM (
                SELECT l.product_id, CASE WHEN {_EXACT} THEN {EXACT} ELSE {BEGINS} END AS a,
                    l.popularity AS b
                FROM products_listing l
                -- Few are better: those are looked at, and not all that have the words.
                WHERE {better}
                    AND (l.document @@ %s::tsquery AND {where(others, by="check")}) IS TRUE
            ) l WHERE (a, b, product_id) < (%s, %s, %s::uuid) {order} LIMIT %s
        ),
        {_stage("named", _NAMED, NAMED, others, better, above=("best",))},
        {_stage("anywhere", anywhere, ANYWHERE, others, better, above=("best", "named"))},
        page AS MATERIALIZED (
            SELECT row_number() OVER ({order}) AS n, product_id, a, b FROM (
                SELECT * FROM (
                    SELECT * FROM best UNION ALL SELECT * FROM named UNION ALL
                    SELECT * FROM anywhere
                ) p {order} LIMIT %s
            ) p
        )
    """


def ranked_text(kinds: Sequence[Kind]) -> str:
    """The same order where all that fits is read anyway, since it is counted: CTEs `matched`, with
    the columns that facets count, and `page`. Takes `ranked_params`."""
    return f"""
        matched AS MATERIALIZED (
            SELECT {COUNTED}, l.popularity AS b, CASE WHEN {_EXACT} THEN {EXACT}
                WHEN {_BEGINS} THEN {BEGINS} WHEN {_NAMED} THEN {NAMED} ELSE {ANYWHERE} END AS a
            FROM products_listing l WHERE {where(kinds, by="index")}
        ), page AS MATERIALIZED (
            SELECT row_number() OVER ({_BY_RANK}) AS n, product_id, a, b FROM (
                SELECT product_id, a, b FROM matched
                WHERE (a, b, product_id) < (%s, %s, %s::uuid) {_BY_RANK} LIMIT %s
            ) p
        )
    """


def ranked_params(
    conditions: Sequence[Condition], *, after: Sequence[Any] | None, limit: int, typed: str
) -> list[Any]:
    better = [typed, typed, typed + _AFTER_ALL]
    return [*better, _words_of(conditions), *params_of(conditions), *(after or _START), limit]


def _stage(
    name: str,
    condition: str,
    rank: int,
    others: Sequence[Kind],
    better: str,
    *,
    above: Sequence[str],
) -> str:
    order = "ORDER BY l.popularity DESC, l.product_id DESC"
    behind = "(l.popularity, l.product_id) < (%s, %s::uuid)"
    full = " + ".join(f"(SELECT count(*) FROM {stage})" for stage in above)
    return f"""
        {name}_open AS MATERIALIZED (SELECT {full} < %s AS open),
        {name}_walk AS MATERIALIZED (
            SELECT l.product_id, {rank} AS a, l.popularity AS b FROM (
                SELECT l.* FROM products_listing l
                WHERE (SELECT open FROM {name}_open) AND {behind} {order} LIMIT {WALK_OF_WORDS}
            ) l
            WHERE {condition} AND NOT {better} AND {where(others, by="check")} LIMIT %s
        ), {name}_enough AS MATERIALIZED (
            SELECT count(*) >= %s OR NOT (SELECT open FROM {name}_open) AS enough
            FROM {name}_walk
        ), {name}_fits AS MATERIALIZED (
            SELECT l.product_id, l.popularity FROM products_listing l
            WHERE NOT (SELECT enough FROM {name}_enough) AND {condition}
                AND {where(others, by="index")} AND NOT {better}
        ), {name} AS MATERIALIZED (
            SELECT product_id, a, b FROM {name}_walk WHERE (SELECT enough FROM {name}_enough)
            UNION ALL
            SELECT * FROM (
                SELECT l.product_id, {rank}, l.popularity FROM {name}_fits l
                WHERE {behind} {order} LIMIT %s
            ) l
        )
    """


def _ranked_params(
    conditions: Sequence[Condition], after: Sequence[Any] | None, limit: int, typed: str
) -> list[Any]:
    words = _words_of(conditions)
    others = params_of([c for c in conditions if c.kind != "words"])
    rank, *behind = after or _START
    better = [typed, typed, typed + _AFTER_ALL]
    params = [typed, *better, words, *others, rank, *behind, limit]
    for stage, condition in ((NAMED, [words]), (ANYWHERE, [words, words])):
        start = behind if rank == stage else _FROM_TOP if rank > stage else _NOTHING
        params += [limit, *start, *condition, *better, *others, limit, limit]
        params += [*condition, *others, *better, *start, limit]
    return [*params, limit]


def _words_of(conditions: Sequence[Condition]) -> Any:
    [words] = [c.params[0] for c in conditions if c.kind == "words"]
    return words


# The card `c` of a product, with whether something is left of each variant. Mostly that is so of
# all of them, which is known sooner than of each.
_LEFT = "s.on_hand + s.backorder_limit - s.held > 0"
_CARD = f"""
    CASE WHEN EXISTS (
        SELECT FROM products_stockitem s WHERE s.variant_id = ANY(c.variant_ids) AND NOT {_LEFT}
    ) THEN (
        SELECT concat('[', string_agg(concat(
            u.shown, CASE WHEN {_LEFT} THEN 'true}}' ELSE 'false}}' END
        ), ',' ORDER BY u.n), ']')
        FROM unnest(c.variant_ids, c.variants) WITH ORDINALITY u (id, shown, n)
        JOIN products_stockitem s ON s.variant_id = u.id
    ) ELSE concat('[', array_to_string(c.variants, 'true}},'), 'true}}]') END
"""
HOLDING = f"holding AS MATERIALIZED (SELECT ARRAY({LISTS}) AS ids)"
# What is shown of a page's products, one after the other: of how many there are on a page Postgres
# knows nothing. By their cards, or else from the aggregates. Goes behind HOLDING, takes
# `shown_params`.
SHOWN = f"""
    SELECT g.n, g.product_id, coalesce(c.slug, p.slug), coalesce(c.image, p.image), c.variants,
        p.variants, coalesce(c.name, p.name), g.a, g.b
    FROM page g LEFT JOIN LATERAL (
        SELECT c.slug, coalesce(c.names ->> %s::text, c.name) AS name,
            CASE WHEN c.alts ->> %s::text <> '' THEN jsonb_set(c.image, '{{1}}', c.alts -> %s::text)
            ELSE c.image END::text AS image, {_CARD} AS variants
        FROM products_listingcard c
        WHERE c.product_id = g.product_id AND c.currency = %s
            AND ((SELECT ids = '{{}}' FROM holding) OR NOT EXISTS (
                SELECT FROM products_price pr
                WHERE pr.variant_id = ANY(c.variant_ids) AND pr.currency = c.currency
                    AND pr.price_list_id = ANY((SELECT ids FROM holding)::uuid[])
            ))
        LIMIT 1
    ) c ON true LEFT JOIN LATERAL (
        SELECT p.slug, ({IMAGE}) AS image, ({VARIANTS}) AS variants, coalesce(nullif((
                SELECT t.name FROM products_producttext t
                WHERE t.product_id = p.id AND t.locale = %s
            ), ''), p.name) AS name
        FROM products_product p WHERE c.slug IS NULL AND p.id = g.product_id LIMIT 1
    ) p ON true
"""


def shown_params(locale: str, prices: PricesFor) -> list[Any]:
    return [locale, locale, locale, prices.currency, locale, *prices.params, locale]
