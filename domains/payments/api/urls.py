from __future__ import annotations

from django.urls import path

from domains.payments.api import saved_methods, views

urlpatterns = [
    path("payment-methods", saved_methods.PaymentMethods.as_view(), name="payment-methods"),
    path(
        "payment-methods/<uuid:method_id>",
        saved_methods.PaymentMethodDetail.as_view(),
        name="payment-method",
    ),
    path("payments/<uuid:payment_id>", views.Payment.as_view(), name="payment"),
    path("payments/<uuid:payment_id>/capture", views.Capture.as_view(), name="capture-payment"),
    path("payments/<uuid:payment_id>/refunds", views.Refunds.as_view(), name="refund-payment"),
    path("payments/<uuid:payment_id>/receipts", views.Receipts.as_view(), name="record-receipt"),
    path("payments/<uuid:payment_id>/refresh", views.Refresh.as_view(), name="refresh-payment"),
    path("payments/<uuid:payment_id>/void", views.Void.as_view(), name="void-payment"),
    path(
        "payments/webhooks/<slug:gateway>", views.Notifications.as_view(), name="payment-webhooks"
    ),
]
