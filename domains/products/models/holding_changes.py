"""Changing what an order holds: more of this and less of that, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from domains.products.errors import NotHeld
from domains.products.events import StockReleased, StockReserved
from domains.products.models import holding_sql
from domains.products.models.barred_changes import has_moved
from domains.products.models.holding import PATIENCE, ReservationQuerySet
from domains.products.models.promises import as_array, refusal_of, told
from domains.products.rules import stock as rules
from domains.products.rules.stock import (
    Held,
    HoldChange,
    Holder,
    HoldLine,
    HoldOutcome,
    HoldState,
    Released,
)
from infrastructure.events.event import Event
from infrastructure.ids import new_id
from infrastructure.outbox.publisher import outbox_rows

# deltas     by how much each line rises or falls; only these rows are locked
# fit        one row, where every line that rises can have what it lacks
# made       the order's hold, unless it is not any more what was read; over where nothing is left
_CHANGE = """
WITH deltas AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::int[]) AS d (variant_id, quantity)
), {locked}, fit AS MATERIALIZED (
    SELECT bool_and(deltas.quantity < 0 OR coalesce(deltas.quantity <= locked.remaining, false))
        AS fits
    FROM deltas LEFT JOIN locked ON locked.variant_id = deltas.variant_id
), made AS (
    UPDATE products_reservation r
    SET version = r.version + 1, events_recorded = r.events_recorded + 1,
        status = CASE WHEN %s::boolean THEN 'HELD' ELSE 'RELEASED' END,
        released_at = CASE WHEN %s::boolean THEN NULL ELSE %s::timestamptz END
    FROM fit
    WHERE fit.fits AND r.id = %s::uuid AND r.version = %s::int AND r.status = 'HELD'
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
    INSERT INTO products_stockmovement
        (stock_item_id, warehouse_id, kind, on_hand_delta, held_delta, backorder_delta, order_id,
         change_id, reason, created_at)
    SELECT taken.variant_id, NULL, CASE WHEN taken.quantity > 0 THEN 'HOLD' ELSE 'RELEASE' END, 0,
        taken.quantity, 0, made.id, %s::uuid, '', %s::timestamptz
    FROM taken, made
), told AS (
    SELECT id, events_recorded FROM made
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


class OrderHoldQuerySet(ReservationQuerySet):
    """With the changes that orders make before their goods leave."""

    def change(
        self,
        order_id: UUID,
        changes: Sequence[HoldChange],
        *,
        change_id: UUID,
        now: datetime,
        turned: set[UUID],
    ) -> HoldOutcome:
        """Hold so much more, or less, of these variants: all of it or nothing, in one statement.

        Repeatable under `change_id`: what was changed once answers Held. Released where the order
        holds nothing (any more). Raises NotHeld where less is held than is given back, and
        ChangeBarred where the change was barred.
        """
        deltas = _summed(changes)
        skus = {change.variant_id: change.sku for change in changes}
        idle = 0
        while True:
            # Before the repetition is looked for: a twin that wins after this read has another
            # version made of it, and one that won before it has left its movement.
            found = next(iter(self._read([order_id])), None)
            if not deltas or has_moved(change_id):
                return Held()
            if found is None or found.status != HoldState.HELD or found.holder != Holder.ORDER:
                return Released()
            after = _applied(found.quantities, deltas, order_id)
            [(made, short, expired, turned_here)] = self.command(
                _text(),
                [
                    as_array(deltas),
                    as_array(deltas.values()),
                    as_array(deltas),
                    bool(after),
                    bool(after),
                    now,
                    order_id,
                    str(found.version),
                    as_array(after),
                    as_array(new_id() for _ in after),
                    as_array(after),
                    as_array(after.values()),
                    change_id,
                    now,
                    self._carriers(
                        {variant_id: skus[variant_id] for variant_id in deltas},
                        directions=(False, True),
                        now=now,
                    ),
                    self._as_rows(
                        outbox_rows(
                            [_fact(order_id, after, found.skus | skus, now=now)],
                            key=order_id,
                            first_sequence=0,
                        )
                    ),
                    now,
                ],
            )
            turned.update(turned_here)
            if made:
                return Held()
            if short is None:
                continue  # somebody changed the order's hold since it was read
            refused = refusal_of(short, skus=skus, requested=deltas, already={})
            overdue = 0
            if expired and idle < PATIENCE:
                overdue, freed = self._free_for([refused], now=now, turned=turned)
                idle += freed == 0
            # A twin may have changed it while this one waited for a lock, and taken the very
            # stock that is missing now.
            if not overdue and not self._was_changed(found.id, found.version):
                return refused

    def _was_changed(self, order_id: UUID, version: int) -> bool:
        return not self.using(self._alias).filter(pk=order_id, version=version).exists()


def _summed(changes: Iterable[HoldChange]) -> dict[UUID, int]:
    """By how much each variant changes, in the order of their ids; without what stays."""
    deltas: dict[UUID, int] = {}
    for change in changes:
        deltas[change.variant_id] = deltas.get(change.variant_id, 0) + change.delta
    return rules.changes({}, deltas)


def _applied(
    before: Mapping[UUID, int], deltas: Mapping[UUID, int], order_id: UUID
) -> dict[UUID, int]:
    after = dict(before)
    for variant_id, delta in deltas.items():
        after[variant_id] = after.get(variant_id, 0) + delta
        if after[variant_id] < 0:
            raise NotHeld(f"{-delta} of {variant_id} are not held for order {order_id}.")
    return {variant_id: after[variant_id] for variant_id in sorted(after) if after[variant_id]}


def _fact(
    order_id: UUID, after: Mapping[UUID, int], skus: Mapping[UUID, str], *, now: datetime
) -> Event:
    if not after:
        return StockReleased(order_id=order_id, holder=Holder.ORDER.value, occurred_at=now)
    lines = [
        HoldLine(variant_id=variant_id, sku=skus[variant_id], quantity=quantity)
        for variant_id, quantity in after.items()
    ]
    return StockReserved(order_id=order_id, lines=told(lines), occurred_at=now)


@cache
def _text() -> str:
    """Takes: deltas (variant, quantity); variants to lock; whether anything is left, twice; now;
    order; version; variants that stay; lines (new id, variant, quantity); change; now; carriers;
    facts; now."""
    return _CHANGE.format(
        locked=holding_sql.LOCKED.format(only=""),
        outcome=holding_sql.outcome(),
        turned=holding_sql.TURNED,
    )
