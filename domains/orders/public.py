"""What other contexts may ask of orders."""

from __future__ import annotations

from domains.orders.queries import (
    OrderAudit,
    Unsettled,
    event_counts,
    orders_audit,
    replaced_payments,
    stray_steps,
    unsettled,
)
from domains.orders.rules.placement import PLACEMENT_DEADLINE
from domains.orders.services.auditing import (
    DocumentedOrder,
    DocumentNumber,
    DocumentSum,
    OrderSum,
    document_numbers,
    document_sums,
    documented_orders,
    order_sums,
)

__all__ = [
    "PLACEMENT_DEADLINE",
    "DocumentNumber",
    "DocumentSum",
    "DocumentedOrder",
    "OrderAudit",
    "OrderSum",
    "Unsettled",
    "document_numbers",
    "document_sums",
    "documented_orders",
    "event_counts",
    "order_sums",
    "orders_audit",
    "replaced_payments",
    "stray_steps",
    "unsettled",
]
