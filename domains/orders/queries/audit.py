"""What the audit of the books reads of orders, their totals and documents, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef
from django.db.models.expressions import RawSQL

from domains.orders.events import TOPIC
from domains.orders.models import Order, OrderStep
from domains.orders.rules.invoices import Issued, is_invoiceable
from domains.orders.rules.steps import StepKind
from infrastructure.database.contexts import connection_of
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderAudit:
    """What the audit compares of an order. By variant: `lines`, what is still to be sent, `sent`,
    and `put_back`, what of that lies in a warehouse again.

    is_cheaper: it was edited, or parts of it called off, so more may be authorised than it costs.
    pay_until: until when it waits for its customer to pay. for_less_minor: what of what was given
    back lowered no price; see Order.given_back_for_less. sent_minor: what was sent costs, with the
    shipping, rounded down. uses: coupons, or promotions ("" for a coupon), that it has to redeem.
    """

    order_id: UUID
    number: str
    status: str
    total: Money
    payment_method: str
    lines: Mapping[UUID, int]
    placed_at: datetime
    unsettled_since: datetime | None
    refunded_minor: int
    is_cheaper: bool
    pay_until: datetime | None
    for_less_minor: int = 0
    sent_minor: int = 0
    uses: frozenset[tuple[UUID, str]] = frozenset()
    sent: Mapping[UUID, int] = field(default_factory=dict)
    put_back: Mapping[UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSum:
    """What an order says of its goods, and what stands of its lines comes to, read at one moment:
    subtotal, discount, tax and what is paid, in minor units, without shipping. odd_lines: SKUs of
    those lines that are not their unit price times their quantity, less discount, with tax."""

    order_id: UUID
    number: str
    said: tuple[int, int, int, int]
    of_lines: tuple[int, int, int, int]
    odd_lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LinePart:
    """A line that says something else than what it was counted from.

    what: `sent` (parcels), `returned` (returns) or `refunded` (refunds, in minor units, less what
    they count for that was called off since).
    """

    order_id: UUID
    number: str
    sku: str
    what: str
    said: int
    counted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentNumber:
    """A number of a series, and the one that is there before it: 0 in front of the first one.
    is_counter: no document has it yet, the counter would go on with it."""

    series: str
    sequence: int
    before: int
    is_counter: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentSum:
    """A document whose lines come to something else than it says, in minor units."""

    number: str
    gross_minor: int
    tax_minor: int
    lines_gross_minor: int
    lines_tax_minor: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedOrder:
    """An order beside its documents, in minor units, read at one moment.

    charged_minor: what it costs less what was given back. documented_minor: invoices less credit
    notes, None where there are none. has_to_be: whether there must be some. changed_at: when
    somebody last did something to it.
    """

    order_id: UUID
    number: str
    currency: str
    charged_minor: int
    documented_minor: int | None
    has_to_be: bool
    changed_at: datetime


# As Order.given_back_for_less, in SQL: what one step adds to it, and which steps add to it.
FOR_LESS_OF_A_STEP = """CASE kind WHEN 'REFUND' THEN (params->>'for_less_minor')::bigint
    ELSE (params->'set_off'->>'minor')::bigint
        + CASE WHEN state = 'DONE' AND refusal = '' THEN gives_minor ELSE 0 END
    END"""
STEPS_FOR_LESS = """((kind IN ('CANCEL_LINES', 'EDIT', 'REFUND') AND state = 'DONE')
    OR (kind = 'EDIT' AND state = 'APPLIED'))"""

_FOR_LESS = f"""(
    SELECT coalesce(sum({FOR_LESS_OF_A_STEP}), 0)::bigint
    FROM orders_orderstep
    WHERE order_id = orders_order.id AND {STEPS_FOR_LESS}
)"""


_SENT = """(
    SELECT coalesce(sum(amount_minor * fulfilled / quantity), 0)::bigint
        + CASE WHEN sum(fulfilled) > 0 THEN orders_order.shipping_minor ELSE 0 END
    FROM orders_orderline WHERE order_id = orders_order.id
)"""


def _standing(column: str) -> str:
    """As rules.steps.amounts_standing, in SQL: rounded half up, in whole numbers only."""
    return f"div(2 * l.{column}::numeric * (l.quantity - l.cancelled) + l.quantity, 2 * l.quantity)"


_TOTALS = f"""
SELECT o.id, o.number,
    o.subtotal_minor, o.discount_minor, o.tax_minor - o.shipping_tax_minor,
    o.total_minor - o.shipping_minor,
    coalesce(sum(l.subtotal), 0)::bigint, coalesce(sum(l.discount), 0)::bigint,
    coalesce(sum(l.tax), 0)::bigint,
    coalesce(sum(l.subtotal - l.discount + CASE WHEN l.is_tax_added THEN l.tax ELSE 0 END), 0)
        ::bigint,
    coalesce(array_agg(l.sku ORDER BY l.position) FILTER (WHERE l.is_odd), '{{}}')
