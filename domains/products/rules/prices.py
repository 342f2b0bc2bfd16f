"""Which price applies and why, pure.

Of one variant in one currency and one price list there are *entries*: an amount, for a regular
price or a sale, from a quantity on, within a window of time. Of those in force the latest counts
for each kind and quantity, and of these the cheapest that the quantity reaches applies. So a sale
goes before the regular price, a larger quantity never costs more a piece than a smaller one, and
nobody pays more because a sale was forgotten while the regular price fell.

Windows are half-open: a price is asked from `from_at` on, and at `until_at` no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# Directive 98/6/EC, article 6a(2): the period before a reduction whose lowest price is to be told.
PRIOR_PERIOD = timedelta(days=30)


class Kind(StrEnum):
    REGULAR = "regular"
    SALE = "sale"


class Verdict(StrEnum):
    """What became of an entry when a price was looked for."""

    APPLIES = "applies"
    NOT_YET = "not_yet"
    OVER = "over"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    QUANTITY_NOT_REACHED = "quantity_not_reached"
    NOT_THE_CHEAPEST = "not_the_cheapest"


@dataclass(frozen=True, slots=True)
class Entry:
    """number: rises with every entry that was recorded of a price.
    ended_at: when it was cancelled, or made way for a later one for good."""

    number: int
    kind: str
    min_quantity: int
    amount_minor: int
    from_at: datetime
    until_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def end_at(self) -> datetime | None:
        """When it ceases to be in force; None: never."""
        if self.until_at is None or self.ended_at is None:
            return self.until_at or self.ended_at
        return min(self.until_at, self.ended_at)

    @property
    def slot(self) -> tuple[str, int]:
        return self.kind, self.min_quantity

    @property
    def rank(self) -> tuple[datetime, int]:
        """In a slot the one that began later counts; of those at one instant the one set later."""
        return self.from_at, self.number

    def in_force(self, at: datetime) -> bool:
        return self.from_at <= at and ((end := self.end_at) is None or at < end)


@dataclass(frozen=True, slots=True)
class Tier:
    """What one costs for whoever takes at least `min_quantity`."""

    min_quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Reduction:
    """regular_minor: what one would cost without the sale.
    lowest_30d_minor: the lowest price asked in the 30 days before the reduction began; None where
    nothing was asked then, and so there is no reduction to announce.
    since: when it began; None where that was not asked for."""

    regular_minor: int
    lowest_30d_minor: int | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is asked from an instant on, until `changes_at`; None there: for good.

    amount_minor: of one piece; None where there is no price.
    tiers: above a quantity of one, ascending, each cheaper than the one before.
    reduction: None where the price of one is not reduced.
    """

    amount_minor: int | None
    tiers: tuple[Tier, ...] = ()
    reduction: Reduction | None = None
    changes_at: datetime | None = None

    def unit_price_of(self, quantity: int) -> int | None:
        """What one costs for whoever takes so many."""
        found = self.amount_minor
        for tier in self.tiers:
            if tier.min_quantity > quantity:
                break
            found = tier.amount_minor
        return found


@dataclass(frozen=True, slots=True)
class Applied:
    """The entry that applies, and all that follows from it and from what is beside it."""

    amount_minor: int
    kind: str
    entry: Entry
    why: str
    regular_minor: int | None
    lowest_30d_minor: int | None
    changes_at: datetime | None

    def reduced_by(self, reduction: Reduction | None) -> Applied:
        """The same with what is to be told of this reduction, if anything is."""
        announced = reduction is not None and reduction.lowest_30d_minor is not None
        return replace(
            self,
            regular_minor=reduction.regular_minor if reduction and announced else None,
            lowest_30d_minor=reduction.lowest_30d_minor if reduction and announced else None,
        )


@dataclass(frozen=True, slots=True)
class Period:
    """What one piece cost for how long; amount_minor None: it had no price."""

    from_at: datetime
    until_at: datetime | None
    amount_minor: int | None
    kind: str | None


