"""Stock that carts hold, and what the books say of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domains.products.models import Reservation, StockItem, StockMovement
from domains.products.public import Held, hold_for_cart
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products

TTL = timedelta(minutes=15)


def cart_holding(quantities: dict[str, int], *, now: datetime, cart_id: UUID | None = None) -> UUID:
    cart_id = cart_id or new_id()
    lines = products.lines(quantities)
    assert hold_for_cart(cart_id=cart_id, lines=lines, now=now, ttl=TTL) == Held()
    return cart_id


def held(*skus: str) -> list[int]:
    return [StockItem.objects.get(sku=sku).held for sku in skus]


def lines_of(holder_id: UUID) -> dict[str, int]:
    rows = Reservation.objects.get(pk=holder_id).line_rows.all()
    return dict(rows.values_list("stock_item__sku", "quantity"))


def ledger(**cause: Any) -> list[tuple[str, str, int]]:
    rows = StockMovement.objects.filter(**cause).order_by("id")
    return list(rows.values_list("kind", "stock_item__sku", "held_delta"))


def facts(key: UUID) -> list[tuple[str, int]]:
    rows = OutboxMessage.objects.using(alias_of("products")).filter(key=str(key)).order_by("id")
    return [(row.name.removeprefix("products.stock_"), row.sequence) for row in rows]
