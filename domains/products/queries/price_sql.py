"""What a statement reads where it shows prices.

It joins PRICES to its variants `v` and reads PRICE from it: a row per price list that matters, the
base among them. `PricesFor` has the parameters of each.
"""

from __future__ import annotations

# The columns of a price tell what is asked until its time comes; from then on, until it is brought
# up to date, its entries do. A base price that most are, of one piece and for good, is a bare
# number. Takes now.
PRICE = """
    CASE WHEN pr.price_list_id IS NULL AND pr.changes_at IS NULL AND pr.regular_minor IS NULL
        AND cardinality(pr.tiers) = 0 THEN to_json(pr.amount_minor)
    WHEN pr.id IS NOT NULL THEN json_build_array(
        pr.amount_minor, pr.tiers, pr.regular_minor, pr.lowest_30d_minor, pr.changes_at,
        CASE WHEN pr.changes_at <= %s THEN (
            SELECT coalesce(json_agg(json_build_array(e.number, e.kind, e.min_quantity,
                e.amount_minor, e.from_at, e.until_at, e.ended_at)), '[]'::json)
            FROM products_priceentry e, coalesce(pr.reduced_since, pr.changes_at) turned
            WHERE e.price_id = pr.id
                AND (e.ended_at IS NULL OR e.ended_at > turned - interval '30 days 1 second')
                AND (e.until_at IS NULL OR e.until_at > turned - interval '30 days 1 second')
        ) END,
        (
            SELECT json_build_array(pl.priority, pl.code, pl.valid_from, pl.valid_until)
            FROM products_pricelist pl WHERE pl.id = pr.price_list_id
        )
    ) END
"""
# The lists that hold for the caller, now or later. Takes channel, customer_group and now.
LISTS = """
    SELECT l.id FROM products_pricelist l
    WHERE l.active
        AND (l.channel_id IS NULL OR l.channel_id = %s::text)
        AND (l.customer_group = '' OR l.customer_group = %s::text)
        AND (l.valid_until IS NULL OR l.valid_until > %s)
"""
PRICES = f"""
    LEFT JOIN products_price pr ON pr.variant_id = v.id AND pr.currency = %s
        AND (pr.price_list_id IS NULL OR pr.price_list_id = ANY(ARRAY({LISTS})))
"""