def price_at(entries: Sequence[Entry], quantity: int, now: datetime) -> Applied | None:
    """The price of one for whoever takes `quantity` now, with its reason; None: there is none."""
    entry = _applying(entries, quantity, now)
    if entry is None:
        return None
    found = Applied(
        amount_minor=entry.amount_minor,
        kind=entry.kind,
        entry=entry,
        why=_reason(entry),
        regular_minor=None,
        lowest_30d_minor=None,
        changes_at=changes_at(entries, now),
    )
    return found.reduced_by(reduction_at(entries, now))


def snapshot_at(entries: Sequence[Entry], now: datetime) -> Snapshot:
    unit = _applying(entries, 1, now)
    last = None if unit is None else unit.amount_minor
    tiers = []
    for quantity in sorted({e.min_quantity for e in entries if e.in_force(now)} - {1}):
        reached = _applying(entries, quantity, now)
        assert reached is not None
        if last is None or reached.amount_minor < last:
            last = reached.amount_minor
            tiers.append(Tier(quantity, last))
    return Snapshot(
        amount_minor=None if unit is None else unit.amount_minor,
        tiers=tuple(tiers),
        reduction=reduction_at(entries, now),
        changes_at=changes_at(entries, now),
    )


def snapshot_of(
    *,
    amount_minor: int | None,
    tiers: Sequence[int],
    regular_minor: int | None,
    lowest_30d_minor: int | None,
    changes_at: datetime | None,
    reduced_since: datetime | None = None,
) -> Snapshot:
    """The snapshot that these columns keep; tiers: quantity and amount in turn."""
    reduction = None
    if regular_minor is not None:
        reduction = Reduction(regular_minor, lowest_30d_minor, reduced_since)
    return Snapshot(
        amount_minor=amount_minor,
        tiers=tuple(Tier(*pair) for pair in zip(tiers[::2], tiers[1::2], strict=True)),
        reduction=reduction,
        changes_at=changes_at,
    )


def latest(entries: Iterable[Entry], at: datetime) -> dict[tuple[str, int], Entry]:
    """Of the entries in force the one that counts, per kind and quantity."""
    found: dict[tuple[str, int], Entry] = {}
    for entry in entries:
        if entry.in_force(at):
            rival = found.get(entry.slot)
            if rival is None or rival.rank < entry.rank:
                found[entry.slot] = entry
    return found


def counts_from(entry: Entry, entries: Iterable[Entry], now: datetime) -> datetime | None:
    """From when on an entry counts, None where others of its slot hide it for ever."""
    rivals = [other for other in entries if other.slot == entry.slot]
    at = max(now, entry.from_at)
    while entry.in_force(at):
        found = latest(rivals, at)[entry.slot]
        if found.number == entry.number:
            return at
        if found.end_at is None:
            return None
        at = found.end_at
    return None


def verdicts(entries: Sequence[Entry], quantity: int, now: datetime) -> list[tuple[Entry, Verdict]]:
    """Every entry with the reason why it applies now, or why it does not."""
    applying = _applying(entries, quantity, now)
    counting = latest(entries, now)

    def verdict(entry: Entry) -> Verdict:
        if entry is applying:
            return Verdict.APPLIES
        if entry.ended_at is not None and entry.ended_at <= now:
            replaced = any(e.slot == entry.slot and e.rank > entry.rank for e in entries)
            return Verdict.SUPERSEDED if replaced else Verdict.CANCELLED
        if now < entry.from_at:
            return Verdict.NOT_YET
        if not entry.in_force(now):
            return Verdict.OVER
        if counting[entry.slot] is not entry:
            return Verdict.SUPERSEDED
        if entry.min_quantity > quantity:
            return Verdict.QUANTITY_NOT_REACHED
        return Verdict.NOT_THE_CHEAPEST

    return [(entry, verdict(entry)) for entry in entries]


