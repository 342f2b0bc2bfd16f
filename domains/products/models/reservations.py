"""What is held for orders: all lines of an order or none, decided inside one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from uuid import UUID

import msgspec
from django.db import connections, models, router

from domains.products.events import (
    ReservedLine,
    StockAvailabilityChanged,
    StockReleased,
    StockReserved,
)
from domains.products.models.stock import StockItem
from domains.products.rules import stock as rules
from domains.products.rules.stock import (
    Held,
    HoldOutcome,
    HoldRequest,
    Refused,
    Released,
    Shortage,
)
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, OwnedModel
from infrastructure.database.statement import as_json_rows, insertable_fields
from infrastructure.events.event import Event
from infrastructure.ids import new_id
from infrastructure.observability import correlation
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import OutboxRow, outbox_rows


class ReservationQuerySet(AggregateQuerySet):
    def hold(self, requests: Sequence[HoldRequest], *, now: datetime) -> dict[UUID, HoldOutcome]:
        """Hold the stock of these orders: each wholly or not at all, those that come first first.

        Repeatable: an order that was held or released before gets that answer again. One statement;
        a second one looks again before anything is refused, and orders that were only crowded out
        by others of the same call get another round.
        """
        outcomes: dict[UUID, HoldOutcome] = {}
        waiting = {r.order_id: replace(r, lines=rules.summed(r.lines)) for r in requests}
        while waiting:
            decided = dict(self._hold_round(list(waiting.values()), now=now))
            outcomes.update(decided)
            for order_id in decided:
                del waiting[order_id]
        refused = [o for o, outcome in outcomes.items() if isinstance(outcome, Refused)]
        if refused:
            # The same order may have been held by somebody else while this one waited for a lock,
            # and taken the very stock that is missing now.
            for order_id, status in self.filter(pk__in=refused).values_list("pk", "status"):
                outcomes[order_id] = _outcome_of(status)
        return outcomes

    def _hold_round(
        self, requests: list[HoldRequest], *, now: datetime
    ) -> Iterator[tuple[UUID, HoldOutcome]]:
        """The outcomes that one statement could decide."""
        alias = router.db_for_write(self.model)
        lines = [(request, line) for request in requests for line in request.lines]
        reserved: list[OutboxRow] = []
        for request in requests:
            event = StockReserved(
                order_id=request.order_id,
                lines=tuple(
                    ReservedLine(variant_id=i.variant_id, sku=i.sku, quantity=i.quantity)
                    for i in request.lines
                ),
                occurred_at=now,
            )
            with correlation.entered(request.cause or correlation.current()):
                reserved += outbox_rows([event], key=request.order_id, first_sequence=1)
        skus = {line.variant_id: line.sku for _, line in lines}
        rows = self.command(
            _hold_text(),
            [
                _array(request.order_id for request in requests),
                _array(request.order_id for request, _ in lines),
                _array(line.variant_id for _, line in lines),
                _array(line.quantity for _, line in lines),
                _array(new_id() for _ in lines),
                _array(sorted(skus)),
                now,
                now,
                as_json_rows(OutboxMessage, reserved, connections[alias]),
                _availability_rows(skus, available=False, now=now, alias=alias),
            ],
        )
        for order_id, held, status, shortages in rows:
            if held:
                yield order_id, Held()
            elif status is not None:
                yield order_id, _outcome_of(status)
            elif shortages is not None:
                yield (
                    order_id,
                    Refused(
                        tuple(
                            Shortage(
                                variant_id=UUID(variant_id),
                                sku=skus[UUID(variant_id)],
                                requested=requested,
                                available=available,
                            )
                            for variant_id, requested, available in msgspec.json.decode(shortages)
                        )
                    ),
                )

    def release(self, order_id: UUID, *, now: datetime) -> bool:
        """Free what is held for an order. Whether this call freed anything.

        Whatever was the case before, the order can never be held again afterwards.
        """
        alias = router.db_for_write(self.model)
        while True:
            lines = list(
                ReservationLine.objects.using(alias)
                .filter(reservation_id=order_id)
                .values_list("stock_item_id", "quantity", "stock_item__sku")
            )
            if not lines:
                # Never held: a tombstone refuses a hold that comes late. If the order is being
                # held at this moment the tombstone waits for it, is not written, and the lines
                # are there in the next round.
                if self.command(_TOMBSTONE, [order_id, now, now]):
                    return False
                if self.filter(pk=order_id, status=Reservation.Status.RELEASED).exists():
                    return False
                continue
            skus = {variant_id: sku for variant_id, _, sku in lines}
            event = StockReleased(order_id=order_id, occurred_at=now)
            freed = self.command(
                _release_text(),
                [
                    _array(variant_id for variant_id, _, _ in lines),
                    _array(quantity for _, quantity, _ in lines),
                    _array(sorted(skus)),
                    now,
                    order_id,
                    now,
                    as_json_rows(
                        OutboxMessage,
                        outbox_rows([event], key=order_id, first_sequence=2),
                        connections[alias],
                    ),
                    _availability_rows(skus, available=True, now=now, alias=alias),
                ],
            )
            return bool(freed)


class Reservation(AggregateRoot):
    """What is held for one order; its id is the order's.

    Held once and released once. A placement's hold does not expire by the clock: it ends by a
    decision, and is the allocation until fulfilment. A released row stays for ever, so that
    nothing can be held for an order that has ended.
    """

    class Status(models.TextChoices):
        HELD = "HELD"
        RELEASED = "RELEASED"

    order_id = models.UUIDField(primary_key=True)
    status = models.CharField(max_length=8, choices=Status)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    objects = ReservationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.status} for {self.order_id}"


class ReservationLine(OwnedModel):
    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, related_name="line_rows", db_index=False
    )
    stock_item = models.ForeignKey(
        StockItem, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    quantity = models.IntegerField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "stock_item"], name="products_reservationline_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="products_reservationline_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.stock_item_id}"


# Everybody locks stock rows before reservations, and stock rows in the order of their ids: so
# holds, releases and counts cannot wait for each other in a circle.

# asked      the orders, and what was decided on them before; each is looked up by itself, since
#            a join that is planned while there are few reservations reads all of them for ever
# wanted     the lines of orders that were not decided before
# locked     what is left of each SKU; read again after the lock was granted, so always the newest
# tried      would the line fit, if all orders before it in this call got theirs?
# made       the orders of which all lines fit; empty where the same order won elsewhere meanwhile
# good       their lines, from which everything else is written
_HOLD = """
WITH asked AS MATERIALIZED (
    SELECT a.*, (
        SELECT r.status FROM products_reservation r WHERE r.order_id = a.order_id
    ) AS status
    FROM unnest(%s::uuid[]) WITH ORDINALITY AS a (order_id, place)
), wanted AS MATERIALIZED (
    SELECT w.*, asked.place
    FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::uuid[])
        AS w (order_id, variant_id, quantity, line_id)
    JOIN asked ON asked.order_id = w.order_id
    WHERE asked.status IS NULL
), locked AS MATERIALIZED (
    SELECT s.variant_id, s.on_hand + s.backorder_limit - s.held AS remaining
    FROM products_stockitem s
    WHERE s.variant_id = ANY(%s::uuid[]) AND EXISTS (SELECT 1 FROM wanted)
    ORDER BY s.variant_id
    FOR NO KEY UPDATE
), tried AS MATERIALIZED (
    SELECT wanted.*, locked.remaining, coalesce(
        sum(wanted.quantity) OVER (PARTITION BY wanted.variant_id ORDER BY wanted.place)
            <= locked.remaining,
        false
    ) AS fits
    FROM wanted LEFT JOIN locked ON locked.variant_id = wanted.variant_id
), made AS (
    INSERT INTO products_reservation
        (order_id, status, created_at, released_at, version, events_recorded)
    SELECT order_id, 'HELD', %s::timestamptz, NULL, 1, 1
    FROM tried GROUP BY order_id HAVING bool_and(fits) ORDER BY order_id
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id
), good AS MATERIALIZED (
    SELECT tried.* FROM tried JOIN made ON made.order_id = tried.order_id
), taken AS MATERIALIZED (
    SELECT variant_id, sum(quantity)::int AS quantity FROM good GROUP BY variant_id
), lines AS (
    INSERT INTO products_reservationline (id, reservation_id, stock_item_id, quantity)
    SELECT line_id, order_id, variant_id, quantity FROM good
), stock AS (
    UPDATE products_stockitem s
    SET held = s.held + taken.quantity,
        version = s.version + 1,
        events_recorded = s.events_recorded
            + (s.on_hand + s.backorder_limit - s.held = taken.quantity)::int
    FROM taken
    WHERE s.variant_id = taken.variant_id
    RETURNING s.variant_id, s.events_recorded,
        s.on_hand + s.backorder_limit - s.held = 0 AS ran_out
), ledger AS (
    INSERT INTO products_stockmovement
        (stock_item_id, warehouse_id, kind, on_hand_delta, held_delta, order_id, reason, actor_id,
         created_at)
    SELECT variant_id, NULL, 'HOLD', 0, quantity, order_id, '', NULL, %s::timestamptz FROM good
), facts AS (
    {outbox}
    SELECT {columns}, r.sequence
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r
    JOIN made ON made.order_id::text = r.key
    UNION ALL
    SELECT {columns}, stock.events_recorded
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r
    JOIN stock ON stock.variant_id::text = r.key
    WHERE stock.ran_out
)
SELECT asked.order_id, made.order_id IS NOT NULL, asked.status, (
    SELECT json_agg(json_build_array(
        tried.variant_id,
        tried.quantity,
        greatest(coalesce(tried.remaining - coalesce(taken.quantity, 0), 0), 0)
    ) ORDER BY tried.variant_id)::text
    FROM tried LEFT JOIN taken ON taken.variant_id = tried.variant_id
    WHERE tried.order_id = asked.order_id AND made.order_id IS NULL
        AND tried.quantity > coalesce(tried.remaining - coalesce(taken.quantity, 0), 0)
)
FROM asked
LEFT JOIN made ON made.order_id = asked.order_id
"""

_RELEASE = """
WITH lines AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::int[]) AS l (variant_id, quantity)
), locked AS MATERIALIZED (
    SELECT s.variant_id FROM products_stockitem s
    WHERE s.variant_id = ANY(%s::uuid[])
    ORDER BY s.variant_id
    FOR NO KEY UPDATE
), freed AS (
    UPDATE products_reservation
    SET status = 'RELEASED', released_at = %s::timestamptz, version = version + 1,
        events_recorded = events_recorded + 1
    WHERE order_id = %s AND status = 'HELD' AND (SELECT count(*) FROM locked) > 0
    RETURNING order_id
), stock AS (
    UPDATE products_stockitem s
    SET held = s.held - lines.quantity,
        version = s.version + 1,
        events_recorded = s.events_recorded + (
            s.on_hand + s.backorder_limit - s.held <= 0
            AND s.on_hand + s.backorder_limit - s.held + lines.quantity > 0
        )::int
    FROM lines, freed
    WHERE s.variant_id = lines.variant_id
    RETURNING s.variant_id, s.events_recorded,
        s.on_hand + s.backorder_limit - s.held > 0
            AND s.on_hand + s.backorder_limit - s.held - lines.quantity <= 0 AS came_back
), ledger AS (
    INSERT INTO products_stockmovement
        (stock_item_id, warehouse_id, kind, on_hand_delta, held_delta, order_id, reason, actor_id,
         created_at)
    SELECT lines.variant_id, NULL, 'RELEASE', 0, -lines.quantity, freed.order_id, '', NULL,
        %s::timestamptz
    FROM lines, freed
), facts AS (
    {outbox}
    SELECT {columns}, r.sequence
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r
    JOIN freed ON freed.order_id::text = r.key
    UNION ALL
    SELECT {columns}, stock.events_recorded
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r
    JOIN stock ON stock.variant_id::text = r.key
    WHERE stock.came_back
)
SELECT order_id FROM freed
"""

_TOMBSTONE = """
INSERT INTO products_reservation
    (order_id, status, created_at, released_at, version, events_recorded)
