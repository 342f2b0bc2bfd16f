"""What the price routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from domains.products.models import Price as PriceModel
from infrastructure.http.types import Currency, Money, Out, PageQuery
from infrastructure.money import Money as MoneyValue


class PriceHistoryQuery(PageQuery, frozen=True, kw_only=True):
    currency: Currency | None = None


class Price(Out, frozen=True, kw_only=True):
    sku: str
    price: Money
    updated_at: datetime

    @classmethod
    def of(cls, price: PriceModel) -> Self:
        return cls(sku=price.sku, price=Money.of(price.money), updated_at=price.updated_at)


class PricePeriod(Out, frozen=True, kw_only=True):
    price: Money
    from_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any], *, currency: str) -> Self:
        return cls(
            price=Money.of(MoneyValue(row["amount_minor"], currency)), from_at=row["from_at"]
        )
