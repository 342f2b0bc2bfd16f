"""Commands of prices.

Each locks the products and then the prices that it changes, in the order of their ids, brings the
prices up to date, changes them and writes them in one statement. Lists follow in the same
transaction where a price turned that everybody is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from domains.products.errors import (
    EntryNotFound,
    InvalidPercentage,
    PriceNotFound,
    PricesChanged,
    UnknownPriceList,
    VariantNotFound,
)
from domains.products.models import Price, PriceEntry, PriceList, Variant
from domains.products.models.price_set import PriceKey
from domains.products.queries.variants import products_of_variants
from domains.products.rules import prices as rules
from domains.products.rules import tags
from domains.products.services import shown
from domains.products.services.listing import refresh_prices, refresh_products
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import atomic
from infrastructure.money import Money, changed_by_percent

T = TypeVar("T")

BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPrice:
    """What is asked for a SKU: from now on, or within the window that is given.

    money: of one piece, for whoever takes at least `min_quantity`.
    price_list: a code; None for the base. A list takes its own currency only.
    """

    sku: str
    money: Money
    kind: str = rules.Kind.REGULAR
    min_quantity: int = 1
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    price_list: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceEdit:
    """What one piece shall cost from now on, in a list or the base. seen: what its editor saw that
    it costs without a reduction, None for no price."""

    sku: str
    money: Money
    seen: Money | None
    price_list: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PercentChange:
    """A regular price before and after a change by percent."""

    sku: str
    price_list: str | None
    min_quantity: int
    old: Money
    new: Money


def set_price(
    *, sku: str, money: Money, actor_id: UUID | None, now: datetime, **more: Any
) -> Price:
    """Ask this for a SKU; more: what else a NewPrice has. An amount that is asked for good already
    leaves everything as it is. Raises as `set_prices`."""
    new = NewPrice(sku=sku, money=money, **more)
    return set_prices(prices=[new], actor_id=actor_id, now=now)[0]


def set_prices(*, prices: Sequence[NewPrice], actor_id: UUID | None, now: datetime) -> list[Price]:
    """Set many, in batches: each batch wholly or not at all. The price that each belongs to.

    Raises VariantNotFound, UnknownPriceList, NegativePrice, PriceTooLarge, InvalidQuantity,
    InvalidValidity, TooManyPrices.
    """
    changed: list[Price] = []
    for batch in _batches(prices):
        changed += _set(batch, actor_id=actor_id, now=now)
    return changed


def edit_prices(*, edits: Sequence[PriceEdit], actor_id: UUID | None, now: datetime) -> None:
    """Set what a page of staff says, all of it or nothing, and only if it still is what they saw.

    Raises ConcurrentModification where it is not; otherwise as `set_prices`.
    """
    new = [NewPrice(sku=edit.sku, money=edit.money, price_list=edit.price_list) for edit in edits]
    _set(new, seen=[edit.seen for edit in edits], actor_id=actor_id, now=now)


def cancel_price(*, sku: str, entry_id: UUID, actor_id: UUID | None, now: datetime) -> Price:
    """Take an entry back: one that is scheduled never comes, one in force ends now.

    Raises EntryNotFound, EntryEnded.
    """
    with atomic("products"):
        price_id = _price_of_entry(sku, entry_id)
        [price] = Price.objects.locked_by_id([price_id], now=now).values()
        price.cancel(entry_id=entry_id, actor_id=actor_id, now=now)
        save_prices([price])
    return price


def withdraw_price(
    *, sku: str, currency: str, price_list: str | None, actor_id: UUID | None, now: datetime
) -> None:
    """Ask for nothing any more in a list, or in the base: what is in force and what is scheduled
    ends now. What has ended already stays so. Raises VariantNotFound, UnknownPriceList,
    PriceNotFound."""
    with atomic("products"):
        variant_id = _variant_ids([sku])[sku]
        lists = _lists([] if price_list is None else [(price_list, currency)])
        key = (variant_id, currency, None if price_list is None else lists[price_list].id)
        price = Price.objects.locked([key], now=now).get(key)
        if price is None:
            raise PriceNotFound(f"{sku} has no such price.")
        price.withdraw(actor_id=actor_id, now=now)
        save_prices([price])


def turn_due_prices(*, now: datetime, at_most: int = BATCH) -> int:
    """Bring prices up to date whose time has come, and tell of it; returns how many there were.

    Readers do not wait for it: they see for themselves. While another does this there are none.
    Prices that a command has in hand are left for the next time; whoever dies leaves them due.
    """
    with atomic("products"):
        due = Price.objects.due(now=now, at_most=at_most)
        for price in due.values():
            price.advance(now=now)
        save_prices(due.values())
    return len(due)


def preview_percent_change(
    *, price_ids: Sequence[UUID], percent: Decimal, now: datetime
) -> list[PercentChange]:
    """What `change_prices_by_percent` would come to now. Raises as that."""
    with atomic("products"):
        locked = Price.objects.locked_by_id(price_ids, now=now).values()
        # What is not written down is refused as well.
        return _set_by_percent(locked, percent, actor_id=None, now=now)


def change_prices_by_percent(
    *,
    price_ids: Sequence[UUID],
    percent: Decimal,
    actor_id: UUID | None,
    now: datetime,
    previewed: str | None = None,
) -> list[PercentChange]:
    """Raise the regular prices in force by so many percent, or lower them, from now on; those for
    larger quantities too, sales not. Each is rounded by itself (infrastructure.money).

    previewed: the `digest_of` what the preview said; if that is not what would be done any more,
    for instance because it has been done, nothing is, and PricesChanged is raised.
    All or nothing, in one statement. Raises InvalidPercentage, PriceTooLarge, TooManyPrices.
    """
    with atomic("products"):
        locked = Price.objects.locked_by_id(price_ids, now=now).values()
        changes = _set_by_percent(locked, percent, actor_id=actor_id, now=now)
        if previewed is not None and previewed != digest_of(changes):
            raise PricesChanged("Some of them are not what the preview showed. Look again.")
        save_prices(locked)
    return changes


def digest_of(changes: Sequence[PercentChange]) -> str:
    """A short text that is another one for other changes."""
    return hashlib.sha256(repr(changes).encode()).hexdigest()


def save_prices(prices: Iterable[Price]) -> set[UUID]:
    """Write those of these locked or new prices that changed, in two statements at most, and let
    lists and caches follow. Called in the transaction that locked them. Returns the variants whose
    products are listed anew as a whole."""
    changed = [price for price in prices if price.has_changes and price.entries_recorded]
    new = [price for price in changed if price._state.adding]
    stored = [price for price in changed if not price._state.adding]
    Price.objects.add_all(new)
    Price.objects.save_all(stored)
    # Also where nobody pays it yet: its time may come while the page before is being shown.
    listed = {price.variant_id for price in changed if price.price_list_id is None}
    refresh_products(products_of_variants(sorted(listed)))
    lists = {price.price_list_id for price in changed if price.price_list_id is not None}
    if lists:
        # A first price in a list may bar a card, whoever the list holds for.
        asked = PriceList.objects.held_for_everybody(lists)
        first = {price.variant_id for price in new if price.price_list_id is not None}
        turned = {price.variant_id for price in changed if price.price_list_id in asked}
        refresh_prices(products_of_variants(sorted(first | turned)))
    shown.hint_of_variants([price.variant_id for price in changed], tags.PRICES)
    return listed


# Steps


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _set(
    new: Sequence[NewPrice],
    *,
    seen: Sequence[Money | None] | None = None,
    actor_id: UUID | None,
    now: datetime,
) -> list[Price]:
    if not new:
        return []
    with atomic("products"):
        variant_ids = _variant_ids([price.sku for price in new])
        lists = _lists([(p.price_list, p.money.currency) for p in new if p.price_list is not None])
        keys = [_key(price, variant_ids, lists) for price in new]
        prices = Price.objects.locked(set(keys), now=now)
        for place, (key, wanted) in enumerate(zip(keys, new, strict=True)):
            if key not in prices:
                prices[key] = Price.empty(
                    variant_id=key[0],
                    sku=wanted.sku,
                    currency=key[1],
                    price_list=None if wanted.price_list is None else lists[wanted.price_list],
                    now=now,
                )
            if seen is not None:
                _refuse_changed(prices[key], seen[place], now)
            prices[key].set(
                amount_minor=wanted.money.amount_minor,
                kind=wanted.kind,
                min_quantity=wanted.min_quantity,
                from_at=wanted.valid_from,
                until_at=wanted.valid_until,
                actor_id=actor_id,
                now=now,
            )
        save_prices(prices.values())
    return [prices[key] for key in keys]


def _refuse_changed(price: Price, seen: Money | None, now: datetime) -> None:
    price.advance(now=now)
    if price.unreduced != seen:
        raise ConcurrentModification(
            f"The price of {price.sku} was changed meanwhile. Nothing was saved; look again."
        )


def _key(new: NewPrice, variant_ids: dict[str, UUID], lists: dict[str, PriceList]) -> PriceKey:
    list_id = None if new.price_list is None else lists[new.price_list].id
    return variant_ids[new.sku], new.money.currency, list_id


def _variant_ids(skus: Sequence[str]) -> dict[str, UUID]:
    found = dict(Variant.objects.filter(sku__in=set(skus)).values_list("sku", "pk"))
    for sku in skus:
        if sku not in found:
            raise VariantNotFound(f"There is no SKU {sku}.")
    return found


def _lists(wanted: Sequence[tuple[str, str]]) -> dict[str, PriceList]:
    if not wanted:
        return {}
    found = {one.code: one for one in PriceList.objects.filter(code__in={c for c, _ in wanted})}
    for code, currency in wanted:
        if code not in found:
            raise UnknownPriceList(f"There is no price list {code}.")
        if found[code].currency != currency:
            raise UnknownPriceList(f"The prices of {code} are in {found[code].currency}.")
    return found


def _price_of_entry(sku: str, entry_id: UUID) -> UUID:
    found = PriceEntry.objects.filter(pk=entry_id, price__sku=sku)
    price_id: UUID | None = found.values_list("price_id", flat=True).first()
    if price_id is None:
        raise EntryNotFound(f"{sku} has no such price.")
    return price_id


def _set_by_percent(
    prices: Iterable[Price], percent: Decimal, *, actor_id: UUID | None, now: datetime
) -> list[PercentChange]:
    """In memory only: they are not saved."""
    changes = []
    for price in _in_order(prices):
        for change in _by_percent(price, percent, now):
            changes.append(change)
            price.set(
                amount_minor=change.new.amount_minor,
                min_quantity=change.min_quantity,
                actor_id=actor_id,
                now=now,
            )
    return changes


def _by_percent(price: Price, percent: Decimal, now: datetime) -> list[PercentChange]:
    if not -100 <= percent <= 1000:
        raise InvalidPercentage("A price can fall by 100 percent and rise by 1000.")
    price.advance(now=now)
    in_force = rules.latest(price.facts, max(now, price.updated_at))
    regular = [entry for (kind, _), entry in sorted(in_force.items()) if kind == rules.Kind.REGULAR]
    return [
        PercentChange(
            sku=price.sku,
            price_list=price.list_code or None,
            min_quantity=entry.min_quantity,
            old=Money(entry.amount_minor, price.currency),
            new=Money(changed_by_percent(entry.amount_minor, percent), price.currency),
        )
        for entry in regular
    ]


def _in_order(prices: Iterable[Price]) -> list[Price]:
    return sorted(prices, key=lambda price: (price.sku, price.currency, price.list_code))
