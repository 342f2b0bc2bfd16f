"""The aggregates of products. Django wants to find all models here."""

from domains.products.models.categories import Category
from domains.products.models.prices import Price, PricePeriod
from domains.products.models.products import Product, ProductCategory, Variant
from domains.products.models.reservations import Reservation, ReservationLine
from domains.products.models.stock import (
    MAIN_WAREHOUSE,
    StockItem,
    StockLevel,
    StockMovement,
    Warehouse,
    connect_reference_rows,
)

__all__ = [
    "MAIN_WAREHOUSE",
    "Category",
    "Price",
    "PricePeriod",
    "Product",
    "ProductCategory",
    "Reservation",
    "ReservationLine",
    "StockItem",
    "StockLevel",
    "StockMovement",
    "Variant",
    "Warehouse",
    "connect_reference_rows",
]