FROM orders_order o LEFT JOIN (
    SELECT l.order_id, l.sku, l.position, {_standing("subtotal_minor")} AS subtotal,
        {_standing("discount_minor")} AS discount, {_standing("tax_minor")} AS tax,
        l.amount_minor <> l.subtotal_minor - l.discount_minor AS is_tax_added,
        l.unit_price_minor * l.quantity <> l.subtotal_minor
            OR l.amount_minor NOT IN (
                l.subtotal_minor - l.discount_minor,
                l.subtotal_minor - l.discount_minor + l.tax_minor
            ) AS is_odd
    FROM orders_orderline l
) l ON l.order_id = o.id
GROUP BY o.id
"""

# Of each order and variant: what is to be sent, was sent, and lies in a warehouse again.
_GOODS = """
SELECT l.order_id, l.variant_id,
    sum(l.quantity - l.cancelled - l.fulfilled)::bigint, sum(l.fulfilled)::bigint,
    coalesce(sum(r.restocked), 0)::bigint
FROM orders_orderline l LEFT JOIN (
    SELECT line_id, sum(restocked) AS restocked FROM orders_returnline GROUP BY line_id
) r ON r.line_id = l.id
WHERE l.quantity > l.cancelled
GROUP BY l.order_id, l.variant_id
ORDER BY l.order_id
"""

# What was refunded of units that were called off since counts for these, and no more for the line.
_PARTS = """
SELECT o.id, o.number, l.sku, what, said, counted
FROM orders_orderline l
JOIN orders_order o ON o.id = l.order_id
LEFT JOIN (
    SELECT line_id, sum(quantity)::bigint AS sent FROM orders_fulfilmentline GROUP BY line_id
) f ON f.line_id = l.id
LEFT JOIN (
    SELECT line_id, sum(restocked + damaged)::bigint AS returned
    FROM orders_returnline GROUP BY line_id
) r ON r.line_id = l.id
LEFT JOIN (
    SELECT share.key::uuid AS line_id, sum(share.minor)::bigint AS refunded
    FROM (
        SELECT each.key, (each.value->>'minor')::bigint AS minor
        FROM orders_orderstep s, jsonb_each(s.params->'lines') each
        WHERE s.kind = 'REFUND' AND s.state = 'DONE'
        UNION ALL
        SELECT each.key, -(each.value->>'minor')::bigint
        FROM orders_orderstep s, jsonb_each(s.params->'set_off'->'lines') each
        WHERE (s.kind IN ('CANCEL_LINES', 'EDIT') AND s.state = 'DONE')
            OR (s.kind = 'EDIT' AND s.state = 'APPLIED')
    ) share
    GROUP BY share.key
) m ON m.line_id = l.id
CROSS JOIN LATERAL (
    VALUES ('sent', l.fulfilled, coalesce(f.sent, 0)),
        ('returned', l.returned, coalesce(r.returned, 0)),
        ('refunded', l.refunded_minor, coalesce(m.refunded, 0))
) parts (what, said, counted)
WHERE said <> counted
ORDER BY o.id, l.position
"""

# A series without a counter, and a counter without documents, are looked at too.
_NUMBERS = """
WITH numbers AS (
    SELECT series, sequence, false AS is_counter FROM orders_document
    UNION ALL
    SELECT coalesce(s.code, d.series), coalesce(s.last_number, 0) + 1, true
    FROM orders_documentseries s
    FULL JOIN (SELECT DISTINCT series FROM orders_document) d ON d.series = s.code
)
SELECT series, sequence, lag(sequence, 1, 0::bigint) OVER following, is_counter
FROM numbers
WINDOW following AS (PARTITION BY series ORDER BY is_counter, sequence)
ORDER BY series, is_counter, sequence
"""

_SUMS = """
SELECT d.number, d.gross_minor, d.tax_minor,
    coalesce(sum(l.gross_minor), 0)::bigint, coalesce(sum(l.tax_minor), 0)::bigint
