"""What is in stock, and the ledger of how it came to be so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NoReturn, Self
from uuid import UUID

from django.apps import AppConfig
from django.db import models
from django.db.models.signals import post_migrate

from domains.products.errors import InvalidQuantity, NegativeStock, StockChanged
from domains.products.events import StockAvailabilityChanged, StockShort, StockUpdated
from domains.products.models.products import Variant
from domains.products.rules import stock as rules
from infrastructure.aggregates import (
    AggregateQuerySet,
    AggregateRoot,
    Owned,
    OwnedModel,
    OwnedQuerySet,
)
from infrastructure.database.contexts import alias_of

MAIN_WAREHOUSE = "main"


class Warehouse(models.Model):
    """A place that goods lie in. The main one always exists."""

    code = models.CharField(primary_key=True, max_length=32)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name


def ensure_main_warehouse(sender: AppConfig, using: str, **kwargs: Any) -> None:
    # After `migrate`, and after every flush of a test: no code relies on rows made by migrations.
    if using == alias_of("products"):
        Warehouse.objects.bulk_create(
            [Warehouse(code=MAIN_WAREHOUSE, name="Main warehouse")], ignore_conflicts=True
        )


def connect_reference_rows(config: AppConfig) -> None:
    post_migrate.connect(ensure_main_warehouse, sender=config)


class StockItemQuerySet(AggregateQuerySet):
    def locked(self, skus: Iterable[str]) -> list[StockItem]:
        """These items, locked in the order of their ids, as everybody locks them."""
        found: list[StockItem] = list(
            self.select_for_update(no_key=True, of=("self",))
            .filter(sku__in=list(skus))
            .order_by("pk")
            .prefetch_related("level_rows")
        )
        return found


class StockItem(AggregateRoot):
    """The stock of one variant.

    on_hand: what lies in all warehouses; the sum of its levels, written in the same statement.
    held: what is promised to orders. Changed by `Reservation.objects.hold` and `release` only.
    backorder_limit: how much more may be promised than there is.

    Its id is the variant's. Commands are called on a locked item: holds change the row as well.
    """

    variant = models.OneToOneField(
        Variant, primary_key=True, on_delete=models.PROTECT, related_name="stock_item"
    )
    sku = models.CharField(max_length=64)
    on_hand = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    backorder_limit = models.IntegerField(default=0)

    levels = Owned("level_rows")

    objects = StockItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sku"], name="products_stockitem_sku_unique"),
            models.CheckConstraint(
                condition=models.Q(on_hand__gte=0, held__gte=0, backorder_limit__gte=0),
                name="products_stockitem_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.sku

    # Factories

    @classmethod
    def empty(cls, *, variant_id: UUID, sku: str, backorder_limit: int = 0) -> Self:
        return cls(variant_id=variant_id, sku=sku, backorder_limit=backorder_limit)

    # Commands

    def adjust(
        self,
        *,
        delta: int,
        reason: str,
        actor_id: UUID | None,
        now: datetime,
        warehouse: str = MAIN_WAREHOUSE,
    ) -> StockMovement:
        """Add to what lies in a warehouse, or take away. Raises NegativeStock, InvalidQuantity."""
        if delta == 0:
            raise InvalidQuantity("An adjustment by nothing is none.")
        return self._move(
            StockMovement.Kind.ADJUSTMENT,
            delta,
            reason=reason,
            actor_id=actor_id,
            now=now,
            warehouse=warehouse,
        )

    def count(
        self,
        *,
        on_hand: int,
        change_from: int | None,
        reason: str,
        actor_id: UUID | None,
        now: datetime,
        warehouse: str = MAIN_WAREHOUSE,
    ) -> StockMovement | None:
        """Somebody counted. The total becomes `on_hand`; nothing happens where it is that already.

        change_from: what the caller believes it to be, or None where the count stands by itself.
        The count is believed even below what is held: that is a shortage, and is published.
        Raises StockChanged, NegativeStock, InvalidQuantity.
        """
        if on_hand < 0:
            raise InvalidQuantity("Less than nothing cannot be counted.")
        if change_from is not None and change_from != self.on_hand:
            raise StockChanged(f"There are {self.on_hand} of {self.sku}, not {change_from}.")
        if on_hand == self.on_hand:
            return None
        return self._move(
            StockMovement.Kind.COUNT,
            on_hand - self.on_hand,
            reason=reason,
            actor_id=actor_id,
            now=now,
            warehouse=warehouse,
        )

    def _move(
        self,
        kind: StockMovement.Kind,
        delta: int,
        *,
        reason: str,
        actor_id: UUID | None,
        now: datetime,
        warehouse: str,
    ) -> StockMovement:
        was_available = self.available
        level = self._level(warehouse)
        if level.on_hand + delta < 0:
            raise NegativeStock(f"There are {level.on_hand} of {self.sku} in {warehouse}.")
        if self.on_hand + delta > rules.MAX_QUANTITY:
            raise InvalidQuantity(f"More than {rules.MAX_QUANTITY} of {self.sku} cannot be kept.")
        level.on_hand += delta
        self.on_hand += delta
        movement = StockMovement(
            stock_item_id=self.pk,
            warehouse_id=warehouse,
            kind=kind.value,
            on_hand_delta=delta,
            held_delta=0,
            reason=reason,
            actor_id=actor_id,
            created_at=now,
        )
        self.write_along(movement)
        self.record(
            StockUpdated(
                variant_id=self.pk,
                sku=self.sku,
                on_hand=self.on_hand,
                on_hand_delta=delta,
                kind=kind.value,
                occurred_at=now,
            )
        )
        if self.available != was_available:
            self.record(
                StockAvailabilityChanged(
                    variant_id=self.pk, sku=self.sku, available=self.available, occurred_at=now
                )
            )
        if self.left < 0 and delta < 0:
            self.record(
                StockShort(
                    variant_id=self.pk,
                    sku=self.sku,
                    on_hand=self.on_hand,
                    held=self.held,
                    missing=-self.left,
                    occurred_at=now,
                )
            )
        return movement

    def _level(self, warehouse: str) -> StockLevel:
        for level in self.levels:
            if level.warehouse_id == warehouse:
                return level
        level = StockLevel(warehouse_id=warehouse, on_hand=0)
        self.levels.append(level)
        return level

    # Questions

    @property
    def left(self) -> int:
        """How much can still be promised; below zero by what is missing."""
        return rules.left(
            on_hand=self.on_hand, backorder_limit=self.backorder_limit, held=self.held
        )

    @property
    def available(self) -> bool:
        return self.left > 0


class StockLevel(OwnedModel):
    """What lies in one warehouse."""

    stock_item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="level_rows")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    on_hand = models.IntegerField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["stock_item", "warehouse"], name="products_stocklevel_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(on_hand__gte=0), name="products_stocklevel_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on_hand} in {self.warehouse_id}"


class StockMovement(models.Model):
    """One line of the ledger: what changed in a stock item, and why. Never changed, never deleted.

    The sums of its deltas are the item's counters. Drawn under the item's row lock, ids of one item
    rise in the order of its changes.
    """

    class Kind(models.TextChoices):
        ADJUSTMENT = "ADJUSTMENT"
        COUNT = "COUNT"
        HOLD = "HOLD"
        RELEASE = "RELEASE"

    id = models.BigAutoField(primary_key=True)
    stock_item = models.ForeignKey(
        StockItem, on_delete=models.PROTECT, related_name="movement_rows", db_index=False
    )
    warehouse = models.ForeignKey(
        Warehouse, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind)
    on_hand_delta = models.IntegerField()
    held_delta = models.IntegerField()
    order_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    actor_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    objects = OwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["stock_item", "id"], name="products_movements_of_item")]

    def __str__(self) -> str:
        return f"{self.kind} {self.on_hand_delta:+} {self.held_delta:+}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The ledger is written together with the stock it tells of.")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The ledger keeps everything.")
