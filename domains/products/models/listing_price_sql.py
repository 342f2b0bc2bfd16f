"""What products cost everybody, as the listing keeps it: a part of the statement that lists them,
and a statement of its own."""

from __future__ import annotations

# CTEs for the products in `asked` and their variants in `sold`: of the lists that hold for
# everybody the one of the highest priority is asked first, the base last (rules.price_lists).
PRICE_CTES = """
    prices AS MATERIALIZED (
        SELECT product_id, currency, min(amount_minor) AS amount_minor FROM (
            SELECT DISTINCT ON (v.id, pr.currency) v.product_id, pr.currency, pr.amount_minor
            FROM sold v JOIN products_price pr ON pr.variant_id = v.id
            LEFT JOIN products_pricelist pl ON pl.id = pr.price_list_id
            WHERE pr.amount_minor IS NOT NULL AND (pr.price_list_id IS NULL OR pl.for_everybody)
            ORDER BY v.id, pr.currency, pl.priority DESC NULLS LAST, pl.code COLLATE "C"
        ) each_variant
        GROUP BY product_id, currency
    ), prices_gone AS (
        DELETE FROM products_listingprice l
        WHERE l.product_id = ANY(ARRAY(SELECT id FROM asked)) AND NOT EXISTS (
            SELECT FROM prices p WHERE p.product_id = l.product_id AND p.currency = l.currency
        )
        RETURNING 1
    ), priced AS (
        INSERT INTO products_listingprice AS l (product_id, currency, amount_minor)
        SELECT product_id, currency, amount_minor FROM prices ORDER BY product_id, currency
        ON CONFLICT (product_id, currency) DO UPDATE SET amount_minor = excluded.amount_minor
        WHERE l.amount_minor <> excluded.amount_minor
        RETURNING 1
    )
"""

# Whether price lists have, or had, a price where `pr` is one.
HAS_OTHERS = """EXISTS (
    SELECT FROM products_price others WHERE others.variant_id = pr.variant_id
        AND others.currency = pr.currency AND others.price_list_id IS NOT NULL
)"""

# Takes the products, which are locked.
REFRESH_PRICES = f"""
    WITH asked AS MATERIALIZED (SELECT unnest(%s::uuid[]) AS id),
    sold AS MATERIALIZED (
        SELECT v.product_id, v.id
        FROM products_product p JOIN products_variant v ON v.product_id = p.id
        WHERE p.id = ANY(ARRAY(SELECT id FROM asked)) AND p.status = 'active'
            AND v.retired_at IS NULL
    ), {PRICE_CTES}, cards_gone AS (
        -- What these would show as the lowest price before a reduction is no longer theirs to say.
        DELETE FROM products_listingcard c
        WHERE c.product_id = ANY(ARRAY(SELECT id FROM asked)) AND EXISTS (
            SELECT FROM products_price pr
            WHERE pr.variant_id = ANY(c.variant_ids) AND pr.currency = c.currency
                AND pr.price_list_id IS NULL AND pr.reduced_since IS NOT NULL AND {HAS_OTHERS}
        )
    )
    SELECT EXISTS (SELECT FROM prices_gone) OR EXISTS (SELECT FROM priced)
"""
