"""What a variant costs, for whom and when, and what it cost before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from domains.products.errors import (
    EntryEnded,
    InvalidQuantity,
    InvalidValidity,
    NegativePrice,
    PriceTooLarge,
    TooManyPrices,
)
from domains.products.events import (
    PriceChanged,
    PricesFromQuantity,
    PriceWithdrawn,
)
from domains.products.models.price_entries import PriceEntry
from domains.products.models.price_lists import PriceList, refuse_empty_window
from domains.products.models.price_set import PriceKey, PriceQuerySet
from domains.products.models.variants import Variant
from domains.products.rules import prices as rules
from infrastructure.aggregates import AggregateRoot, Owned
from infrastructure.ids import new_id
from infrastructure.money import MAX_AMOUNT_MINOR, Money

# Entries of one price that are in force or scheduled. All are looked at whenever it changes.
MAX_LIVE_ENTRIES = 500


class Price(AggregateRoot):
    """What one variant costs in one currency and one price list; None there: the base.

    Its own aggregate, so that a change of price and a change of the product do not collide.

    amount_minor, tiers, regular_minor, lowest_30d_minor: what its entries came to at `updated_at`,
    and what is asked until `changes_at`. From then on only the entries tell, until the price is
    brought up to date. amount_minor is of one piece, None where there is no price;
    regular_minor and lowest_30d_minor are set while a reduction is announced.
    reduced_since: when the sale began that is on; set also where there is nothing to announce.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # The unique index begins with it.
    variant = models.ForeignKey(
        Variant, on_delete=models.PROTECT, related_name="price_rows", db_index=False
    )
    sku = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    price_list = models.ForeignKey(
        PriceList, null=True, on_delete=models.PROTECT, related_name="price_rows"
    )
    list_code = models.CharField(max_length=40, blank=True)
    amount_minor = models.BigIntegerField(null=True)
    tiers = ArrayField(models.BigIntegerField(), default=list)
    regular_minor = models.BigIntegerField(null=True)
    lowest_30d_minor = models.BigIntegerField(null=True)
    reduced_since = models.DateTimeField(null=True)
    changes_at = models.DateTimeField(null=True)
    entries_recorded = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField()

    entries = Owned("entry_rows")

    # Whether what is asked has turned since the price was loaded.
    turned = False

    objects = PriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "currency", "price_list"],
                nulls_distinct=False,
                name="products_price_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(amount_minor__gte=0), name="products_price_not_negative"
            ),
        ]
        indexes = [
            models.Index(
                fields=["changes_at", "id"],
                condition=models.Q(changes_at__isnull=False),
                name="products_price_due",
            ),
        ]

    def __str__(self) -> str:
        where = f" in {self.list_code}" if self.list_code else ""
        return f"{self.sku}{where}: {self.money or 'no price'}"

    # Factories

    @classmethod
    def empty(
        cls,
        *,
        variant_id: UUID,
        sku: str,
        currency: str,
        price_list: PriceList | None = None,
        now: datetime,
    ) -> Self:
        """A price that nothing was set for yet."""
        return cls(
            variant_id=variant_id,
            sku=sku,
            currency=currency,
            price_list_id=None if price_list is None else price_list.id,
            list_code="" if price_list is None else price_list.code,
            updated_at=now,
        )

    @classmethod
    def first(
        cls, *, variant_id: UUID, sku: str, money: Money, actor_id: UUID | None, now: datetime
    ) -> Self:
        """The base price of a variant, from now on. Raises NegativePrice, PriceTooLarge."""
        price = cls.empty(variant_id=variant_id, sku=sku, currency=money.currency, now=now)
        price.set(amount_minor=money.amount_minor, actor_id=actor_id, now=now)
        return price

    # Commands. Called on a locked price: they look at its entries.

    def set(
        self,
        *,
        amount_minor: int,
        kind: str = rules.Kind.REGULAR,
        min_quantity: int = 1,
        from_at: datetime | None = None,
        until_at: datetime | None = None,
        actor_id: UUID | None,
        now: datetime,
    ) -> None:
        """Ask this amount from now or from `from_at` on; what is set already is left alone.

        Raises NegativePrice, PriceTooLarge, InvalidQuantity, InvalidValidity for a window that is
        empty or begins in the past, TooManyPrices.
        """
        if amount_minor < 0:
            raise NegativePrice(f"{Money(amount_minor, self.currency)} is no price.")
        if amount_minor > MAX_AMOUNT_MINOR:
            most = Money(MAX_AMOUNT_MINOR, self.currency)
            raise PriceTooLarge(f"The price of {self.sku} can be {most} at most.")
        if min_quantity < 1:
            raise InvalidQuantity("A price holds from a quantity of one, or of more.")
        at = self._own_instant(now)
        slot = (rules.Kind(kind).value, min_quantity)
        if self._has_set(slot, amount_minor, from_at, until_at, at):
            return
        if from_at is not None and from_at < now:
            raise InvalidValidity("A price cannot begin in the past.")
        begins = at if from_at is None else max(from_at, at)
        refuse_empty_window(begins, until_at)
        if sum(1 for entry in self.entries if entry.is_live(at)) >= MAX_LIVE_ENTRIES:
            raise TooManyPrices(f"{self.sku} has {MAX_LIVE_ENTRIES} prices already.")
        self.entries_recorded += 1
        self.entries.append(
            PriceEntry(
                price_id=self.id,
                number=self.entries_recorded,
                kind=slot[0],
                min_quantity=min_quantity,
                amount_minor=amount_minor,
                from_at=begins,
                until_at=until_at,
                recorded_at=at,
                actor_id=actor_id,
            )
        )
        self._turn_to(at)

    def cancel(self, *, entry_id: UUID, actor_id: UUID | None, now: datetime) -> None:
        """Take an entry back: one that is scheduled never comes, one in force ends now.

        Raises EntryEnded for one that is over.
        """
        at = self._own_instant(now)
        entry = next((entry for entry in self.entries if entry.id == entry_id), None)
        if entry is None or not entry.is_live(at):
            raise EntryEnded(f"That price of {self.sku} is over.")
        entry.end(PriceEntry.Ending.CANCELLED, at=at, actor_id=actor_id)
        self._turn_to(at)

    def withdraw(self, *, actor_id: UUID | None, now: datetime) -> None:
        """Ask for nothing any more: everything that is in force or scheduled ends now."""
        at = self._own_instant(now)
        for entry in self.entries:
            if entry.is_live(at):
                entry.end(PriceEntry.Ending.WITHDRAWN, at=at, actor_id=actor_id)
        self._turn_to(at)

    def advance(self, *, now: datetime) -> None:
        """Bring it up to date, turn by turn, each with its fact at its own instant."""
        while self.changes_at is not None and self.changes_at <= now:
            self._turn_to(self.changes_at)

    def _own_instant(self, now: datetime) -> datetime:
        """When a command acts: now, but after all that has happened. So whoever got the lock last
        has the last word, also when clocks differ, and no turn hides another one."""
        at = now
        self.advance(now=at)
        while self.entries_recorded and at <= self.updated_at:
            at = self.updated_at + timedelta(microseconds=1)
            self.advance(now=at)
        return at

    def _turn_to(self, at: datetime) -> None:
        facts = self.facts
        by_number = {entry.number: entry for entry in self.entries}
        for fact, ended_at in rules.superseded(facts, at):
            by_number[fact.number].end(PriceEntry.Ending.SUPERSEDED, at=ended_at, actor_id=None)
        before = self.snapshot
        after = rules.snapshot_at(self.facts, at)
        reduction = after.reduction
        announced = reduction is not None and reduction.lowest_30d_minor is not None
        self.amount_minor = after.amount_minor
        self.tiers = [number for t in after.tiers for number in (t.min_quantity, t.amount_minor)]
        self.regular_minor = reduction.regular_minor if reduction and announced else None
        self.lowest_30d_minor = reduction.lowest_30d_minor if reduction and announced else None
        self.reduced_since = None if reduction is None else reduction.since
        self.changes_at = after.changes_at
        self.updated_at = at
        self._tell(before, at)

    def _tell(self, before: rules.Snapshot, at: datetime) -> None:
        after = self.snapshot
        if _shown(before) == _shown(after):
            return
        self.turned = True
        told: dict[str, Any] = {
            "price_id": self.id,
            "variant_id": self.variant_id,
            "sku": self.sku,
            "currency": self.currency,
            "previous_amount_minor": before.amount_minor,
            "price_list": self.list_code or None,
            "tiers": tuple(
                PricesFromQuantity(min_quantity=t.min_quantity, amount_minor=t.amount_minor)
                for t in after.tiers
            ),
            "occurred_at": at,
        }
        if after.amount_minor is None:
            self.record(PriceWithdrawn(**told))
        else:
            self.record(
                PriceChanged(
                    amount_minor=after.amount_minor,
                    regular_amount_minor=self.regular_minor,
                    lowest_30d_amount_minor=self.lowest_30d_minor,
                    **told,
                )
            )

    def _has_set(
        self,
        slot: tuple[str, int],
        amount_minor: int,
        from_at: datetime | None,
        until_at: datetime | None,
        at: datetime,
    ) -> bool:
        """Whether the entry that would have to give way says the same: that which counts when the
        new one would begin. So what is said again changes nothing, by a command or in a file."""
        facts = [entry.fact for entry in self.entries if entry.is_live(at)]
        known = rules.latest(facts, at if from_at is None else from_at).get(slot)
        return (
            known is not None
            and known.amount_minor == amount_minor
            and known.until_at == until_at
            and known.ended_at is None
        )

    # Questions

    @property
    def money(self) -> Money | None:
        """What one piece cost when the price was brought up to date last."""
        return None if self.amount_minor is None else Money(self.amount_minor, self.currency)

    @property
    def unreduced(self) -> Money | None:
        """The same, but where a reduction is announced, what it is announced from."""
        if self.regular_minor is not None:
            return Money(self.regular_minor, self.currency)
        return self.money

    @property
    def snapshot(self) -> rules.Snapshot:
        return rules.snapshot_of(
            amount_minor=self.amount_minor,
            tiers=self.tiers,
            regular_minor=self.regular_minor,
            lowest_30d_minor=self.lowest_30d_minor,
            reduced_since=self.reduced_since,
            changes_at=self.changes_at,
        )

    @property
    def facts(self) -> list[rules.Entry]:
        return [entry.fact for entry in self.entries]

    @property
    def key(self) -> PriceKey:
        return self.variant_id, self.currency, self.price_list_id


def _shown(snapshot: rules.Snapshot) -> tuple[Any, ...]:
    """What a buyer sees of a price."""
    reduction = snapshot.reduction
    prior = None if reduction is None else (reduction.regular_minor, reduction.lowest_30d_minor)
    return snapshot.amount_minor, snapshot.tiers, prior
