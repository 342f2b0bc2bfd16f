from django.urls import path

from domains.products.api import views

urlpatterns = [
    path("products", views.Products.as_view(), name="products"),
    path("products/<str:id_or_slug>", views.ProductDetail.as_view(), name="product"),
    path("categories", views.Categories.as_view(), name="categories"),
    path("categories/<uuid:category_id>", views.CategoryDetail.as_view(), name="category"),
    path("variants/<str:sku>/price", views.VariantPrice.as_view(), name="variant-price"),
    path("variants/<str:sku>/price-history", views.PriceHistory.as_view(), name="price-history"),
    path("inventory/<str:sku>", views.Inventory.as_view(), name="inventory"),
    path("inventory/<str:sku>/adjustments", views.StockAdjustments.as_view(), name="adjustments"),
    path("inventory/<str:sku>/movements", views.StockMovements.as_view(), name="movements"),
]
