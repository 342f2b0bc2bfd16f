"""The statements that count what orders ask for, and make popularity of it."""

from __future__ import annotations

# Popularity is how many units orders asked for in so many days.
POPULAR_DAYS = 90

POPULARITY = """
    WITH wanted AS (
        SELECT product_id, sum(units)::bigint AS units FROM products_listingdemand
        WHERE day > %s GROUP BY product_id
    )
    SELECT l.product_id, coalesce(w.units, 0)
    FROM products_listing l LEFT JOIN wanted w ON w.product_id = l.product_id
    WHERE l.popularity <> coalesce(w.units, 0)
    ORDER BY l.product_id
"""

SET_POPULARITY = """
    WITH free AS MATERIALIZED (
        SELECT l.product_id, w.units FROM unnest(%s::uuid[], %s::bigint[]) w (product_id, units)
        JOIN products_listing l ON l.product_id = w.product_id
        FOR NO KEY UPDATE OF l SKIP LOCKED
    )
    UPDATE products_listing l SET popularity = f.units FROM free f
    WHERE l.product_id = f.product_id RETURNING 1
"""

DEMAND = """
    INSERT INTO products_listingdemand AS d (product_id, day, units)
    SELECT v.product_id, a.day, sum(a.units)
    FROM unnest(%s::uuid[], %s::date[], %s::bigint[]) a (variant_id, day, units)
    JOIN products_variant v ON v.id = a.variant_id
    GROUP BY v.product_id, a.day ORDER BY v.product_id, a.day
    ON CONFLICT (product_id, day) DO UPDATE SET units = d.units + excluded.units
    RETURNING 1
"""

FORGET_DEMAND = """
    DELETE FROM products_listingdemand WHERE id = ANY(ARRAY(
        SELECT id FROM products_listingdemand
        WHERE day >= coalesce(%s::date, '-infinity') AND day < coalesce(%s::date, 'infinity')
        ORDER BY product_id, day FOR UPDATE
    ))
    RETURNING 1
"""

# Rows per statement. Whoever has one in hand keeps it until the next time.
FORGOTTEN_AT_ONCE = 10_000

FORGET_OLD_DEMAND = """
    DELETE FROM products_listingdemand WHERE id = ANY(ARRAY(
        SELECT id FROM products_listingdemand WHERE day <= %s
        ORDER BY day LIMIT %s FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
"""
