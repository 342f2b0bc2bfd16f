"""The statements that hold stock and free it. Each is one round trip, and all or nothing.

Everybody locks stock rows first and in the order of their ids, then the rows of carts' holds in
the order of theirs, then makes new reservations, in order again: so holds, releases, expiry and
counts cannot wait for each other in a circle.

What a reservation holds is read before the statement and passed to it with the reservation's
version; a reservation that was changed meanwhile is left alone, and the caller looks again.

Parts that several statements share:

locked     what is left of each SKU; read again after the lock was granted, so always the newest
taken      by how much `held` rises, per SKU; falls where it is negative
changed    what that does to the SKU: whether buyers (turned) or staff (low) have to know
told       the reservations that changed, with the number of their newest event
carriers   for each SKU the outbox row that says that there is something again (sequence 1), or
           nothing any more (sequence 0). Of one that runs low the row is made here, with the
           place, the cause and the time of the carrier: only the statement knows the number.
           They come as text, which is only read as JSON where one of them is wanted: seldom.
"""

from __future__ import annotations

from functools import cache

from domains.products.events import StockLow
from infrastructure.database.statement import insertable_fields
from infrastructure.outbox.models import OutboxMessage

LOCKED = """
locked AS MATERIALIZED (
    SELECT s.variant_id, s.on_hand + s.backorder_limit - s.held AS remaining,
        s.low_stock_threshold AS threshold
    FROM products_stockitem s
    WHERE s.variant_id = ANY(%s::uuid[]) {only}
    ORDER BY s.variant_id
    FOR NO KEY UPDATE
)"""

MOVEMENT = """
    INSERT INTO products_stockmovement
        (stock_item_id, warehouse_id, kind, on_hand_delta, held_delta, backorder_delta, order_id,
         cart_id, fulfilment_id, transfer_id, reason, actor_id, created_at)"""

# An identifier of version 7 (RFC 9562): the time of the carrier's, the rest by chance.
_LOW_COLUMNS = {
    "event_id": "overlay(gen_random_uuid()::text PLACING left(r.event_id::text, 15) FROM 1)::uuid",
    "name": f"'{StockLow.name}'",
    "event_version": f"{StockLow.version}",
    "payload": """json_build_object('variant_id', stock.variant_id, 'sku', stock.sku,
        'available', stock.remaining, 'threshold', stock.low_stock_threshold)::text""",
}

_OUTCOME = """
changed AS MATERIALIZED (
    SELECT taken.variant_id, taken.quantity, locked.remaining - taken.quantity AS remaining,
        (locked.remaining > 0) <> (locked.remaining > taken.quantity) AS turned,
        coalesce(
            locked.threshold BETWEEN locked.remaining - taken.quantity AND locked.remaining - 1,
            false
        ) AS low
    FROM taken JOIN locked ON locked.variant_id = taken.variant_id
    WHERE taken.quantity <> 0
), stock AS (
    UPDATE products_stockitem s
    SET held = s.held + changed.quantity,
        version = s.version + 1,
        events_recorded = s.events_recorded + changed.turned::int + changed.low::int
    FROM changed
    WHERE s.variant_id = changed.variant_id
    RETURNING s.variant_id, s.sku, s.events_recorded, s.low_stock_threshold, changed.turned,
        changed.low, changed.remaining
), carriers AS MATERIALIZED (
    SELECT * FROM json_populate_recordset(NULL::platform_outboxmessage, CASE
        WHEN EXISTS (SELECT 1 FROM stock WHERE turned OR low) THEN %s::text::json
    END)
), facts AS (
    {outbox}
    SELECT {columns}, told.events_recorded
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r
    JOIN told ON told.id::text = r.key
    UNION ALL
    SELECT {columns}, stock.events_recorded - stock.low::int
    FROM carriers r JOIN stock ON stock.variant_id::text = r.key
    WHERE stock.turned AND r.sequence = (stock.remaining > 0)::int
    UNION ALL
    SELECT {low_columns}, stock.events_recorded
    FROM carriers r JOIN stock ON stock.variant_id::text = r.key
    WHERE stock.low AND r.sequence = 0
)"""

# The last column of every row: the variants of which there is nothing any more, or something again.
TURNED = "ARRAY(SELECT variant_id FROM stock WHERE turned)"

