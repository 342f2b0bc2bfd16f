from django.urls import path

from domains.orders.api.views import orders

urlpatterns = [
    path("orders", orders.Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", orders.OrderDetail.as_view(), name="order"),
    path("orders/<uuid:order_id>/cancel", orders.OrderCancellation.as_view(), name="cancel-order"),
]
