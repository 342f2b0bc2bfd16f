"""Staff screens: forms and actions call services and show their refusals."""

from domains.pricing.admin import (  # noqa: F401  (each registers its screens)
    coupons,
    promotions,
    shipping,
    taxes,
)
