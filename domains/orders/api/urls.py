from django.urls import path

from domains.orders.api.views import fulfilments, invoices, orders, refunds

urlpatterns = [
    path("orders", orders.Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", orders.OrderDetail.as_view(), name="order"),
    path("orders/<uuid:order_id>/history", orders.OrderHistory.as_view(), name="order-history"),
    path("orders/<uuid:order_id>/notes", fulfilments.OrderNotes.as_view(), name="order-notes"),
    path("orders/<uuid:order_id>/edits", fulfilments.OrderEdits.as_view(), name="edit-order"),
    path(
        "orders/<uuid:order_id>/capture", fulfilments.OrderCapture.as_view(), name="capture-order"
    ),
    path(
        "orders/<uuid:order_id>/fulfilments",
        fulfilments.Fulfilments.as_view(),
        name="fulfilments",
    ),
    path(
        "orders/<uuid:order_id>/fulfilments/<uuid:fulfilment_id>",
        fulfilments.FulfilmentDetail.as_view(),
        name="fulfilment",
    ),
    path("orders/<uuid:order_id>/refunds", refunds.Refunds.as_view(), name="order-refunds"),
    path(
        "orders/<uuid:order_id>/steps/<uuid:step_id>/approve",
        refunds.StepApproval.as_view(),
        name="approve-step",
    ),
    path(
        "orders/<uuid:order_id>/steps/<uuid:step_id>/refuse",
        refunds.StepRefusal.as_view(),
        name="refuse-step",
    ),
    path("orders/<uuid:order_id>/returns", refunds.Returns.as_view(), name="returns"),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/approve",
        refunds.ReturnApproval.as_view(),
        name="approve-return",
    ),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/refuse",
        refunds.ReturnRefusal.as_view(),
        name="refuse-return",
    ),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/receive",
        refunds.ReturnReceipt.as_view(),
        name="receive-return",
    ),
    path("orders/<uuid:order_id>/payment", orders.OrderPayment.as_view(), name="pay-order"),
    path(
        "orders/<uuid:order_id>/payment/refresh",
        orders.OrderPaymentRefresh.as_view(),
        name="refresh-order-payment",
    ),
    path("carts/<uuid:cart_id>/checkout", orders.CartCheckout.as_view(), name="check-out"),
    path("orders/<uuid:order_id>/cancel", orders.OrderCancellation.as_view(), name="cancel-order"),
    path(
        "orders/<uuid:order_id>/invoices", invoices.OrderInvoices.as_view(), name="order-invoices"
    ),
    path("invoices/<uuid:document_id>", invoices.InvoiceDetail.as_view(), name="invoice"),
]
