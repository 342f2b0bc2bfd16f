from django.urls import path

from domains.orders.api.views import invoices, orders

urlpatterns = [
    path("orders", orders.Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", orders.OrderDetail.as_view(), name="order"),
    path("orders/<uuid:order_id>/history", orders.OrderHistory.as_view(), name="order-history"),
    path("orders/<uuid:order_id>/payment", orders.OrderPayment.as_view(), name="pay-order"),
    path("carts/<uuid:cart_id>/checkout", orders.CartCheckout.as_view(), name="check-out"),
    path("orders/<uuid:order_id>/cancel", orders.OrderCancellation.as_view(), name="cancel-order"),
    path(
        "orders/<uuid:order_id>/invoices", invoices.OrderInvoices.as_view(), name="order-invoices"
    ),
    path("invoices/<uuid:document_id>", invoices.InvoiceDetail.as_view(), name="invoice"),
]