FROM orders_document d LEFT JOIN orders_documentline l ON l.document_id = d.id
GROUP BY d.id
HAVING (d.gross_minor, d.tax_minor)
    <> (coalesce(sum(l.gross_minor), 0), coalesce(sum(l.tax_minor), 0))
ORDER BY d.number
"""

# What is given back because the total fell lowers no price: see Order.given_back_for_less.
_ORDERS = f"""
WITH documented AS (
    SELECT order_id,
        sum(CASE kind WHEN 'INVOICE' THEN gross_minor ELSE -gross_minor END)::bigint AS minor
    FROM orders_document GROUP BY order_id
), for_less AS (
    SELECT order_id, sum({FOR_LESS_OF_A_STEP})::bigint AS minor
    FROM orders_orderstep WHERE {STEPS_FOR_LESS}
    GROUP BY order_id
)
SELECT o.id, o.number, o.currency, o.status, o.fulfilment_status, o.payment_status,
    CASE WHEN o.status IN ('CANCELLED', 'REJECTED') THEN 0
        ELSE o.total_minor - o.refunded_minor + coalesce(f.minor, 0) END,
    d.minor,
    coalesce((SELECT max(c.at) FROM orders_orderchange c WHERE c.order_id = o.id), o.placed_at)
FROM orders_order o
LEFT JOIN documented d ON d.order_id = o.id
LEFT JOIN for_less f ON f.order_id = o.id
WHERE d.order_id IS NOT NULL OR o.status IN ('CONFIRMED', 'COMPLETED')
ORDER BY o.id
"""

# Of an order: its payment, as it was last seen, once money was taken.
_TAKEN = ("PARTIALLY_CAPTURED", "CAPTURED", "PARTIALLY_REFUNDED")


def orders_audit() -> Iterator[OrderAudit]:
    """Every order, ordered by id, streaming. Two statements side by side, so memory stays flat."""
    goods = _goods_by_order()
    order_id, found = next(goods, _NO_GOODS)
    changes = OrderStep.objects.filter(
        order_id=OuterRef("pk"), kind__in=(StepKind.EDIT, StepKind.CANCEL_LINES)
    )
    orders = Order.objects.annotate(
        is_cheaper=Exists(changes),
        for_less=RawSQL(_FOR_LESS, []),  # noqa: S611 - a constant
        sent=RawSQL(_SENT, []),  # noqa: S611 - a constant
    ).order_by("id")
    rows = orders.values_list(
        "id",
        "number",
        "status",
        "total_minor",
        "currency",
        "payment_method",
        "placed_at",
        "unsettled_since",
        "refunded_minor",
        "is_cheaper",
        "pay_until",
        "for_less",
        "sent",
        "uses",
    )
    for row in rows.iterator(chunk_size=2000):
        while order_id is not None and order_id < row[0]:
            order_id, found = next(goods, _NO_GOODS)
        to_send, sent, put_back = found if order_id == row[0] else ({}, {}, {})
        yield OrderAudit(
            order_id=row[0],
            number=row[1],
            status=row[2],
            total=Money(row[3], row[4]),
            payment_method=row[5],
            lines=to_send,
            placed_at=row[6],
            unsettled_since=row[7],
            refunded_minor=row[8],
            is_cheaper=row[9],
            pay_until=row[10],
            for_less_minor=row[11],
            sent_minor=row[12],
            uses=frozenset((UUID(use["promotion_id"]), use["coupon"] or "") for use in row[13]),
            sent=sent,
            put_back=put_back,
        )


def replaced_payments() -> dict[UUID, UUID]:
    """The payments that took the place of an order's first one, with their orders."""
    rows = Order.objects.exclude(payment_id=F("id")).values_list("payment_id", "id")
    return dict(rows.iterator(chunk_size=2000))


