"""What is left of a stock, and what a hold asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from domains.products.errors import InvalidQuantity
from infrastructure.observability.correlation import Correlation

MAX_QUANTITY = 1_000_000_000


def left(*, on_hand: int, backorder_limit: int, held: int) -> int:
    """How much can still be promised. Below zero: more is promised than there is."""
    return on_hand + backorder_limit - held


def is_low(left: int, *, threshold: int | None) -> bool:
    """Whether staff want to know. Nobody does without a threshold."""
    return threshold is not None and left <= threshold


class Holder(StrEnum):
    """Whose hold it is: an order's ends by a decision, a cart's by the clock as well."""

    ORDER = "order"
    CART = "cart"


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldLine:
    variant_id: UUID
    sku: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldChange:
    """`delta`: how much more is to be held; below zero, how much less."""

    variant_id: UUID
    sku: str
    delta: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldRequest:
    """instead_of: a cart whose hold goes over to the order. What the cart holds counts as free for
    this order alone, and the cart's hold ends in the moment in which the order's begins.
    cause: whose correlation the order's event carries, where that is not the caller's.
    """

    order_id: UUID
    lines: tuple[HoldLine, ...]
    instead_of: UUID | None = None
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
    FULFILLED = "FULFILLED"


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


def changes(before: Mapping[UUID, int], after: Mapping[UUID, int]) -> dict[UUID, int]:
    """By how much each variant's quantity differs, in the order of their ids; without the equal."""
    return {
        variant_id: delta
        for variant_id in sorted(before.keys() | after.keys())
        if (delta := after.get(variant_id, 0) - before.get(variant_id, 0))
    }