VALUES (%s, 'RELEASED', %s::timestamptz, %s::timestamptz, 1, 0)
ON CONFLICT (order_id) DO NOTHING
RETURNING order_id
"""


@cache
def _hold_text() -> str:
    return _with_outbox(_HOLD)


@cache
def _release_text() -> str:
    return _with_outbox(_RELEASE)


def _with_outbox(sql: str) -> str:
    """Outbox rows come as JSON; only the sequence is known to nobody but the statement."""
    names = [
        f.column for f in insertable_fields(OutboxMessage) if f.column and f.column != "sequence"
    ]
    return sql.format(
        outbox=f"INSERT INTO platform_outboxmessage ({', '.join(names)}, sequence)",
        columns=", ".join(f"r.{name}" for name in names),
    )


def _availability_rows(skus: dict[UUID, str], *, available: bool, now: datetime, alias: str) -> str:
    """An outbox row per SKU, of which the statement takes those whose availability changes."""
    rows: list[OutboxRow] = []
    for variant_id, sku in skus.items():
        event: Event = StockAvailabilityChanged(
            variant_id=variant_id, sku=sku, available=available, occurred_at=now
        )
        rows += outbox_rows([event], key=variant_id, first_sequence=0)
    return as_json_rows(OutboxMessage, rows, connections[alias])


def _outcome_of(status: str) -> HoldOutcome:
    return Held() if status == Reservation.Status.HELD else Released()


def _array(values: Iterator[object] | list[UUID]) -> str:
    """An array as text, so that the parameter's type, and with it the plan, is always the same."""
    return "{" + ",".join(map(str, values)) + "}"
