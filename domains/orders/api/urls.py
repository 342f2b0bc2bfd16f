from django.urls import path

from domains.orders.api import views

urlpatterns = [
    path("orders", views.Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", views.OrderDetail.as_view(), name="order"),
    path("orders/<uuid:order_id>/cancel", views.OrderCancellation.as_view(), name="cancel-order"),
]
