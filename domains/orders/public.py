"""What other contexts may ask of orders."""

from __future__ import annotations

from domains.orders.queries.audit import (
    DocumentedOrder,
    DocumentNumber,
    DocumentSum,
    LinePart,
    OrderAudit,
    OrderSum,
    document_numbers,
    document_sums,
    documented_orders,
    event_counts,
    odd_parts,
    order_sums,
    orders_audit,
    replaced_payments,
    stray_steps,
)
from domains.orders.queries.orders import Unsettled, unsettled
from domains.orders.rules.placement import PLACEMENT_DEADLINE

__all__ = [
    "PLACEMENT_DEADLINE",
    "DocumentNumber",
    "DocumentSum",
    "DocumentedOrder",
    "LinePart",
    "OrderAudit",
    "OrderSum",
    "Unsettled",
    "document_numbers",
    "document_sums",
    "documented_orders",
    "event_counts",
    "odd_parts",
    "order_sums",
    "orders_audit",
    "replaced_payments",
    "stray_steps",
    "unsettled",
]
