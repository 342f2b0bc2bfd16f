"""The refusals of pricing, each with its code and HTTP status."""

from __future__ import annotations

from infrastructure.errors import DomainError


class ShippingMethodNotFound(DomainError):
    code, status, title = "shipping_method_not_found", 404, "No such shipping method"


class ShippingMethodTaken(DomainError):
    code, status, title = "shipping_method_taken", 409, "The shipping method exists already"


class InvalidShippingMethod(DomainError):
    """Its prices do not go together; `errors` names every fault."""

    code, status, title = "invalid_shipping_method", 400, "The shipping method is not valid"


class TaxRateNotFound(DomainError):
    code, status, title = "tax_rate_not_found", 404, "No such tax rate"


class TaxRateTaken(DomainError):
    """One rate holds for a tax class in a place."""

    code, status, title = "tax_rate_taken", 409, "The place has a rate for this tax class"


class InvalidTaxRate(DomainError):
    code, status, title = "invalid_tax_rate", 400, "The tax rate is not valid"


class PromotionNotFound(DomainError):
    code, status, title = "promotion_not_found", 404, "No such promotion"


class InvalidPromotion(DomainError):
    """What it takes off, or when, does not go together; `errors` names every fault."""

    code, status, title = "invalid_promotion", 400, "The promotion is not valid"


class CouponNotFound(DomainError):
    code, status, title = "coupon_not_found", 404, "No such coupon"


class CouponTaken(DomainError):
    code, status, title = "coupon_taken", 409, "The code belongs to another coupon"


class InvalidCoupon(DomainError):
    code, status, title = "invalid_coupon", 400, "The coupon is not valid"


class Archived(DomainError):
    """What was put away stays as it was: orders tell of it."""

    code, status, title = "archived", 409, "It has been archived"


class UnknownChannel(DomainError):
    """The input names a channel that does not exist."""

    code, status, title = "unknown_channel", 400, "Unknown channel"