def stray_steps() -> list[tuple[UUID, UUID]]:
    """Steps that are unfinished though their order does not carry them out, with their orders.
    There must be none."""
    strays = OrderStep.objects.filter(finished_at__isnull=True).exclude(order__step_id=F("id"))
    return list(strays.values_list("id", "order_id"))


def order_sums() -> Iterator[OrderSum]:
    """Every order's amounts beside those of its lines. They must be the same."""
    for order_id, number, *amounts in _stream(_TOTALS):
        *amounts, odd_lines = amounts
        subtotal, discount, tax, paid, *of_lines = amounts
        yield OrderSum(
            order_id=order_id,
            number=number,
            said=(subtotal, discount, tax, paid),
            of_lines=(of_lines[0], of_lines[1], of_lines[2], of_lines[3]),
            odd_lines=tuple(odd_lines),
        )


def odd_parts() -> Iterator[LinePart]:
    """Lines of orders that do not say what their parcels, returns and refunds come to. There must
    be none."""
    for order_id, number, sku, what, said, counted in _stream(_PARTS):
        yield LinePart(
            order_id=order_id, number=number, sku=sku, what=what, said=said, counted=counted
        )


def document_numbers() -> Iterator[DocumentNumber]:
    """The numbers of all documents, and where their counters stand, by series and number."""
    for series, sequence, before, is_counter in _stream(_NUMBERS):
        yield DocumentNumber(series=series, sequence=sequence, before=before, is_counter=is_counter)


def document_sums() -> Iterator[DocumentSum]:
    """Documents that do not add up in themselves. There must be none."""
    for number, gross, tax, lines_gross, lines_tax in _stream(_SUMS):
        yield DocumentSum(
            number=number,
            gross_minor=gross,
            tax_minor=tax,
            lines_gross_minor=lines_gross,
            lines_tax_minor=lines_tax,
        )


def documented_orders() -> Iterator[DocumentedOrder]:
    """Every order that stands or has documents, in the order of ids."""
    when = Issued(settings.INVOICE_WHEN)
    for row in _stream(_ORDERS):
        order_id, number, currency, status, sent, payment, charged, documented, changed_at = row
        yield DocumentedOrder(
            order_id=order_id,
            number=number,
            currency=currency,
            charged_minor=charged,
            documented_minor=documented,
            has_to_be=is_invoiceable(
                when=when,
                status=status,
                has_left=sent != "UNFULFILLED",
                captured_minor=1 if payment in _TAKEN else 0,
                charges=charged > 0,
            ),
            changed_at=changed_at,
        )


def event_counts() -> Iterator[tuple[UUID, str, int]]:
    rows = Order.objects.order_by("id").values_list("id", "events_recorded")
    for order_id, recorded in rows.iterator(chunk_size=5000):
        yield order_id, TOPIC, recorded


# By variant: to be sent, sent, and put back.
_Goods = tuple[dict[UUID, int], dict[UUID, int], dict[UUID, int]]
_NO_GOODS: tuple[UUID | None, _Goods] = (None, ({}, {}, {}))


def _goods_by_order() -> Iterator[tuple[UUID, _Goods]]:
    for order_id, rows in groupby(_stream(_GOODS), itemgetter(0)):
        goods: _Goods = ({}, {}, {})
        for _, variant_id, *counts in rows:
            for quantities, count in zip(goods, counts, strict=True):
                if count:
                    quantities[variant_id] = count
        yield order_id, goods


def _stream(sql: str) -> Iterator[tuple[Any, ...]]:
    with connection_of("orders").chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(2000):
            yield from rows
