from django.urls import path

from domains.products.api.views import (
    categories,
    imports,
    inventory,
    media,
    price_lists,
    prices,
    products,
    types,
    variants,
    warehouses,
)

urlpatterns = [
    path("products", products.Products.as_view(), name="products"),
    # Before the slugs, none of which is made to be this one.
    path("products/bulk", imports.ProductsInBulk.as_view(), name="products-bulk"),
    path("imports/<str:kind>", imports.Imports.as_view(), name="imports"),
    path("exports/<str:kind>", imports.Exports.as_view(), name="exports"),
    path("products/<str:id_or_slug>", products.ProductDetail.as_view(), name="product"),
    path(
        "products/<str:id_or_slug>/variants",
        variants.ProductVariants.as_view(),
        name="product-variants",
    ),
    path("products/<str:id_or_slug>/media", media.ProductMedia.as_view(), name="product-media"),
    path("media/<uuid:media_id>", media.MediaDetail.as_view(), name="media"),
    path("product-types", types.ProductTypes.as_view(), name="product-types"),
    path("product-types/<str:code>", types.ProductTypeDetail.as_view(), name="product-type"),
    path("categories", categories.Categories.as_view(), name="categories"),
    path("categories/<str:id_or_slug>", categories.CategoryDetail.as_view(), name="category"),
    path(
        "categories/<str:id_or_slug>/products",
        categories.CategoryProducts.as_view(),
        name="category-products",
    ),
    path("variants/<str:sku>", variants.VariantDetail.as_view(), name="variant"),
    path("variants/<str:sku>/price", prices.VariantPrice.as_view(), name="variant-price"),
    path("variants/<str:sku>/prices", prices.VariantPrices.as_view(), name="variant-prices"),
    path(
        "variants/<str:sku>/prices/<uuid:entry_id>",
        prices.PriceEntry.as_view(),
        name="price-entry",
    ),
    path(
        "variants/<str:sku>/price-timeline", prices.PriceTimeline.as_view(), name="price-timeline"
    ),
    path("price-lists", price_lists.PriceLists.as_view(), name="price-lists"),
    path("price-lists/<str:code>", price_lists.PriceListDetail.as_view(), name="price-list"),
    path("channels", price_lists.Channels.as_view(), name="channels"),
    path("channels/<str:code>", price_lists.Channel.as_view(), name="channel"),
    path("variants/<str:sku>/price-history", prices.PriceHistory.as_view(), name="price-history"),
    path("inventory", inventory.InventoryList.as_view(), name="inventory-list"),
    # Before the SKUs: one of this name is read in the list.
    path("inventory/shortages", inventory.Shortages.as_view(), name="shortages"),
    path("inventory/<str:sku>", inventory.Inventory.as_view(), name="inventory"),
    path(
        "inventory/<str:sku>/adjustments", inventory.StockAdjustments.as_view(), name="adjustments"
    ),
    path("inventory/<str:sku>/transfers", inventory.StockTransfers.as_view(), name="transfers"),
    path("inventory/<str:sku>/movements", inventory.StockMovements.as_view(), name="movements"),
    path("warehouses", warehouses.Warehouses.as_view(), name="warehouses"),
    path("warehouses/<str:code>", warehouses.WarehouseDetail.as_view(), name="warehouse"),
]
