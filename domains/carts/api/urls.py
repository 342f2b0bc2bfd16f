from __future__ import annotations

from django.urls import path

from domains.carts.api import views

urlpatterns = [
    path("carts", views.Carts.as_view(), name="carts"),
    path("carts/current", views.CurrentCart.as_view(), name="current-cart"),
    path("carts/<uuid:cart_id>", views.OneCart.as_view(), name="cart"),
    path("carts/<uuid:cart_id>/items", views.Items.as_view(), name="cart-items"),
    path("carts/<uuid:cart_id>/items/<str:sku>", views.OneItem.as_view(), name="cart-item"),
    path("carts/<uuid:cart_id>/seen", views.Seen.as_view(), name="see-cart"),
    path("carts/<uuid:cart_id>/problems", views.Problems.as_view(), name="cart-problems"),
    path(
        "carts/<uuid:cart_id>/shipping-options",
        views.ShippingOptions.as_view(),
        name="cart-shipping-options",
    ),
    path("carts/<uuid:cart_id>/hold", views.CartHold.as_view(), name="cart-hold"),
    path("carts/<uuid:cart_id>/merge", views.Merge.as_view(), name="merge-cart"),
]
