"""What each variant on sale is filtered by: a part of the statement that lists its product."""

from __future__ import annotations

# CTEs for the products in `asked` and their variants in `sold`, whose filters are in `tokens` and
# `numbers`: those of a product have no variant there, and hold for each of its variants.
VARIANT_CTES = """
    tokens_each AS MATERIALIZED (
        SELECT product_id, variant_id, array_agg(DISTINCT token ORDER BY token) AS tokens
        FROM tokens GROUP BY product_id, variant_id
    ), numbers_each AS MATERIALIZED (
        SELECT product_id, variant_id, jsonb_object_agg(code, value) AS numbers
        FROM numbers WHERE value IS NOT NULL GROUP BY product_id, variant_id
    ), filtered_by AS MATERIALIZED (
        SELECT v.id, v.product_id, v.available,
            coalesce(shared.tokens, '{}') || coalesce(own.tokens, '{}') AS tokens,
            coalesce(counted.numbers, '{}') || coalesce(measured.numbers, '{}') AS numbers
        FROM sold v
        LEFT JOIN tokens_each shared
            ON shared.product_id = v.product_id AND shared.variant_id IS NULL
        LEFT JOIN tokens_each own ON own.variant_id = v.id
        LEFT JOIN numbers_each counted
            ON counted.product_id = v.product_id AND counted.variant_id IS NULL
        LEFT JOIN numbers_each measured ON measured.variant_id = v.id
    ), variants_gone AS (
        DELETE FROM products_listingvariant l
        WHERE l.product_id = ANY(ARRAY(SELECT id FROM asked))
            AND NOT EXISTS (SELECT FROM sold WHERE sold.id = l.variant_id)
        RETURNING 1
    ), told_apart AS (
        INSERT INTO products_listingvariant AS l
            (variant_id, product_id, available, tokens, numbers)
        SELECT id, product_id, available, tokens, numbers FROM filtered_by ORDER BY id
        ON CONFLICT (variant_id) DO UPDATE
            SET (available, tokens, numbers)
                = ROW(excluded.available, excluded.tokens, excluded.numbers)
        WHERE (l.available, l.tokens, l.numbers)
            IS DISTINCT FROM (excluded.available, excluded.tokens, excluded.numbers)
        RETURNING 1
    )
"""