# asked      the orders, and what was decided on them before; each is looked up by itself, since
#            a join that is planned while there are few reservations reads all of them for ever
# wanted     the lines of orders that were not decided before
# tried      would the line fit, if all orders before it in this call got theirs?
# made       the orders of which all lines fit; empty where the same order won elsewhere meanwhile
# good       their lines, from which everything else is written
#
# The column before the last says whether some cart's hold is over and not freed yet, where
# something lacks.
_HOLD = """
WITH asked AS MATERIALIZED (
    SELECT a.*, (
        SELECT r.status FROM products_reservation r WHERE r.id = a.id
    ) AS status
    FROM unnest(%s::uuid[]) WITH ORDINALITY AS a (id, place)
), wanted AS MATERIALIZED (
    SELECT w.*, asked.place
    FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::uuid[])
        AS w (order_id, variant_id, quantity, line_id)
    JOIN asked ON asked.id = w.order_id
    WHERE asked.status IS NULL
), {locked}, {tried}, made AS (
    INSERT INTO products_reservation
        (id, holder, status, created_at, expires_at, released_at, version, events_recorded)
    SELECT order_id, 'order', 'HELD', %s::timestamptz, NULL, NULL, 1, 1
    FROM tried GROUP BY order_id HAVING bool_and(fits) ORDER BY order_id
    ON CONFLICT (id) DO NOTHING
    RETURNING id, events_recorded
), good AS MATERIALIZED (
    SELECT tried.* FROM tried JOIN made ON made.id = tried.order_id
), lines AS (
    INSERT INTO products_reservationline (id, reservation_id, stock_item_id, quantity)
    SELECT line_id, order_id, variant_id, quantity FROM good
), {taken}, {outcome}
SELECT asked.id, made.id IS NOT NULL, asked.status, (
    SELECT json_agg(json_build_array(
        tried.variant_id,
        tried.quantity,
        greatest(coalesce(tried.remaining - coalesce(taken.quantity, 0), 0), 0) + tried.credit
    ) ORDER BY tried.variant_id)::text
    FROM tried LEFT JOIN taken ON taken.variant_id = tried.variant_id
    WHERE tried.order_id = asked.id AND made.id IS NULL AND NOT tried.moved
        AND tried.quantity
            > greatest(coalesce(tried.remaining - coalesce(taken.quantity, 0), 0), 0) + tried.credit
), made.id IS NULL AND asked.status IS NULL AND EXISTS (
    SELECT 1 FROM products_reservation r
    WHERE r.status = 'HELD' AND r.expires_at <= %s::timestamptz
), {turned}
FROM asked
LEFT JOIN made ON made.id = asked.id
"""

_TRIED = """
tried AS MATERIALIZED (
    SELECT wanted.*, locked.remaining, 0 AS credit, false AS moved, coalesce(
        sum(wanted.quantity) OVER (PARTITION BY wanted.variant_id ORDER BY wanted.place)
            <= locked.remaining,
        false
    ) AS fits
    FROM wanted LEFT JOIN locked ON locked.variant_id = wanted.variant_id
)"""

_TAKEN = f"""
taken AS MATERIALIZED (
    SELECT variant_id, sum(quantity)::int AS quantity FROM good GROUP BY variant_id
), ledger AS (
    {MOVEMENT}
    SELECT variant_id, NULL, 'HOLD', 0, quantity, 0, order_id, NULL::uuid, NULL::uuid, NULL::uuid,
        '', NULL::uuid, %s::timestamptz
    FROM good
), told AS (
    SELECT id, events_recorded FROM made
)"""

# The same where some of the orders take over what a cart holds.
#
# claims     which order takes over which cart's hold, and the version of it that was read
# credit     what the cart holds. It counts for its own order only, and never for the others of
#            the call, since it stays with the cart where its order is refused
# carts      those holds, locked; a claim on one that is another by now sends its order round again
# ended      the holds that went over
_TRIED_WITH_CARTS = """
claims AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int[]) AS c (order_id, cart_id, version)
), credit AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int[]) AS l (order_id, variant_id, quantity)
), carts AS MATERIALIZED (
    SELECT r.id, r.version FROM products_reservation r
    WHERE r.id = ANY(%s::uuid[]) AND r.status = 'HELD' AND (SELECT count(*) FROM locked) > 0
    ORDER BY r.id
    FOR NO KEY UPDATE
), kept AS MATERIALIZED (
    SELECT claims.order_id, claims.cart_id
    FROM claims JOIN carts ON carts.id = claims.cart_id AND carts.version = claims.version
), needed AS MATERIALIZED (
    SELECT wanted.*, coalesce(credit.quantity, 0) AS credit,
        greatest(wanted.quantity - coalesce(credit.quantity, 0), 0) AS more,
        EXISTS (SELECT 1 FROM claims WHERE claims.order_id = wanted.order_id)
            AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.order_id = wanted.order_id) AS moved
    FROM wanted
    LEFT JOIN credit
        ON credit.order_id = wanted.order_id AND credit.variant_id = wanted.variant_id
), tried AS MATERIALIZED (
    SELECT needed.*, locked.remaining, NOT needed.moved AND (needed.more = 0 OR coalesce(
        sum(needed.more) OVER (PARTITION BY needed.variant_id ORDER BY needed.place)
            <= locked.remaining,
        false
    )) AS fits
    FROM needed LEFT JOIN locked ON locked.variant_id = needed.variant_id
)"""