def reduction_at(entries: Sequence[Entry], now: datetime) -> Reduction | None:
    """Whether the price of one is reduced now, and from what.

    The lowest price before the reduction is Directive 98/6/EC's, article 6a(2): of the prices
    asked for one piece in this price list, sales included, within the 30 days before the reduction
    began; over several lists see `asked_prices.reduction_asked`. A price that is younger counts for
    as long as it was asked (no longer period is made up), and times without any price do not count.
    A reduction that grows step by step without a break is one, begun with its first step (article
    6a(5)); when the price rises within a sale, a new reduction begins there.
    """
    unit = _applying(entries, 1, now)
    regular = latest(entries, now).get((Kind.REGULAR, 1))
    if unit is None or unit.kind != Kind.SALE or regular is None:
        return None
    since, amount = now, unit.amount_minor
    instants = sorted({instant for instant in instants_of(entries) if instant <= now}, reverse=True)
    for instant in instants:
        then, regular_then = _applying(entries, 1, instant), latest(entries, instant)
        if (
            then is None
            or then.kind != Kind.SALE
            or (Kind.REGULAR, 1) not in regular_then
            or then.amount_minor < amount
        ):
            break
        since, amount = instant, then.amount_minor
    asked = [
        period.amount_minor
        for period in periods(entries, since - PRIOR_PERIOD, since)
        if period.amount_minor is not None
    ]
    return Reduction(regular.amount_minor, min(asked, default=None), since)


def periods(entries: Sequence[Entry], start: datetime, end: datetime) -> list[Period]:
    """What one piece cost between two instants, in order and without gaps; nothing for no time."""
    found: list[Period] = []
    if start >= end:
        return found
    instants = [start, *sorted({i for i in instants_of(entries) if start < i < end})]
    for instant, until in zip(instants, [*instants[1:], end], strict=True):
        entry = _applying(entries, 1, instant)
        amount, kind = (None, None) if entry is None else (entry.amount_minor, entry.kind)
        if found and (found[-1].amount_minor, found[-1].kind) == (amount, kind):
            found[-1] = Period(found[-1].from_at, until, amount, kind)
        else:
            found.append(Period(instant, until, amount, kind))
    return found


def changes_at(entries: Iterable[Entry], now: datetime) -> datetime | None:
    """The next instant at which a window opens or closes."""
    return min((instant for instant in instants_of(entries) if instant > now), default=None)


def superseded(entries: Iterable[Entry], now: datetime) -> list[tuple[Entry, datetime]]:
    """Entries that make way for good for a later one of their slot, and when they did.

    That is what a price in force without an end does to those before it. They never come back,
    also when the later one is cancelled; below a price with an end they only wait.
    """
    last: dict[tuple[str, int], Entry] = {}
    for entry in entries:
        if entry.in_force(now) and entry.end_at is None:
            rival = last.get(entry.slot)
            if rival is None or rival.rank < entry.rank:
                last[entry.slot] = entry
    return [
        (entry, last[entry.slot].from_at)
        for entry in entries
        if entry.ended_at is None
        and entry.slot in last
        and entry.rank < last[entry.slot].rank
        and ((end := entry.end_at) is None or end > last[entry.slot].from_at)
    ]


def unit_price_at(entries: Iterable[Entry], at: datetime) -> int | None:
    """What one piece cost then; None: it had no price."""
    entry = _applying(entries, 1, at)
    return None if entry is None else entry.amount_minor


def instants_of(entries: Iterable[Entry]) -> Iterable[datetime]:
    """When one of them begins or ends to be in force."""
    for entry in entries:
        end = entry.end_at
        if end is not None and end <= entry.from_at:
            continue  # never in force
        yield entry.from_at
        if end is not None:
            yield end


def _applying(entries: Iterable[Entry], quantity: int, at: datetime) -> Entry | None:
    """Where two cost the same, the regular price applies: no sale is announced for nothing."""
    return min(
        (e for e in latest(entries, at).values() if e.min_quantity <= quantity),
        key=lambda e: (e.amount_minor, e.kind != Kind.REGULAR, e.min_quantity),
        default=None,
    )


def _reason(entry: Entry) -> str:
    return entry.kind if entry.min_quantity == 1 else f"{entry.kind}_tier"
