from django.urls import path

from domains.orders.api.views import (
    checkout,
    edits,
    fulfilments,
    invoices,
    orders,
    payments,
    refunds,
    returns,
    steps,
)

urlpatterns = [
    path("orders", orders.Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", orders.OrderDetail.as_view(), name="order"),
    path("orders/<uuid:order_id>/history", orders.OrderHistory.as_view(), name="order-history"),
    path("orders/<uuid:order_id>/notes", orders.OrderNotes.as_view(), name="order-notes"),
    path("orders/<uuid:order_id>/edits", edits.OrderEdits.as_view(), name="edit-order"),
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
    path("orders/<uuid:order_id>/steps", steps.Steps.as_view(), name="order-steps"),
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
    path("orders/<uuid:order_id>/returns", returns.Returns.as_view(), name="returns"),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/approve",
        returns.ReturnApproval.as_view(),
        name="approve-return",
    ),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/refuse",
        returns.ReturnRefusal.as_view(),
        name="refuse-return",
    ),
    path(
        "orders/<uuid:order_id>/returns/<uuid:return_id>/receive",
        returns.ReturnReceipt.as_view(),
        name="receive-return",
    ),
    path("orders/<uuid:order_id>/payment", payments.OrderPayment.as_view(), name="pay-order"),
    path(
        "orders/<uuid:order_id>/payment/refresh",
        payments.OrderPaymentRefresh.as_view(),
        name="refresh-order-payment",
    ),
    path("carts/<uuid:cart_id>/checkout", checkout.CartCheckout.as_view(), name="check-out"),
    path("orders/<uuid:order_id>/cancel", orders.OrderCancellation.as_view(), name="cancel-order"),
    path(
        "orders/<uuid:order_id>/invoices", invoices.OrderInvoices.as_view(), name="order-invoices"
    ),
    path("invoices/<uuid:document_id>", invoices.InvoiceDetail.as_view(), name="invoice"),
]
