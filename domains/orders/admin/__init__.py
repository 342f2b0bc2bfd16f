"""Staff screens of orders: they show what is, and each action calls one service."""

from domains.orders.admin import documents, orders  # noqa: F401  (each registers its screens)
