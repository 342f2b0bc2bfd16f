"""What lists show of a product, written down beforehand: a part of the statement that lists it."""

from __future__ import annotations

from functools import cache

from iso4217 import Currency

from domains.products.models.listing_price_sql import HAS_OTHERS
from infrastructure.money import minor_digits

# The places of a picture `m` and its file `f`, of which the first that has not failed is shown.
FROM_PICTURES = """
    FROM products_productmedia m
    JOIN products_mediafile f ON f.id = m.file_id
    LEFT JOIN products_variant mv ON mv.id = m.variant_id
    WHERE m.product_id = p.id AND f.state <> 'FAILED'
"""
_COLUMNS = ("slug", "name", "names", "image", "alts", "variant_ids", "variants")


def picture(alt: str) -> str:
    """SQL: the arguments of a JSON array about a picture. alt: SQL for its text."""
    return f"m.id, {alt}, f.sha256, f.suffix, f.width, f.height, f.renditions, mv.sku"


def card_ctes() -> str:
    """CTEs for the products in `shown` and their variants in `sold`."""
    return f"""
    currencies AS (
        SELECT DISTINCT v.product_id, pr.currency
        FROM sold v JOIN products_price pr ON pr.variant_id = v.id
        WHERE pr.price_list_id IS NULL
    ), cards AS MATERIALIZED (
        SELECT k.product_id, k.currency, array_agg(v.id ORDER BY v.position, v.id) AS variant_ids,
            array_agg({_variant()} ORDER BY v.position, v.id) AS variants
        FROM currencies k JOIN sold v ON v.product_id = k.product_id
        LEFT JOIN products_price pr ON pr.variant_id = v.id AND pr.currency = k.currency
            AND pr.price_list_id IS NULL
        GROUP BY k.product_id, k.currency
        -- Of what turns by itself, depends on the quantity, or is reduced where price lists have a
        -- price too, more is shown than is known here.
        HAVING bool_and(pr.id IS NULL OR pr.changes_at IS NULL AND pr.tiers = '{{}}'
            AND NOT (pr.reduced_since IS NOT NULL AND {HAS_OTHERS}))
    ), cards_gone AS (
        DELETE FROM products_listingcard l
        WHERE l.product_id = ANY(ARRAY(SELECT id FROM asked)) AND NOT EXISTS (
            SELECT FROM cards c WHERE c.product_id = l.product_id AND c.currency = l.currency
        )
    ), carded AS (
        INSERT INTO products_listingcard AS l (product_id, currency, {", ".join(_COLUMNS)})
        SELECT c.product_id, c.currency, p.slug, p.name, coalesce((
                SELECT jsonb_object_agg(t.locale, t.name) FROM products_producttext t
                WHERE t.product_id = p.id AND t.name <> ''
            ), '{{}}'), i.image, coalesce(i.alts, '{{}}'), c.variant_ids, c.variants
        FROM cards c JOIN shown p ON p.id = c.product_id LEFT JOIN LATERAL (
            SELECT jsonb_build_array({picture("m.alt")}) AS image, m.alts {FROM_PICTURES}
            ORDER BY m.position, m.id LIMIT 1
        ) i ON true
        ORDER BY c.product_id, c.currency
        ON CONFLICT (product_id, currency) DO UPDATE SET ({", ".join(_COLUMNS)}) = ROW(
            {_each("excluded")}
        )
        WHERE ({_each("l")}) IS DISTINCT FROM ({_each("excluded")})
    )
    """


def _each(table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in _COLUMNS)


def _variant() -> str:
    """SQL: what the API shows of a variant `v` at its base price `pr`, up to whether there is
    something left of it."""
    return f"""concat(
        '{{"sku":', to_json(v.sku), ',"name":', to_json(v.name), ',"options":', v.options,
        ',"unit":', to_json(v.unit),
        ',"price":', CASE WHEN pr.amount_minor IS NULL THEN 'null'
            ELSE {_money("pr.amount_minor")} END,
        ',"reduction":', CASE WHEN pr.amount_minor IS NULL OR pr.lowest_30d_minor IS NULL
            THEN 'null'
            ELSE concat('{{"regular_price":', {_money("pr.regular_minor")},
                ',"lowest_price_30_days":', {_money("pr.lowest_30d_minor")}, '}}') END,
        ',"price_tiers":[],"available":'
    )"""


def _money(column: str) -> str:
    amount = f"{column} * {_smallest_unit()}"
    return f"""concat('{{"amount":"', {amount}, '","currency":"', pr.currency, '"}}')"""


@cache
def _smallest_unit() -> str:
    """SQL: the value of one minor unit of a price `pr`, with the decimals of its currency."""
    by_digits: dict[int, list[str]] = {}
    for currency in Currency:
        if currency.exponent is not None:
            by_digits.setdefault(minor_digits(currency.code), []).append(currency.code)
    usual = max(by_digits, key=lambda digits: len(by_digits[digits]))
    cases = ""
    for digits, codes in sorted(by_digits.items()):
        if digits != usual:
            names = ", ".join(f"'{code}'" for code in sorted(codes))
            cases += f"WHEN pr.currency IN ({names}) THEN {_unit(digits)} "
    return f"CASE {cases}ELSE {_unit(usual)} END"


def _unit(digits: int) -> str:
    return "1" if digits == 0 else f"0.{'1'.rjust(digits, '0')}"
