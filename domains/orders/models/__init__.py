"""The aggregate of orders. Django wants to find all models here."""

from domains.orders.models.checkouts import Checkout
from domains.orders.models.history import OrderChange
from domains.orders.models.lines import OrderLine
from domains.orders.models.orders import Order, Origin, PaymentChoice, Terms

__all__ = [
    "Checkout",
    "Order",
    "OrderChange",
    "OrderLine",
    "Origin",
    "PaymentChoice",
    "Terms",
]
