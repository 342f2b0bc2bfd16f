"""What holds at present, kept in the process for some seconds; and what is asked about coupons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from django.conf import settings

from domains.pricing.rules.terms import (
    CouponTerms,
    PromotionTerms,
    ShippingTerms,
    TaxTerms,
    Terms,
)
from infrastructure.cache.installed import installed
from infrastructure.database.contexts import connection_of

# What is told on the channel when terms change.
TAG = "pricing-terms"

# A promotion `p` with its tally `t`, as PromotionTerms.
_PROMOTION = """json_build_object(
    'id', p.id, 'name', p.name, 'kind', p.kind, 'automatic', p.automatic,
    'percent', p.percent::text, 'amounts_minor', p.amounts_minor, 'priority', p.priority,
    'combinable', p.combinable, 'conditions', p.conditions, 'valid_from', p.valid_from,
    'valid_until', p.valid_until, 'usage_limit', p.usage_limit,
    'usage_limit_per_customer', p.usage_limit_per_customer, 'used', t.used
)"""

_TERMS = f"""
SELECT (
    SELECT coalesce(json_agg(json_build_object(
        'code', m.code, 'name', m.name, 'kind', m.kind, 'tax_class', m.tax_class,
        'rates', m.rates, 'countries', m.countries, 'channels', m.channels, 'not_to', m.not_to
    ) ORDER BY m.position, m.code), '[]')::text
    FROM pricing_shippingmethod m WHERE m.active AND m.archived_at IS NULL
), (
    SELECT coalesce(json_agg(json_build_object(
        'country', r.country, 'region', r.region, 'tax_class', r.tax_class,
        'percent', r.percent::text
    )), '[]')::text
    FROM pricing_taxrate r WHERE r.archived_at IS NULL
), (
    SELECT coalesce(json_agg({_PROMOTION}), '[]')::text
    FROM pricing_promotion p JOIN pricing_tally t ON t.owner_id = p.id
    WHERE p.automatic AND p.active AND p.archived_at IS NULL
        AND (p.valid_until IS NULL OR p.valid_until > %s)
)
"""

_ASKED = f"""
SELECT (
    SELECT coalesce(json_agg(json_build_object(
        'code', c.code, 'active', c.archived_at IS NULL AND p.active AND p.archived_at IS NULL,
        'usage_limit', c.usage_limit, 'usage_limit_per_customer', c.usage_limit_per_customer,
        'used', own.used,
        'used_by_customer', coalesce((
            SELECT u.used FROM pricing_customertally u
            WHERE u.customer_key = asked.customer_key AND u.owner_id = c.id
        ), 0),
        'promotion_used_by_customer', coalesce((
            SELECT u.used FROM pricing_customertally u
            WHERE u.customer_key = asked.customer_key AND u.owner_id = p.id
        ), 0),
        'promotion', {_PROMOTION}
    )), '[]')::text
    FROM pricing_coupon c
    JOIN pricing_tally own ON own.owner_id = c.id
    JOIN pricing_promotion p ON p.id = c.promotion_id
    JOIN pricing_tally t ON t.owner_id = p.id
    WHERE c.code = ANY(asked.codes)
), (
    SELECT coalesce(json_object_agg(u.owner_id, u.used), '{{}}')::text
    FROM pricing_customertally u
    WHERE u.customer_key = asked.customer_key AND u.owner_id = ANY(asked.promotions)
)
FROM (SELECT %s::text AS customer_key, %s::text[] AS codes, %s::uuid[] AS promotions) asked
"""

_decode_methods = msgspec.json.Decoder(tuple[ShippingTerms, ...]).decode
_decode_taxes = msgspec.json.Decoder(list[TaxTerms]).decode
_decode_promotions = msgspec.json.Decoder(tuple[PromotionTerms, ...]).decode
_decode_coupons = msgspec.json.Decoder(list[CouponTerms]).decode
_decode_used = msgspec.json.Decoder(dict[UUID, int]).decode


@dataclass(frozen=True, slots=True)
class _Known:
    """sequence: of what the cache had been told before the terms were read."""

    terms: Terms
    until: float
    sequence: int


_known: _Known | None = None


def terms_at(now: datetime) -> Terms:
    """What holds for everybody, at most PRICING_TERMS_SECONDS old; windows of time are left to
    whoever reads them. No statement while the process knows it, else one."""
    global _known
    known = _known
    if known is not None and time.monotonic() < known.until and not _changed_since(known.sequence):
        return known.terms
    began_at, sequence = time.monotonic(), _told()
    terms = _read(now)
    _known = _Known(terms, began_at + settings.PRICING_TERMS_SECONDS, sequence)
    return terms


def forget() -> None:
    """Read the terms anew at the next question."""
    global _known
    _known = None


def asked_of(
    *, codes: Sequence[str], customer_key: str | None, promotions: Sequence[UUID]
) -> tuple[dict[str, CouponTerms], dict[UUID, int]]:
    """The coupons with these codes, by code; and how often the customer used these promotions.
    One statement."""
    [(coupons, used)] = connection_of("pricing").fetch(
        _ASKED, [customer_key or "", list(codes), list(promotions)]
    )
    return {coupon.code: coupon for coupon in _decode_coupons(coupons)}, _decode_used(used)


def _read(now: datetime) -> Terms:
    [(methods, taxes, promotions)] = connection_of("pricing").fetch(_TERMS, [now])
    percents: dict[tuple[str, str, str], Decimal] = {
        (tax.country, tax.region, tax.tax_class): tax.percent for tax in _decode_taxes(taxes)
    }
    return Terms(
        methods=_decode_methods(methods),
        percents=percents,
        promotions=_decode_promotions(promotions),
    )


def _told() -> int:
    if not settings.CACHE_ENABLED:
        return 0
    cache = installed()
    cache.listener.start()
    return cache.local.sequence


def _changed_since(sequence: int) -> bool:
    """Whether somebody said so. While nothing can be heard, the age of the terms is the net."""
    if not settings.CACHE_ENABLED:
        return False
    local = installed().local
    return local.is_live and local.was_dropped(TAG, since=sequence)
