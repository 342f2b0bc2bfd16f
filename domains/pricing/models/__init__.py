from domains.pricing.models.coupons import Coupon
from domains.pricing.models.promotions import Promotion
from domains.pricing.models.redemptions import CustomerTally, Redemption, RedemptionUse, Tally
from domains.pricing.models.shipping import ShippingMethod
from domains.pricing.models.taxes import TaxRate

__all__ = [
    "Coupon",
    "CustomerTally",
    "Promotion",
    "Redemption",
    "RedemptionUse",
    "ShippingMethod",
    "Tally",
    "TaxRate",
]
