"""The aggregate of orders. Django wants to find all models here."""

from domains.orders.models.checkouts import Checkout
from domains.orders.models.fulfilments import Fulfilment, FulfilmentLine
from domains.orders.models.history import OrderChange
from domains.orders.models.invoices import Document, DocumentLine, DocumentSeries
from domains.orders.models.lines import OrderLine
from domains.orders.models.orders import Order
from domains.orders.models.returns import Return, ReturnLine
from domains.orders.models.steps import OrderStep
from domains.orders.models.terms import Origin, PaymentChoice, Terms

__all__ = [
    "Checkout",
    "Document",
    "DocumentLine",
    "DocumentSeries",
    "Fulfilment",
    "FulfilmentLine",
    "Order",
    "OrderChange",
    "OrderLine",
    "OrderStep",
    "Origin",
    "PaymentChoice",
    "Return",
    "ReturnLine",
    "Terms",
]
