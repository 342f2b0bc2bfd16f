"""What the audit of the books reads: everything, streamed in the order of its ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from domains.products.events import TOPIC
from domains.products.models import Reservation
from infrastructure.database.contexts import connection_of


@dataclass(frozen=True, kw_only=True, slots=True)
class StockAudit:
    """One SKU's counters beside everything they must be equal to, read at one moment.

    oversold_holds: holds of the ledger that, at their time, went beyond what there was.
    """

    sku: str
    variant_id: UUID
    on_hand: int
    held: int
    ledger_on_hand: int
    ledger_held: int
    levels_on_hand: int
    reserved: int
    oversold_holds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservationAudit:
    order_id: UUID
    status: str
    lines: dict[UUID, int]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedAudit:
    """What left for an order, and what of it was put back, by the ledger and by variant."""

    order_id: UUID
    sent: dict[UUID, int]
    put_back: dict[UUID, int]


def stock_audit() -> Iterator[StockAudit]:
    for row in _stream("""
        SELECT s.sku, s.variant_id, s.on_hand, s.held,
            coalesce(ledger.on_hand, 0)::bigint, coalesce(ledger.held, 0)::bigint,
            coalesce(levels.on_hand, 0)::bigint, coalesce(promised.quantity, 0)::bigint,
            coalesce(ledger.oversold, 0)
        FROM products_stockitem s
        LEFT JOIN (
            SELECT moved.stock_item_id, sum(on_hand_delta) AS on_hand, sum(held_delta) AS held,
                count(*) FILTER (
                    WHERE kind IN ('HOLD', 'TAKE_OVER') AND held_delta > 0
                        AND held_then > on_hand_then + i.backorder_limit - limit_since
                ) AS oversold
            FROM (
                SELECT stock_item_id, kind, on_hand_delta, held_delta,
                    sum(on_hand_delta) OVER so_far AS on_hand_then,
                    sum(held_delta) OVER so_far AS held_then,
                    sum(backorder_delta) OVER (PARTITION BY stock_item_id)
                        - sum(backorder_delta) OVER so_far AS limit_since
                FROM products_stockmovement
                WINDOW so_far AS (PARTITION BY stock_item_id ORDER BY id ROWS UNBOUNDED PRECEDING)
            ) moved
            JOIN products_stockitem i ON i.variant_id = moved.stock_item_id
            GROUP BY moved.stock_item_id
        ) ledger ON ledger.stock_item_id = s.variant_id
        LEFT JOIN (
            SELECT stock_item_id, sum(on_hand) AS on_hand
            FROM products_stocklevel GROUP BY stock_item_id
        ) levels ON levels.stock_item_id = s.variant_id
        LEFT JOIN (
            SELECT l.stock_item_id, sum(l.quantity) AS quantity
            FROM products_reservationline l
            JOIN products_reservation r ON r.id = l.reservation_id AND r.status = 'HELD'
            GROUP BY l.stock_item_id
        ) promised ON promised.stock_item_id = s.variant_id
        ORDER BY s.variant_id
    """):
        sku, variant_id, on_hand, held, ledger_on_hand, ledger_held, levels, reserved, oversold = (
            row
        )
        yield StockAudit(
            sku=sku,
            variant_id=variant_id,
            on_hand=on_hand,
            held=held,
            ledger_on_hand=ledger_on_hand,
            ledger_held=ledger_held,
            levels_on_hand=levels,
            reserved=reserved,
            oversold_holds=oversold,
        )


def active_reservations() -> Iterator[ReservationAudit]:
    """What is held for orders."""
    # The time comes as a number: Django reads timestamps slowly, and here is one per line.
    rows = _stream("""
        SELECT r.id, r.status, extract(epoch FROM r.created_at)::float8,
            l.stock_item_id, l.quantity
        FROM products_reservation r
        LEFT JOIN products_reservationline l ON l.reservation_id = r.id
        WHERE r.status = 'HELD' AND r.holder = 'order'
        ORDER BY r.id
    """)
    for order_id, found in groupby(rows, itemgetter(0)):
        lines = list(found)
        _, status, created, _, _ = lines[0]
        yield ReservationAudit(
            order_id=order_id,
            status=status,
            created_at=datetime.fromtimestamp(created, UTC),
            lines={variant_id: quantity for *_, variant_id, quantity in lines if variant_id},
        )


def moved_for_orders() -> Iterator[MovedAudit]:
    """Orders that goods left for, ordered by id."""
    rows = _stream("""
        SELECT order_id, stock_item_id,
            coalesce(-sum(on_hand_delta) FILTER (WHERE kind = 'SHIPMENT'), 0)::bigint,
            coalesce(sum(on_hand_delta) FILTER (WHERE kind <> 'SHIPMENT'), 0)::bigint
        FROM products_stockmovement
        WHERE order_id IS NOT NULL AND on_hand_delta <> 0
        GROUP BY order_id, stock_item_id
        ORDER BY order_id
    """)
    for order_id, found in groupby(rows, itemgetter(0)):
        moved = MovedAudit(order_id=order_id, sent={}, put_back={})
        for _, variant_id, sent, put_back in found:
            if sent:
                moved.sent[variant_id] = sent
            if put_back:
                moved.put_back[variant_id] = put_back
        yield moved


def moved_though_barred() -> Iterator[tuple[UUID, UUID, str, datetime]]:
    """Movements under the id of a change that was barred: the order, the id, what it was barred for
    and when. Nothing writes such a one."""
    yield from _stream("""
        SELECT b.order_id, b.id, b.refusal, b.barred_at
        FROM products_barredchange b
        WHERE EXISTS (SELECT 1 FROM products_stockmovement m WHERE m.change_id = b.id)
            OR EXISTS (SELECT 1 FROM products_stockmovement m WHERE m.fulfilment_id = b.id)
        ORDER BY b.id
    """)


def overdue_cart_holds(*, due: datetime) -> Iterator[tuple[UUID, datetime]]:
    """Carts that hold something though their time was over before `due`, and since when."""
    yield from (
        Reservation.objects.filter(status=Reservation.Status.HELD, expires_at__lt=due)
        .order_by("expires_at")
        .values_list("pk", "expires_at")
        .iterator()
    )


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    """Every aggregate that published something: its id, its topic, how many events it recorded."""
    for aggregate_id, events_recorded in _stream("""
        SELECT id, events_recorded FROM (
            SELECT id, events_recorded FROM products_product
            UNION ALL SELECT id, events_recorded FROM products_price
            UNION ALL SELECT id, events_recorded FROM products_pricelist
            UNION ALL SELECT variant_id, events_recorded FROM products_stockitem
            UNION ALL SELECT id, events_recorded FROM products_reservation
        ) aggregates
        WHERE events_recorded > 0
        ORDER BY id
    """):
        yield aggregate_id, TOPIC, events_recorded


def _stream(sql: str) -> Iterator[tuple[Any, ...]]:
    # A server-side cursor: an audit reads millions of rows and must not hold them.
    with connection_of("products").chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(2000):
            yield from rows
