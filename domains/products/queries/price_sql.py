"""What a statement reads where it shows prices.

It joins PRICES to its variants `v` and reads PRICE from it: a row per price list that matters, the
base among them. `PricesFor` has the parameters of each.
"""

from __future__ import annotations

from domains.products.models.listing_price_sql import HAS_OTHERS


def _entries(price: str) -> str:
    """SQL: the entries of a price that may still be asked about where `pr` is shown."""
    return f"""(
        SELECT coalesce(json_agg(json_build_array(e.number, e.kind, e.min_quantity,
            e.amount_minor, e.from_at, e.until_at, e.ended_at)), '[]'::json)
        FROM products_priceentry e, coalesce(pr.reduced_since, pr.changes_at) turned
        WHERE e.price_id = {price}.id
            AND (e.ended_at IS NULL OR e.ended_at > turned - interval '30 days 1 second')
            AND (e.until_at IS NULL OR e.until_at > turned - interval '30 days 1 second')
    )"""


# The columns of a price tell what is asked until its time comes; from then on, until it is brought
# up to date, its entries do. A base price that most are, of one piece and for good, is a bare
# number. Where a price is reduced, or may come to be, and lists have one too, all of them tell what
# was asked before. Takes now.
PRICE = f"""
    CASE WHEN pr.price_list_id IS NULL AND pr.changes_at IS NULL AND pr.reduced_since IS NULL
        AND cardinality(pr.tiers) = 0 THEN to_json(pr.amount_minor)
    WHEN pr.id IS NOT NULL THEN json_build_array(
        pr.amount_minor, pr.tiers, pr.regular_minor, pr.lowest_30d_minor, pr.changes_at,
        CASE WHEN pr.changes_at <= %s THEN {_entries("pr")} END,
        (
            SELECT json_build_array(pl.priority, pl.code, pl.valid_from, pl.valid_until)
            FROM products_pricelist pl WHERE pl.id = pr.price_list_id
        ),
        CASE WHEN coalesce(pr.reduced_since, pr.changes_at) IS NOT NULL AND {HAS_OTHERS} THEN (
            SELECT json_agg(json_build_array(o.id = pr.id, {_entries("o")},
                CASE WHEN pl.id IS NOT NULL THEN json_build_array(
                    pl.id, pl.code, pl.priority, pl.channel_id, pl.customer_group,
                    pl.valid_from, pl.valid_until, pl.active, pl.former_terms
                ) END))
            FROM products_price o LEFT JOIN products_pricelist pl ON pl.id = o.price_list_id
            WHERE o.variant_id = pr.variant_id AND o.currency = pr.currency
        ) END
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
