"""The search engine that needs no other server: two statements at most, whatever is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from domains.products.queries.media import image_of
from domains.products.queries.prices import PricesFor
from domains.products.queries.search.conditions import Kind, conditions_of, params_of
from domains.products.queries.search.facets import (
    facets_of,
    facets_params,
    facets_text,
    matched_text,
)
from domains.products.queries.search.pages import (
    HOLDING,
    SHOWN,
    page_params,
    page_text,
    ranked_params,
    ranked_text,
    shown_params,
)
from domains.products.queries.search.port import (
    ORDERS,
    Criteria,
    Facets,
    FacetsWanted,
    Found,
    ListedProduct,
    RenderedVariants,
    Sort,
)
from domains.products.queries.search.understanding import WITHIN, understood
from domains.products.queries.variants import variants_of
from infrastructure.database.contexts import connection_of
from infrastructure.money import minor_digits


class PostgresSearch:
    """See `port.SearchEngine`."""

    def search(
        self,
        criteria: Criteria,
        *,
        sort: Sort,
        after: Sequence[Any] | None,
        limit: int,
        prices: PricesFor,
        facets: FacetsWanted | None,
    ) -> Found:
        codes = facets.attributes if facets and not isinstance(facets.attributes, bool) else ()
        meant = understood(criteria, codes=sorted(codes))
        if meant.hopeless:
            return Found(products=(), facets=None if facets is None else _nothing(facets))
        conditions = conditions_of(criteria, meant)
        kinds = tuple(condition.kind for condition in conditions)
        params: list[Any] = prices.lists_params
        if "within" in kinds:
            params.append(criteria.category)
        if facets is not None and sort == "relevance":
            params += ranked_params(conditions, after=after, limit=limit, typed=meant.typed)
        else:
            params += page_params(
                conditions,
                sort=sort,
                after=after,
                limit=limit,
                currency=criteria.currency,
                typed=meant.typed,
                walks=not meant.few,
            )
            if facets is not None:
                params += params_of(conditions)
        digits = minor_digits(criteria.currency)
        if facets is not None:
            params += facets_params(
                conditions,
                facets,
                category=criteria.category,
                currency=criteria.currency,
                digits=digits,
                locale=criteria.locale,
            )
        params += shown_params(criteria.locale, prices)
        text = _text(
            kinds,
            sort,
            after is not None,
            None if facets is None else facets_text(conditions, facets),
        )
        rows = connection_of("products").fetch(text, params)
        counted = None
        if facets is not None:
            counted = facets_of(rows.pop(0)[2], digits=digits)
        return Found(products=[_product(row, sort, prices) for row in rows], facets=counted)


# Callers choose the filters, so there are more combinations than are worth keeping.
@lru_cache(maxsize=256)
def _text(kinds: tuple[Kind, ...], sort: Sort, continued: bool, facets: str | None) -> str:
    ctes = [HOLDING, WITHIN] if "within" in kinds else [HOLDING]
    if facets is not None and sort == "relevance":
        ctes.append(ranked_text(kinds))
    else:
        ctes.append(page_text(kinds=kinds, sort=sort, continued=continued))
        if facets is not None:
            ctes.append(matched_text(kinds))
    start = f"WITH RECURSIVE {', '.join(ctes)}"
    if facets is None:
        return f"{start} {SHOWN} ORDER BY 1"
    # The facets are the first row, in the place of a slug.
    return f"""
        {start}, facets AS MATERIALIZED ({facets})
        SELECT * FROM (
            SELECT 0::bigint AS n, NULL::uuid, f.*, NULL::text, NULL::text, NULL::text, NULL::text,
                g.a, g.b
            FROM facets f LEFT JOIN page g ON false
            UNION ALL
            {SHOWN}
        ) shown ORDER BY 1
    """


def _product(row: Sequence[Any], sort: Sort, prices: PricesFor) -> ListedProduct:
    _, product_id, slug, image, rendered, variants, name, a, b = row
    if sort == "relevance":
        sorted_by = {"rank": a, "popularity": b}
    else:
        sorted_by = {ORDERS[sort][0].lstrip("-"): a}
    return ListedProduct(
        id=product_id,
        slug=slug,
        name=name,
        image=image_of(image),
        variants=variants_of(variants, prices) if rendered is None else RenderedVariants(rendered),
        **sorted_by,
    )


def _nothing(wanted: FacetsWanted) -> Facets:
    return Facets(
        count=0,
        categories=() if wanted.categories else None,
        available={} if wanted.available else None,
        attributes=() if wanted.attributes else None,
    )
