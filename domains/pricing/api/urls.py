from django.urls import path

from domains.pricing.api.views import coupons, promotions, quotes, shipping, taxes

urlpatterns = [
    path("quotes", quotes.Quotes.as_view(), name="quotes"),
    path("shipping-methods", shipping.ShippingMethods.as_view(), name="shipping-methods"),
    path("shipping-terms", shipping.ShippingTermsList.as_view(), name="shipping-terms-list"),
    path("shipping-terms/<str:code>", shipping.ShippingTerms.as_view(), name="shipping-terms"),
    path(
        "shipping-terms/<str:code>/archive",
        shipping.ShippingTermsArchive.as_view(),
        name="shipping-terms-archive",
    ),
    path("tax-rates", taxes.TaxRates.as_view(), name="tax-rates"),
    path("tax-rates/<uuid:rate_id>", taxes.TaxRate.as_view(), name="tax-rate"),
    path(
        "tax-rates/<uuid:rate_id>/archive", taxes.TaxRateArchive.as_view(), name="tax-rate-archive"
    ),
    path("promotions", promotions.Promotions.as_view(), name="promotions"),
    path("promotions/<uuid:promotion_id>", promotions.Promotion.as_view(), name="promotion"),
    path(
        "promotions/<uuid:promotion_id>/archive",
        promotions.PromotionArchive.as_view(),
        name="promotion-archive",
    ),
    path(
        "promotions/<uuid:promotion_id>/coupons",
        promotions.PromotionCoupons.as_view(),
        name="promotion-coupons",
    ),
    path("coupons", coupons.Coupons.as_view(), name="coupons"),
    path("coupons/<str:code>", coupons.Coupon.as_view(), name="coupon"),
    path("coupons/<str:code>/archive", coupons.CouponArchive.as_view(), name="coupon-archive"),
]
