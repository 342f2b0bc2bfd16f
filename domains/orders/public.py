"""What other contexts may ask of orders."""

from __future__ import annotations

from domains.orders.queries import (
    OrderAudit,
    event_counts,
    orders_audit,
    replaced_payments,
    stray_steps,
    unsettled_count,
)
from domains.orders.rules.placement import PLACEMENT_DEADLINE

__all__ = [
    "PLACEMENT_DEADLINE",
    "OrderAudit",
    "event_counts",
    "orders_audit",
    "replaced_payments",
    "stray_steps",
    "unsettled_count",
]
