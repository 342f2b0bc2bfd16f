"""What things cost: for whoever asks, in the statement that reads what they ask about; and for
staff, with everything that was ever set.

`price_shown` makes one price of the rows that a statement has of a variant (`price_sql`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from domains.products.errors import (
    PriceListNotFound,
    UnknownChannel,
    VariantNotFound,
)
from domains.products.models import Channel, Price, PriceEntry, PriceList, Variant
from domains.products.queries.price_rows import entry_of, instant_of, reduction_of
from domains.products.rules import prices as rules
from domains.products.rules.asked_prices import Past, reduction_asked
from domains.products.rules.price_lists import first_price, lists_for, tiers_of
from infrastructure.errors import FieldError
from infrastructure.money import Money

# Channels are never taken away, so what was once found is known for good.
_known_channels: set[str] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class PricesFor:
    """Whose prices are meant, and when. channel, customer_group: None for none."""

    currency: str
    now: datetime
    channel: str | None = None
    customer_group: str | None = None

    @property
    def params(self) -> list[Any]:
        """The parameters of `price_sql.PRICE` and PRICES, in this order."""
        return [self.now, self.currency, *self.lists_params]

    @property
    def lists_params(self) -> list[Any]:
        """The parameters of `price_sql.LISTS`."""
        return [self.channel, self.customer_group, self.now]


class ShownReduction(msgspec.Struct, frozen=True, kw_only=True):
    """lowest_price_30_days: of what whoever asks was asked in the 30 days before it began."""

    regular_price: Money
    lowest_price_30_days: Money


class ShownTier(msgspec.Struct, frozen=True, kw_only=True):
    min_quantity: int
    price: Money


class ShownPrice(msgspec.Struct, frozen=True, kw_only=True):
    """price: of one piece, None where it has none. changes_at: when something of this may turn."""

    price: Money | None
    reduction: ShownReduction | None = None
    tiers: tuple[ShownTier, ...] = ()
    changes_at: datetime | None = None


NO_PRICE = ShownPrice(price=None)

# Lists rank by their priority and their code, all of them before the base.
_BASE = (1, 0, "")


def prices_for(
    *, currency: str, channel: str | None, customer_group: str | None, now: datetime
) -> PricesFor:
    """Raises UnknownChannel."""
    if channel is not None and channel not in _known_channels:
        if not Channel.objects.filter(pk=channel).exists():
            detail = f"There is no channel {channel}."
            raise UnknownChannel(
                detail, errors=[FieldError("?channel", UnknownChannel.code, detail)]
            )
        _known_channels.add(channel)
    return PricesFor(
        currency=currency, channel=channel, customer_group=customer_group or None, now=now
    )


def price_shown(rows: Sequence[Any], prices: PricesFor) -> ShownPrice:
    """One price of the PRICE of each row of a variant; nulls among them are no price."""
    if len(rows) == 1:
        [row] = rows
        if row is None:
            return NO_PRICE
        if type(row) is int:
            return ShownPrice(price=Money(row, prices.currency))
    snapshots, turns = _asked_in_turn(rows, prices)
    return _shown(snapshots, prices.currency, min(turns, default=None))


def unit_price_of(
    rows: Sequence[Any], quantity: int, prices: PricesFor
) -> tuple[Money, bool] | None:
    """What one costs for whoever takes so many, and whether the price of a piece is reduced by a
    sale there; None where that has no price."""
    if len(rows) == 1 and type(rows[0]) is int:
        return Money(rows[0], prices.currency), False
    snapshots, _ = _asked_in_turn(rows, prices)
    found = first_price(snapshots, quantity)
    if found is None:
        return None
    position, amount_minor = found
    return Money(amount_minor, prices.currency), snapshots[position].reduction is not None


def _asked_in_turn(
    rows: Sequence[Any], prices: PricesFor
) -> tuple[list[rules.Snapshot], list[datetime]]:
    """The snapshots of the lists that hold now, the base last; and when something may turn."""
    now = prices.now
    turns: list[datetime] = []
    holding: list[tuple[tuple[int, int, str], rules.Snapshot]] = []
    for row in rows:
        if row is None:
            continue
        if type(row) is int:
            holding.append((_BASE, rules.Snapshot(row)))
            continue
        rank, price_list = _BASE, row[6]
        if price_list is not None:
            priority, code, start, end = price_list
            valid_from, valid_until = instant_of(start), instant_of(end)
            if valid_from is not None and now < valid_from:
                turns.append(valid_from)
                continue
            if valid_until is not None:
                turns.append(valid_until)
            rank = (0, -priority, code)
        snapshot = _snapshot(row, prices)
        if snapshot.changes_at is not None:
            turns.append(snapshot.changes_at)
        holding.append((rank, snapshot))
    holding.sort(key=lambda pair: pair[0])
    return [snapshot for _, snapshot in holding], turns


def _snapshot(row: Any, prices: PricesFor) -> rules.Snapshot:
    amount_minor, tiers, regular_minor, lowest_30d_minor, changes_at, entries, _, pasts = row
    if entries is not None:
        snapshot = rules.snapshot_at([entry_of(*values) for values in entries], prices.now)
    else:
        snapshot = rules.snapshot_of(
            amount_minor=amount_minor,
            tiers=tiers,
            regular_minor=regular_minor,
            lowest_30d_minor=lowest_30d_minor,
            changes_at=instant_of(changes_at),
        )
    if pasts is None:
        return snapshot
    reduction = reduction_of(
        pasts,
        currency=prices.currency,
        channel=prices.channel,
        customer_group=prices.customer_group,
        now=prices.now,
    )
    return replace(snapshot, reduction=reduction)


def _shown(
    snapshots: Sequence[rules.Snapshot], currency: str, changes_at: datetime | None
) -> ShownPrice:
    first = first_price(snapshots, 1)
    reduction = None
    if first is not None:
        told = snapshots[first[0]].reduction
        if told is not None and told.lowest_30d_minor is not None:
            reduction = ShownReduction(
                regular_price=Money(told.regular_minor, currency),
                lowest_price_30_days=Money(told.lowest_30d_minor, currency),
            )
    return ShownPrice(
        price=None if first is None else Money(first[1], currency),
        reduction=reduction,
        tiers=tuple(
            ShownTier(min_quantity=tier.min_quantity, price=Money(tier.amount_minor, currency))
            for tier in tiers_of(snapshots)
        ),
        changes_at=changes_at,
    )


# For staff


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceNow:
    """What a SKU costs in one list; price_list: its code, None for the base."""

    sku: str
    price_list: str | None
    shown: ShownPrice
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ListExplained:
    """A price list (code None: the base) and why it is asked, or is not."""

    code: str | None
    asked: bool
    why: str
    entries: tuple[tuple[PriceEntry, rules.Verdict], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """applied_list: the code of the list that the price is from, None for the base."""

    sku: str
    currency: str
    quantity: int
    at: datetime
    applied: rules.Applied | None
    applied_list: str | None
    applied_entry_id: UUID | None
    lists: tuple[ListExplained, ...]


def price_explained(sku: str, *, quantity: int, prices: PricesFor) -> Explanation:
    """Which price applies and why, and why not every other that there is. Three statements.

    Raises VariantNotFound.
    """
    variant_id = _variant_id(sku)
    lists = list(PriceList.objects.filter(currency=prices.currency))
    found = Price.objects.filter(variant_id=variant_id, currency=prices.currency)
    entries: dict[str, list[PriceEntry]] = {"": []}
    for entry in (
        PriceEntry.objects.filter(price__in=found).select_related("price").order_by("-number")
    ):
        entries.setdefault(entry.price.list_code, []).append(entry)
    applied, applied_list, applied_entry_id = None, None, None
    explained = []
    for code, why in [*_in_turn(lists, prices), ("", "base")]:
        rows = entries.get(code)
        if rows is None:
            continue
        asked = why in ("holds", "base")
        facts = [row.fact for row in rows]
        if asked and applied is None:
            applied = rules.price_at(facts, quantity, prices.now)
            if applied is not None:
                applied_list = code or None
                applied_entry_id = next(r.id for r in rows if r.number == applied.entry.number)
        judged = rules.verdicts(facts, quantity, prices.now)
        explained.append(
            ListExplained(
                code=code or None,
                asked=asked,
                why=why,
                entries=tuple(
                    (row, verdict) for row, (_, verdict) in zip(rows, judged, strict=True)
                ),
            )
        )
    if applied is not None:
        pasts = _pasts(entries, lists)
        applied = applied.reduced_by(
            reduction_asked(
                pasts[applied_list or ""],
                list(pasts.values()),
                channel=prices.channel,
                customer_group=prices.customer_group,
                now=prices.now,
            )
        )
    return Explanation(
        sku=sku,
        currency=prices.currency,
        quantity=quantity,
        at=prices.now,
        applied=applied,
        applied_list=applied_list,
        applied_entry_id=applied_entry_id,
        lists=tuple(explained),
    )


def _pasts(
    entries: Mapping[str, Sequence[PriceEntry]], lists: Iterable[PriceList]
) -> dict[str, Past]:
    """By the code of the list, empty for the base."""
    terms = {one.code: one.terms_over_time for one in lists}
    return {
        code: Past([row.fact for row in rows], terms.get(code, ()))
        for code, rows in entries.items()
    }


def _in_turn(lists: Iterable[PriceList], prices: PricesFor) -> list[tuple[str, str]]:
    """The code of each list and why it is asked or is not; first those that are, in turn."""
    by_code = {one.code: one for one in lists}
    asked = lists_for(
        [one.terms for one in by_code.values()],
        currency=prices.currency,
        channel=prices.channel,
        customer_group=prices.customer_group,
        now=prices.now,
    )
    codes = [one.code for one in asked]

    def why(one: PriceList) -> str:
        if not one.active:
            return "inactive"
        if one.channel_id not in (None, prices.channel):
            return "other_channel"
        if one.customer_group not in ("", prices.customer_group):
            return "other_group"
        return "other_time"

    return [(code, "holds") for code in codes] + [
        (code, why(one)) for code, one in sorted(by_code.items()) if code not in codes
    ]


def price_now(price: Price) -> PriceNow:
    """What a price that was just brought up to date comes to."""
    return PriceNow(
        sku=price.sku,
        price_list=price.list_code or None,
        shown=_shown([price.snapshot], price.currency, price.changes_at),
        updated_at=price.updated_at,
    )


def price_history_of(
    sku: str, *, currency: str, price_list: str | None
) -> QuerySet[PriceEntry, Any]:
    """Everything that was ever set for a SKU in one list, to be read in pages.

    Raises VariantNotFound.
    """
    return PriceEntry.objects.filter(
        price__variant_id=_variant_id(sku),
        price__currency=currency,
        price__list_code=price_list or "",
    )


def price_timeline_of(
    sku: str, *, currency: str, price_list: str | None, start: datetime, end: datetime
) -> list[rules.Period]:
    """What one piece was really asked for between two instants, and will be by what is scheduled.

    Raises VariantNotFound.
    """
    entries = price_history_of(sku, currency=currency, price_list=price_list)
    return rules.periods([entry.fact for entry in entries.order_by("number")], start, end)


def price_lists() -> QuerySet[PriceList, Any]:
    return PriceList.objects.all()


def price_list_of(code: str) -> PriceList:
    """Raises PriceListNotFound."""
    found: PriceList | None = PriceList.objects.filter(code=code).first()
    if found is None:
        raise PriceListNotFound(f"There is no price list {code}.")
    return found


def channels() -> list[Channel]:
    return list(Channel.objects.order_by("code"))


def _variant_id(sku: str) -> UUID:
    variant_id = Variant.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if variant_id is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return variant_id
