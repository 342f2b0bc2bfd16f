"""What is left of a stock, and what a hold asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from domains.products.errors import InvalidQuantity
from infrastructure.observability.correlation import Correlation

MAX_QUANTITY = 1_000_000_000


def left(*, on_hand: int, backorder_limit: int, held: int) -> int:
    """How much can still be promised. Below zero: more is promised than there is."""
    return on_hand + backorder_limit - held


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldLine:
    variant_id: UUID
    sku: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldRequest:
    """`cause`: whose correlation the order's event carries, where that is not the caller's."""

    order_id: UUID
    lines: tuple[HoldLine, ...]
    cause: Correlation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortage:
    """What one SKU lacks for an order. `available` is 0 for a SKU that does not exist."""

    variant_id: UUID
    sku: str
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class Held:
    """All lines are held, by this call or by an earlier one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is held, and nothing of the attempt is left."""

    shortages: tuple[Shortage, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """The order's stock was released before; it cannot be held again."""


HoldOutcome = Held | Refused | Released


class HoldState(StrEnum):
    """What an order's reservation is, once there is one."""

    HELD = "HELD"
    RELEASED = "RELEASED"


def summed(lines: Iterable[HoldLine]) -> tuple[HoldLine, ...]:
    """One line per variant, in the order of their ids. Raises InvalidQuantity."""
    by_variant: dict[UUID, HoldLine] = {}
    for line in lines:
        if line.quantity < 1:
            raise InvalidQuantity(f"{line.quantity} of {line.sku} cannot be held.")
        known = by_variant.get(line.variant_id)
        if known is not None:
            line = replace(known, quantity=known.quantity + line.quantity)
        if line.quantity > MAX_QUANTITY:
            raise InvalidQuantity(f"{line.quantity} of {line.sku} is more than can be held.")
        by_variant[line.variant_id] = line
    if not by_variant:
        raise InvalidQuantity("There is nothing to hold.")
    return tuple(by_variant[variant_id] for variant_id in sorted(by_variant))
