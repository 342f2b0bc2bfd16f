"""What is in stock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models

from domains.products.errors import (
    InvalidQuantity,
    NegativeStock,
    SameWarehouse,
    SeveralWarehouses,
    StockChanged,
)
from domains.products.events import (
    StockAvailabilityChanged,
    StockLow,
    StockShort,
    StockUpdated,
)
from domains.products.models.movements import StockMovement
from domains.products.models.stock_levels import StockLevel
from domains.products.models.variants import Variant
from domains.products.models.warehouses import MAIN_WAREHOUSE
from domains.products.rules import stock as rules
from infrastructure.aggregates import (
    AggregateQuerySet,
    AggregateRoot,
    Owned,
)
from infrastructure.errors import FieldError
from infrastructure.ids import new_id


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
    held: what is promised to orders and carts. Changed by the commands of `Reservation.objects`,
    and by taking goods out for an order.
    backorder_limit: how much more may be promised than there is.
    low_stock_threshold: staff are told when no more than this can be promised. None: never.

    turned: whether commands of this object made something available, or took the last.

    Its id is the variant's. Commands are called on a locked item: holds change the row as well.
    """

    turned = False

    variant = models.OneToOneField(
        Variant, primary_key=True, on_delete=models.PROTECT, related_name="stock_item"
    )
    sku = models.CharField(max_length=64)
    on_hand = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    backorder_limit = models.IntegerField(default=0)
    low_stock_threshold = models.IntegerField(null=True)

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
        indexes = [
            # Lists by the beginning of a SKU, in whatever language the database sorts.
            models.Index(
                fields=["sku"],
                name="products_stockitem_sku_like",
                opclasses=["varchar_pattern_ops"],
            )
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
        before = self.left
        movement = self._move(
            StockMovement.Kind.ADJUSTMENT,
            warehouse,
            delta,
            reason=reason,
            actor_id=actor_id,
            now=now,
        )
        self._tell_what_is_left(before, now=now)
        return movement

    def count(
        self,
        *,
        on_hand: int,
        change_from: int | None,
        reason: str,
        actor_id: UUID | None,
        now: datetime,
        warehouse: str | None = None,
    ) -> StockMovement | None:
        """Somebody counted; nothing happens where it is that already.

        warehouse: where they counted; None for the total, which says enough only as long as all of
        it lies in one place.
        change_from: what the caller believes it to be, or None where the count stands by itself.
        The count is believed even below what is held: that is a shortage, and is published.
        Raises StockChanged, SeveralWarehouses, InvalidQuantity.
        """
        if on_hand < 0:
            raise InvalidQuantity("Less than nothing cannot be counted.")
        place = self._only_place() if warehouse is None else warehouse
        current = self.in_warehouse(place)
        if change_from is not None and change_from != current:
            wrong = f"There are {current} of {self.sku}, not {change_from}."
            raise StockChanged(
                wrong, errors=[FieldError("/change_from", "stock_changed", wrong, current)]
            )
        if on_hand == current:
            return None
        before = self.left
        movement = self._move(
            StockMovement.Kind.COUNT,
            place,
            on_hand - current,
            reason=reason,
            actor_id=actor_id,
            now=now,
        )
        self._tell_what_is_left(before, now=now)
        return movement

    def transfer(
        self,
        *,
        quantity: int,
        from_warehouse: str,
        to_warehouse: str,
        reason: str,
        actor_id: UUID | None,
        now: datetime,
    ) -> UUID:
        """Carry goods from one warehouse to another; what can be promised stays as it is.

        Two movements under one transfer's id, which is returned. Raises NegativeStock,
        InvalidQuantity, SameWarehouse.
        """
        if quantity < 1:
            raise InvalidQuantity("A transfer carries at least one.")
        if from_warehouse == to_warehouse:
            raise SameWarehouse(f"The goods are in {from_warehouse} already.")
        transfer_id = new_id()
        self._take_from_level(from_warehouse, quantity)
        self._level(to_warehouse).on_hand += quantity
        for place, delta in ((from_warehouse, -quantity), (to_warehouse, quantity)):
            self._note(
                StockMovement.Kind.TRANSFER,
                place,
                delta,
                reason=reason,
                actor_id=actor_id,
                transfer_id=transfer_id,
                now=now,
            )
        return transfer_id

    def take_out(
        self,
        *,
        quantity: int,
        warehouse: str,
        order_id: UUID,
        fulfilment_id: UUID,
        now: datetime,
    ) -> None:
        """Goods that were held for an order leave: there are fewer, and fewer are promised.

        Raises NegativeStock where the warehouse has less.
        """
        self.held -= quantity
        self._move(
            StockMovement.Kind.SHIPMENT,
            warehouse,
            -quantity,
            held_delta=-quantity,
            order_id=order_id,
            fulfilment_id=fulfilment_id,
            now=now,
        )

    def take_back(
        self,
        *,
        quantity: int,
        warehouse: str,
        order_id: UUID,
        change_id: UUID,
        now: datetime,
    ) -> None:
        """Goods that had left for an order lie in a warehouse again, for everybody."""
        before = self.left
        self._move(
            StockMovement.Kind.RETURN,
            warehouse,
            quantity,
            order_id=order_id,
            change_id=change_id,
            now=now,
        )
        self._tell_what_is_left(before, now=now)

    def configure(
        self,
        *,
        backorder_limit: int,
        low_stock_threshold: int | None,
        reason: str,
        actor_id: UUID | None,
        now: datetime,
    ) -> None:
        """Set what staff decide about the SKU. A lower limit may make a shortage of what is held.

        Raises InvalidQuantity.
        """
        if not 0 <= backorder_limit <= rules.MAX_QUANTITY:
            raise InvalidQuantity(f"{backorder_limit} is no backorder limit.")
        before, was_low = self.left, self.is_low
        delta = backorder_limit - self.backorder_limit
        self.backorder_limit = backorder_limit
        self.low_stock_threshold = low_stock_threshold
        if delta:
            self.write_along(
                StockMovement(
                    stock_item_id=self.pk,
                    kind=StockMovement.Kind.LIMIT.value,
                    on_hand_delta=0,
                    held_delta=0,
                    backorder_delta=delta,
                    reason=reason,
                    actor_id=actor_id,
                    created_at=now,
                )
            )
        self._tell_what_is_left(before, was_low=was_low, now=now)

    def _move(
        self, kind: StockMovement.Kind, warehouse: str, delta: int, *, now: datetime, **cause: Any
    ) -> StockMovement:
        if self.on_hand + delta > rules.MAX_QUANTITY:
            raise InvalidQuantity(f"More than {rules.MAX_QUANTITY} of {self.sku} cannot be kept.")
        if delta < 0:
            self._take_from_level(warehouse, -delta)
        else:
            self._level(warehouse).on_hand += delta
        self.on_hand += delta
        return self._note(kind, warehouse, delta, now=now, **cause)

    def _note(
        self,
        kind: StockMovement.Kind,
        warehouse: str,
        delta: int,
        *,
        now: datetime,
        held_delta: int = 0,
        fulfilment_id: UUID | None = None,
        **cause: Any,
    ) -> StockMovement:
        """Into the ledger, and to whoever listens."""
        movement = StockMovement(
            stock_item_id=self.pk,
            warehouse_id=warehouse,
            kind=kind.value,
            on_hand_delta=delta,
            held_delta=held_delta,
            backorder_delta=0,
            fulfilment_id=fulfilment_id,
            created_at=now,
            **cause,
        )
        self.write_along(movement)
        self.record(
            StockUpdated(
                variant_id=self.pk,
                sku=self.sku,
                on_hand=self.on_hand,
                on_hand_delta=delta,
                kind=kind.value,
                warehouse=warehouse,
                fulfilment_id=fulfilment_id,
                occurred_at=now,
            )
        )
        return movement

    def _tell_what_is_left(
        self, before: int, *, was_low: bool | None = None, now: datetime
    ) -> None:
        """Publish what buyers and staff have to know, given what was left before."""
        if was_low is None:
            was_low = rules.is_low(before, threshold=self.low_stock_threshold)
        known = {"variant_id": self.pk, "sku": self.sku, "occurred_at": now}
        if self.available != (before > 0):
            self.turned = not self.turned
            self.record(StockAvailabilityChanged(available=self.available, **known))
        if self.low_stock_threshold is not None and self.is_low and not was_low:
            self.record(StockLow(available=self.left, threshold=self.low_stock_threshold, **known))
        if self.left < 0 and self.left < before:
            self.record(
                StockShort(on_hand=self.on_hand, held=self.held, missing=-self.left, **known)
            )

    def _take_from_level(self, warehouse: str, quantity: int) -> None:
        level = self._level(warehouse)
        if level.on_hand < quantity:
            raise NegativeStock(f"There are {level.on_hand} of {self.sku} in {warehouse}.")
        level.on_hand -= quantity

    def _level(self, warehouse: str) -> StockLevel:
        for level in self.levels:
            if level.warehouse_id == warehouse:
                return level
        level = StockLevel(warehouse_id=warehouse, on_hand=0)
        self.levels.append(level)
        return level

    def _only_place(self) -> str:
        places = [level.warehouse_id for level in self.levels if level.on_hand]
        if len(places) > 1:
            raise SeveralWarehouses(
                f"{self.sku} lies in {', '.join(sorted(places))}; say which of them was counted."
            )
        return places[0] if places else MAIN_WAREHOUSE

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

    @property
    def is_low(self) -> bool:
        return rules.is_low(self.left, threshold=self.low_stock_threshold)

    def in_warehouse(self, code: str) -> int:
        return sum(level.on_hand for level in self.levels if level.warehouse_id == code)
