"""The aggregates of products. Django wants to find all models here."""

from domains.products.models.barred_changes import BarredChange
from domains.products.models.categories import Category, CategorySlug, CategoryText
from domains.products.models.category_counts import CategoryCount
from domains.products.models.channels import Channel
from domains.products.models.listing import (
    Listing,
    ListingCard,
    ListingDemand,
    ListingNumber,
    ListingOption,
    ListingPrice,
    ListingVariant,
    ListingWord,
)
from domains.products.models.listing_due import ListingDue
from domains.products.models.media import MediaFile, ProductMedia
from domains.products.models.movements import StockMovement
from domains.products.models.price_entries import PriceEntry
from domains.products.models.price_lists import PriceList
from domains.products.models.prices import Price
from domains.products.models.products import (
    Product,
    ProductCategory,
    ProductSlug,
    ProductText,
)
from domains.products.models.reservations import Reservation, ReservationLine
from domains.products.models.stock import StockItem
from domains.products.models.stock_levels import StockLevel
from domains.products.models.types import Attribute, ProductType
from domains.products.models.variants import Variant
from domains.products.models.warehouses import (
    MAIN_WAREHOUSE,
    Warehouse,
    connect_reference_rows,
)

__all__ = [
    "MAIN_WAREHOUSE",
    "Attribute",
    "BarredChange",
    "Category",
    "CategoryCount",
    "CategorySlug",
    "CategoryText",
    "Channel",
    "Listing",
    "ListingCard",
    "ListingDemand",
    "ListingDue",
    "ListingNumber",
    "ListingOption",
    "ListingPrice",
    "ListingVariant",
    "ListingWord",
    "MediaFile",
    "Price",
    "PriceEntry",
    "PriceList",
    "Product",
    "ProductCategory",
    "ProductMedia",
    "ProductSlug",
    "ProductText",
    "ProductType",
    "Reservation",
    "ReservationLine",
    "StockItem",
    "StockLevel",
    "StockMovement",
    "Variant",
    "Warehouse",
    "connect_reference_rows",
]
