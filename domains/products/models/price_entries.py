"""The amounts that were set for a price, each from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.db import models

from domains.products.rules import prices as rules
from infrastructure.aggregates import OwnedModel
from infrastructure.database.contexts import alias_of

if TYPE_CHECKING:
    from domains.products.models.prices import Price


class PriceEntry(OwnedModel):
    """An amount that was set once. Nothing of it ever changes but its end."""

    class Ending(models.TextChoices):
        NONE = "", "has not been ended"
        CANCELLED = "cancelled"
        WITHDRAWN = "withdrawn"
        SUPERSEDED = "superseded"

    # The unique index begins with it.
    price = models.ForeignKey(
        "products.Price", on_delete=models.PROTECT, related_name="entry_rows", db_index=False
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8)
    min_quantity = models.PositiveIntegerField(default=1)
    amount_minor = models.BigIntegerField()
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    actor_id = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=10, choices=Ending, blank=True)
    ended_by_id = models.UUIDField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["price", "number"], name="products_priceentry_number_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.min_quantity} from {self.from_at}"

    def end(self, ending: str, *, at: datetime, actor_id: UUID | None) -> None:
        self.ended_at, self.ending, self.ended_by_id = at, ending, actor_id

    def is_live(self, at: datetime) -> bool:
        """In force at this instant, or going to be."""
        end = self.fact.end_at
        return end is None or end > at

    @property
    def fact(self) -> rules.Entry:
        return rules.Entry(
            number=self.number,
            kind=self.kind,
            min_quantity=self.min_quantity,
            amount_minor=self.amount_minor,
            from_at=self.from_at,
            until_at=self.until_at,
            ended_at=self.ended_at,
        )


# One look into the index per price. As a join it was once planned as every price against every
# entry, for minutes, when the statistics still came from an empty table.
_ENTRIES_THAT_MATTER = """
    SELECT e.* FROM unnest(%s::uuid[], %s::timestamptz[]) k (price_id, oldest)
    CROSS JOIN LATERAL (
        SELECT * FROM products_priceentry p
        WHERE p.price_id = k.price_id AND (p.ended_at IS NULL OR p.ended_at > k.oldest)
            AND (p.until_at IS NULL OR p.until_at > k.oldest)
        OFFSET 0
    ) e
    ORDER BY e.price_id, e.number
"""


def entries_that_matter(prices: Sequence[Price], now: datetime) -> Iterable[PriceEntry]:
    """Entries without those that were over before any instant that a price may still ask about:
    the 30 days before the reduction that is on, or before one that may begin at the next turn."""
    oldest = [_oldest_asked(price, now) for price in prices]
    entries = PriceEntry.objects.using(alias_of("products"))
    found: Any = entries.raw(_ENTRIES_THAT_MATTER, [[price.id for price in prices], oldest])
    return cast("Iterable[PriceEntry]", found)


def _oldest_asked(price: Price, now: datetime) -> datetime:
    begin = price.reduced_since or min(price.changes_at or now, now)
    return begin - rules.PRIOR_PERIOD - timedelta(seconds=1)
