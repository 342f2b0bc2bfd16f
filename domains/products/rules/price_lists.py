"""Which price lists hold for whom, and what comes of asking them in turn, pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.products.rules.prices import Snapshot, Tier


@dataclass(frozen=True, slots=True)
class ListTerms:
    """For whom a price list holds and when; None: no matter."""

    id: UUID
    code: str
    currency: str
    priority: int
    channel: str | None = None
    customer_group: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    active: bool = True

    def holds(self, *, channel: str | None, customer_group: str | None, now: datetime) -> bool:
        return (
            self.active
            and self.channel in (None, channel)
            and self.customer_group in (None, customer_group)
            and (self.valid_from is None or self.valid_from <= now)
            and (self.valid_until is None or now < self.valid_until)
        )

    def turns_for_everybody_at(self, now: datetime) -> datetime | None:
        """When it begins or ends next to hold for everybody."""
        if not self.active or self.channel is not None or self.customer_group is not None:
            return None
        bounds = (self.valid_from, self.valid_until)
        return min((at for at in bounds if at is not None and at > now), default=None)


def lists_for(
    lists: Iterable[ListTerms],
    *,
    currency: str,
    channel: str | None,
    customer_group: str | None,
    now: datetime,
) -> list[ListTerms]:
    """The price lists to ask in turn, the highest priority first; after them comes the base."""
    holding = (
        one
        for one in lists
        if one.currency == currency
        and one.holds(channel=channel, customer_group=customer_group, now=now)
    )
    return sorted(holding, key=lambda one: (-one.priority, one.code))


def first_price(snapshots: Sequence[Snapshot], quantity: int) -> tuple[int, int] | None:
    """(position, amount) of the first snapshot with a price for the quantity; the snapshots are
    those of the lists to ask in turn."""
    for position, snapshot in enumerate(snapshots):
        amount = snapshot.unit_price_of(quantity)
        if amount is not None:
            return position, amount
    return None


def tiers_of(snapshots: Sequence[Snapshot]) -> tuple[Tier, ...]:
    """The quantities above one at which the price changes, over the lists to ask in turn."""
    if len(snapshots) == 1:
        return snapshots[0].tiers
    first = first_price(snapshots, 1)
    last = None if first is None else first[1]
    tiers = []
    for quantity in sorted({tier.min_quantity for s in snapshots for tier in s.tiers}):
        found = first_price(snapshots, quantity)
        assert found is not None
        if found[1] != last:
            last = found[1]
            tiers.append(Tier(quantity, last))
    return tuple(tiers)
