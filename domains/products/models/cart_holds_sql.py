"""The statements that hold for carts; what they have in common with the others is told there."""

from __future__ import annotations

from functools import cache

from domains.products.models.holding_sql import LOCKED, MOVEMENT, TURNED, outcome

# Holds for a cart in place of what it held before.
#
# deltas     by how much each line rises or falls
# fit        one row, where every line that rises can have what it lacks
# made       the cart's hold, unless it is not any more what was read
_HOLD_FOR_CART = """
WITH deltas AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::int[]) AS d (variant_id, quantity)
), {locked}, fit AS MATERIALIZED (
    SELECT coalesce(bool_and(
        deltas.quantity < 0 OR coalesce(deltas.quantity <= locked.remaining, false)
    ), true) AS fits
    FROM deltas LEFT JOIN locked ON locked.variant_id = deltas.variant_id
), {source}made AS (
    INSERT INTO products_reservation AS r
        (id, holder, status, created_at, expires_at, released_at, version, events_recorded)
    SELECT %s::uuid, 'cart', 'HELD', %s::timestamptz, %s::timestamptz, NULL, 1, 1
    FROM fit {from_source} WHERE fits
    ON CONFLICT (id) {conflict}
    RETURNING r.id, r.events_recorded
), gone AS (
    DELETE FROM products_reservationline l USING made
    WHERE l.reservation_id = made.id AND NOT l.stock_item_id = ANY(%s::uuid[])
), lines AS (
    INSERT INTO products_reservationline AS l (id, reservation_id, stock_item_id, quantity)
    SELECT w.line_id, made.id, w.variant_id, w.quantity
    FROM made, unnest(%s::uuid[], %s::uuid[], %s::int[]) AS w (line_id, variant_id, quantity)
    ON CONFLICT (reservation_id, stock_item_id) DO UPDATE SET quantity = excluded.quantity
), taken AS MATERIALIZED (
    SELECT deltas.* FROM deltas, made
), ledger AS (
    {movement}
    SELECT taken.variant_id, NULL, CASE WHEN taken.quantity > 0 THEN 'HOLD' ELSE 'RELEASE' END, 0,
        taken.quantity, 0, NULL::uuid, made.id, NULL::uuid, NULL::uuid, '', NULL::uuid,
        %s::timestamptz
    FROM taken, made
    {ledger_of_source}
), {ended}told AS (
    SELECT id, events_recorded FROM made
    {told_of_source}
), {outcome}
SELECT (SELECT count(*) FROM made) > 0, (
    SELECT json_agg(json_build_array(deltas.variant_id, coalesce(locked.remaining, 0)))::text
    FROM deltas LEFT JOIN locked ON locked.variant_id = deltas.variant_id
    WHERE deltas.quantity > 0 AND deltas.quantity > coalesce(locked.remaining, 0)
), EXISTS (
    SELECT 1 FROM products_reservation r
    WHERE r.status = 'HELD' AND r.expires_at <= %s::timestamptz
), {turned}
"""

# Where there was none when it was read, one that came since is left alone without a lock: this
# statement may not see it yet, and so has not locked it in its turn.
_IS_NEW = "DO NOTHING"
_WAS_THERE = """DO UPDATE
    SET status = 'HELD', expires_at = excluded.expires_at, released_at = NULL,
        version = r.version + 1, events_recorded = r.events_recorded + 1
    WHERE r.version = %s::int AND r.holder = 'cart'"""

# The same where it takes over what another cart holds.
#
# carts      both holds, as far as there are any, locked: after all stock rows, of which `fit` alone
#            would not ask for those that the carts hold already
# source     the other's, unless it is not any more what was read
# ended      the same, when it went over; its goods stay held, so the ledger tells of no number
_SOURCE = """
carts AS MATERIALIZED (
    SELECT r.id, r.version FROM products_reservation r
    WHERE r.id = ANY(%s::uuid[]) AND (SELECT count(*) FROM locked) > 0 AND (SELECT fits FROM fit)
    ORDER BY r.id
    FOR NO KEY UPDATE
), source AS MATERIALIZED (
    SELECT id FROM carts WHERE id = %s::uuid AND version = %s::int
), """

_LEDGER_OF_SOURCE = """
    UNION ALL
    SELECT went.variant_id, NULL, 'TAKE_OVER', 0, 0, 0, NULL::uuid, source.id, NULL::uuid,
        NULL::uuid, '', NULL::uuid, %s::timestamptz
    FROM source, made, unnest(%s::uuid[]) AS went (variant_id)
"""

_ENDED = """
ended AS (
    UPDATE products_reservation r
    SET status = 'RELEASED', released_at = %s::timestamptz, expires_at = NULL,
        version = r.version + 1, events_recorded = r.events_recorded + 1
    FROM source, made
    WHERE r.id = source.id
    RETURNING r.id, r.events_recorded
), """

EXTEND = """
UPDATE products_reservation
SET expires_at = greatest(expires_at, %s::timestamptz), version = version + 1
WHERE id = %s AND holder = 'cart' AND status = 'HELD'
RETURNING id
"""


@cache
def hold_for_cart_text(*, is_new: bool, with_source: bool) -> str:
    """is_new: whether there was no such hold, ended or not, when it was read.

    Takes: deltas (variant, quantity); variants to lock; with a source both carts, the source and
    its version; cart; now; expiry; unless it is new its version; variants of the lines; lines (new
    id, variant, quantity); now; with a source now, its variants and now again; carriers; facts;
    now."""
    return _HOLD_FOR_CART.format(
        locked=LOCKED.format(only=""),
        conflict=_IS_NEW if is_new else _WAS_THERE,
        source=_SOURCE if with_source else "",
        from_source=", source" if with_source else "",
        movement=MOVEMENT,
        ledger_of_source=_LEDGER_OF_SOURCE if with_source else "",
        ended=_ENDED if with_source else "",
        told_of_source="UNION ALL SELECT id, events_recorded FROM ended" if with_source else "",
        outcome=outcome(),
        turned=TURNED,
    )
