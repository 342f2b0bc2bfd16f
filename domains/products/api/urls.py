from django.urls import path

from domains.products.api.views import categories, inventory, prices, products

urlpatterns = [
    path("products", products.Products.as_view(), name="products"),
    path("products/<str:id_or_slug>", products.ProductDetail.as_view(), name="product"),
    path("categories", categories.Categories.as_view(), name="categories"),
    path("categories/<uuid:category_id>", categories.CategoryDetail.as_view(), name="category"),
    path("variants/<str:sku>/price", prices.VariantPrice.as_view(), name="variant-price"),
    path("variants/<str:sku>/price-history", prices.PriceHistory.as_view(), name="price-history"),
    path("inventory/<str:sku>", inventory.Inventory.as_view(), name="inventory"),
    path(
        "inventory/<str:sku>/adjustments", inventory.StockAdjustments.as_view(), name="adjustments"
    ),
    path("inventory/<str:sku>/movements", inventory.StockMovements.as_view(), name="movements"),
]
