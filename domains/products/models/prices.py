"""What a variant costs, and what it cost before."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models

from domains.products.errors import NegativePrice
from domains.products.events import PriceChanged
from domains.products.models.products import Variant
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.ids import new_id
from infrastructure.money import Money


class PriceQuerySet(AggregateQuerySet):
    def locked(self, *, variant_id: UUID, currency: str) -> Price | None:
        found: Price | None = (
            self.select_for_update(no_key=True, of=("self",))
            .filter(variant_id=variant_id, currency=currency)
            .first()
        )
        return found


class Price(AggregateRoot):
    """The price of one variant in one currency, the same for everybody.

    Its own aggregate, so that a change of price and a change of the product do not collide.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="price_rows")
    sku = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    updated_at = models.DateTimeField()

    periods = Owned("period_rows")

    objects = PriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "currency"], name="products_price_variant_currency_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(amount_minor__gte=0), name="products_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku}: {self.money}"

    # Factories

    @classmethod
    def first(
        cls,
        *,
        variant_id: UUID,
        sku: str,
        money: Money,
        actor_id: UUID | None,
        now: datetime,
    ) -> Self:
        price = cls(variant_id=variant_id, sku=sku, currency=money.currency, updated_at=now)
        period = price._take(money, previous=None, actor_id=actor_id, now=now)
        price.periods = [period]
        return price

    # Commands

    def change(self, *, money: Money, actor_id: UUID | None, now: datetime) -> None:
        """Cost something else from now on; a price that is the same already stays untouched.

        Raises NegativePrice.
        """
        if money == self.money:
            return
        period = self._take(money, previous=self.amount_minor, actor_id=actor_id, now=now)
        # Written beside the root: loading the whole history to append to it would be a waste.
        self.write_along(period)

    def _take(
        self, money: Money, *, previous: int | None, actor_id: UUID | None, now: datetime
    ) -> PricePeriod:
        if money.amount_minor < 0:
            raise NegativePrice(f"{money} is no price.")
        self.amount_minor, self.updated_at = money.amount_minor, now
        self.record(
            PriceChanged(
                price_id=self.id,
                variant_id=self.variant_id,
                sku=self.sku,
                amount_minor=money.amount_minor,
                currency=money.currency,
                previous_amount_minor=previous,
                occurred_at=now,
            )
        )
        return PricePeriod(
            price_id=self.id, amount_minor=money.amount_minor, from_at=now, actor_id=actor_id
        )

    # Questions

    @property
    def money(self) -> Money:
        return Money(self.amount_minor, self.currency)


class PricePeriod(OwnedModel):
    """From when a price was asked. It lasted until the next one's beginning."""

    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="period_rows")
    amount_minor = models.BigIntegerField()
    from_at = models.DateTimeField()
    actor_id = models.UUIDField(null=True)

    class Meta(OwnedModel.Meta):
        indexes = [models.Index(fields=["price", "from_at"], name="products_price_history")]

    def __str__(self) -> str:
        return f"{self.price_id} from {self.from_at}"
