"""What staff look at."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, OuterRef, Q, QuerySet, Subquery

from domains.pricing.errors import (
    CouponNotFound,
    PromotionNotFound,
    ShippingMethodNotFound,
    TaxRateNotFound,
)
from domains.pricing.models import Coupon, Promotion, ShippingMethod, Tally, TaxRate
from domains.pricing.rules.codes import plain_code

Row = TypeVar("Row", bound=Model)


def is_set_up() -> bool:
    """Whether anybody has said anything of how the shop ships, taxes and discounts."""
    return any(model.objects.exists() for model in (ShippingMethod, TaxRate, Promotion))


def open_shipping_methods() -> list[tuple[str, str]]:
    """Code and name of those that are offered, wherever they go, in their order."""
    found = shipping_methods(archived=False).filter(active=True).order_by("position", "code")
    return list(found.values_list("code", "name"))


def shipping_methods(*, archived: bool | None = None) -> QuerySet[ShippingMethod]:
    """To be read in pages by position and code. archived: None for whichever."""
    return _of(ShippingMethod.objects.all(), archived)


def shipping_method_of(code: str) -> ShippingMethod:
    """Raises ShippingMethodNotFound."""
    found: ShippingMethod | None = ShippingMethod.objects.filter(code=code).first()
    if found is None:
        raise ShippingMethodNotFound(f"There is no shipping method {code}.")
    return found


def tax_rates(
    *, country: str | None = None, tax_class: str | None = None, archived: bool | None = None
) -> QuerySet[TaxRate]:
    found = _of(TaxRate.objects.all(), archived)
    if country is not None:
        found = found.filter(country=country)
    if tax_class is not None:
        found = found.filter(tax_class=tax_class)
    return found


def tax_rate_of(rate_id: UUID) -> TaxRate:
    """Raises TaxRateNotFound."""
    found: TaxRate | None = TaxRate.objects.filter(pk=rate_id).first()
    if found is None:
        raise TaxRateNotFound(f"There is no tax rate {rate_id}.")
    return found


def promotions(
    *, status: str | None = None, kind: str | None = None, automatic: bool | None = None
) -> QuerySet[Promotion]:
    """To be read in pages, the newest first; `used` tells how often each was, counted since it has
    a limit. status: `active`, `paused` or `archived`."""
    found = with_uses(Promotion.objects.all())
    if status is not None:
        found = found.filter(status_is(status))
    if kind is not None:
        found = found.filter(kind=kind)
    if automatic is not None:
        found = found.filter(automatic=automatic)
    return found


def promotion_of(promotion_id: UUID) -> Promotion:
    """With `used`. Raises PromotionNotFound."""
    found: Promotion | None = promotions().filter(pk=promotion_id).first()
    if found is None:
        raise PromotionNotFound(f"There is no promotion {promotion_id}.")
    return found


def coupons(
    *,
    promotion_id: UUID | None = None,
    batch_id: UUID | None = None,
    prefix: str | None = None,
    archived: bool | None = None,
) -> QuerySet[Coupon]:
    """To be read in pages, the newest first; `used` tells how often each is in use. prefix: what
    the code begins with."""
    found = _of(with_uses(Coupon.objects.all()), archived)
    if promotion_id is not None:
        found = found.filter(promotion_id=promotion_id)
    if batch_id is not None:
        found = found.filter(batch_id=batch_id)
    if prefix:
        found = found.filter(code__startswith=plain_code(prefix))
    return found


def coupon_of(code: str) -> Coupon:
    """With `used`. Raises CouponNotFound."""
    found: Coupon | None = coupons().filter(code=plain_code(code)).first()
    if found is None:
        raise CouponNotFound(f"There is no coupon {code}.")
    return found


def codes_of(batch_id: UUID) -> list[str]:
    """The codes that were made together, in the order in which they were made."""
    found = Coupon.objects.filter(batch_id=batch_id).order_by("pk")
    return list(found.values_list("code", flat=True))


def status_is(status: str) -> Q:
    """Promotions of this status."""
    if status == "archived":
        return Q(archived_at__isnull=False)
    return Q(archived_at__isnull=True, active=status == "active")


def with_uses(rows: QuerySet[Any]) -> QuerySet[Any]:
    """These with `used`, of coupons and promotions alike."""
    tally = Tally.objects.filter(pk=OuterRef("pk")).values("used")
    return rows.annotate(used=Subquery(tally))


def _of(rows: QuerySet[Row], archived: bool | None) -> QuerySet[Row]:
    return rows if archived is None else rows.filter(archived_at__isnull=not archived)