_TAKEN_WITH_CARTS = f"""
gone_over AS MATERIALIZED (
    SELECT kept.* FROM kept JOIN made ON made.id = kept.order_id
), ended AS (
    UPDATE products_reservation
    SET status = 'RELEASED', released_at = %s::timestamptz, expires_at = NULL,
        version = version + 1, events_recorded = events_recorded + 1
    WHERE id = ANY(ARRAY(SELECT cart_id FROM gone_over))
    RETURNING id, events_recorded
), both_sides AS MATERIALIZED (
    SELECT order_id, variant_id, sum(quantity)::int AS quantity
    FROM (
        SELECT order_id, variant_id, quantity FROM good
        UNION ALL
        SELECT credit.order_id, credit.variant_id, -credit.quantity
        FROM credit JOIN gone_over ON gone_over.order_id = credit.order_id
    ) sides
    GROUP BY order_id, variant_id
), taken AS MATERIALIZED (
    SELECT variant_id, sum(quantity)::int AS quantity FROM both_sides GROUP BY variant_id
), ledger AS (
    {MOVEMENT}
    SELECT b.variant_id, NULL, CASE WHEN g.cart_id IS NULL THEN 'HOLD' ELSE 'TAKE_OVER' END, 0,
        b.quantity, 0, b.order_id, g.cart_id, NULL::uuid, NULL::uuid, '', NULL::uuid,
        %s::timestamptz
    FROM both_sides b LEFT JOIN gone_over g ON g.order_id = b.order_id
), told AS (
    SELECT id, events_recorded FROM made
    UNION ALL
    SELECT id, events_recorded FROM ended
)"""

# lines      what the reservations hold
# due        those that still are what was read, locked; others are left to whoever changed them
_FREE = """
WITH lines AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int[])
        AS l (reservation_id, variant_id, quantity)
), {locked}, due AS MATERIALIZED (
    SELECT r.id FROM products_reservation r
    WHERE r.id = ANY(%s::uuid[]) AND r.status = 'HELD'
        AND r.version = (%s::int[])[array_position(%s::uuid[], r.id)]
        AND (SELECT count(*) FROM locked) > 0
    ORDER BY r.id
    FOR NO KEY UPDATE {waiting}
), freed AS (
    UPDATE products_reservation
    SET status = 'RELEASED', released_at = %s::timestamptz, expires_at = NULL,
        version = version + 1, events_recorded = events_recorded + 1
    WHERE id = ANY(ARRAY(SELECT id FROM due))
    RETURNING id, holder, events_recorded
), taken AS MATERIALIZED (
    SELECT lines.variant_id, -sum(lines.quantity)::int AS quantity
    FROM lines JOIN freed ON freed.id = lines.reservation_id
    GROUP BY lines.variant_id
), ledger AS (
    {movement}
    SELECT lines.variant_id, NULL, 'RELEASE', 0, -lines.quantity, 0,
        CASE freed.holder WHEN 'order' THEN freed.id END,
        CASE freed.holder WHEN 'cart' THEN freed.id END,
        NULL::uuid, NULL::uuid, %s::text, NULL::uuid, %s::timestamptz
    FROM lines JOIN freed ON freed.id = lines.reservation_id
), told AS (
    SELECT id, events_recorded FROM freed
), {outcome}
SELECT id, {turned} FROM freed
"""

TOMBSTONE = """
INSERT INTO products_reservation
    (id, holder, status, created_at, expires_at, released_at, version, events_recorded)
VALUES (%s, 'order', 'RELEASED', %s::timestamptz, NULL, %s::timestamptz, 1, 0)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


@cache
def hold_text(*, with_carts: bool) -> str:
    """Takes: orders; lines (order, variant, quantity, new id); variants to lock; with carts claims
    (order, cart, version), credit (order, variant, quantity) and carts; now; with carts now again;
    now; carriers; facts; now."""
    return _HOLD.format(
        locked=LOCKED.format(only="AND EXISTS (SELECT 1 FROM wanted)"),
        tried=_TRIED_WITH_CARTS if with_carts else _TRIED,
        taken=_TAKEN_WITH_CARTS if with_carts else _TAKEN,
        outcome=outcome(),
        turned=TURNED,
    )


@cache
def free_text(*, waiting: bool) -> str:
    """Takes: lines (reservation, variant, quantity); variants to lock; reservations; their versions
    and the reservations again; now; reason; now; carriers; facts.

    waiting: for a reservation that somebody is changing, instead of leaving it out.
    """
    return _FREE.format(
        locked=LOCKED.format(only=""),
        waiting="" if waiting else "SKIP LOCKED",
        movement=MOVEMENT,
        outcome=outcome(),
        turned=TURNED,
    )


def outcome() -> str:
    """Outbox rows come as JSON; only the sequence is known to nobody but the statement."""
    names = [
        f.column for f in insertable_fields(OutboxMessage) if f.column and f.column != "sequence"
    ]
    return _OUTCOME.format(
        outbox=f"INSERT INTO platform_outboxmessage ({', '.join(names)}, sequence)",
        columns=", ".join(f"r.{name}" for name in names),
        low_columns=", ".join(_LOW_COLUMNS.get(name, f"r.{name}") for name in names),
    )
