"""A price in memory: its snapshot is what its entries say, whatever was done to it and whenever,
also when commands see only the entries that may still matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domains.products.events import PriceChanged, PriceWithdrawn
from domains.products.models import Price, PriceEntry
from domains.products.rules import prices as rules
from infrastructure.ids import new_id

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
# Commands of one instant follow each other by a microsecond.
SOON = timedelta(seconds=1)

Command = Callable[[Price, datetime], None]


@dataclass(frozen=True)
class Set:
    """begins and lasts: in days from now; None for now and for good."""

    amount: int
    kind: str
    quantity: int = 1
    begins: int | None = None
    lasts: int | None = None

    def __call__(self, price: Price, now: datetime) -> None:
        from_at = None if self.begins is None else now + self.begins * DAY
        price.set(
            amount_minor=self.amount,
            kind=self.kind,
            min_quantity=self.quantity,
            from_at=from_at,
            until_at=None if self.lasts is None else (from_at or now) + self.lasts * DAY,
            actor_id=None,
            now=now,
        )


@dataclass(frozen=True)
class Cancel:
    """One of those that are in force or scheduled, if there is any."""

    which: int

    def __call__(self, price: Price, now: datetime) -> None:
        price.advance(now=now)
        live = [entry for entry in price.entries if entry.is_live(now + SOON)]
        if live:
            entry = live[self.which % len(live)]
            price.cancel(entry_id=entry.id, actor_id=None, now=now)


def withdraw(price: Price, now: datetime) -> None:
    price.withdraw(actor_id=None, now=now)


def turn(price: Price, now: datetime) -> None:
    price.advance(now=now)


commands = st.one_of(
    st.builds(
        Set,
        st.integers(0, 20),
        st.sampled_from([rules.Kind.SALE, rules.Kind.SALE, rules.Kind.REGULAR]),
        st.sampled_from([1, 1, 1, 10]),
        st.none() | st.integers(0, 50),
        st.none() | st.integers(1, 50),
    ),
    st.builds(Cancel, st.integers(0, 9)),
    st.just(turn),
    st.just(withdraw),
)
# Sales of something that has a regular price above most of them.
histories = st.lists(st.tuples(st.integers(0, 25), commands), min_size=1, max_size=12).map(
    lambda history: [(0, Set(18, rules.Kind.REGULAR)), *history]
)


def new_price() -> Price:
    return Price.empty(variant_id=new_id(), sku="A", currency="GBP", now=START)


def as_seen(snapshot: rules.Snapshot) -> tuple[Any, ...]:
    """What a buyer sees of it."""
    told = snapshot.reduction
    if told is not None and told.lowest_30d_minor is None:
        told = None
    return (
        snapshot.amount_minor,
        snapshot.tiers,
        told and replace(told, since=None),
        snapshot.changes_at,
    )


def facts(price: Price) -> list[tuple[Any, ...]]:
    return [
        (
            type(event),
            event.occurred_at,
            getattr(event, "amount_minor", None),
            event.previous_amount_minor,
            getattr(event, "lowest_30d_amount_minor", None),
        )
        for event in price.__dict__.get("_events", ())
    ]


def forget_what_is_long_over(price: Price, now: datetime) -> None:
    """As the statements that read the entries do."""
    turned = price.reduced_since or min(price.changes_at or now, now)
    oldest = turned - rules.PRIOR_PERIOD

    def matters(entry: PriceEntry) -> bool:
        return (entry.ended_at is None or entry.ended_at > oldest) and (
            entry.until_at is None or entry.until_at > oldest
        )

    price.entries = [entry for entry in price.entries if matters(entry)]


@given(histories)
def test_the_snapshot_is_what_the_entries_say(history: list[tuple[int, Command]]) -> None:
    price, now = new_price(), START
    for days, command in history:
        now += days * DAY
        command(price, now)
        price.advance(now=now)
        at = max(now, price.updated_at)
        assert as_seen(price.snapshot) == as_seen(rules.snapshot_at(price.facts, at))


@given(histories)
@settings(max_examples=200)
def test_entries_that_are_not_read_any_more_would_have_changed_nothing(
    history: list[tuple[int, Command]],
) -> None:
    whole, seen, now = new_price(), new_price(), START
    for days, command in history:
        now += days * DAY
        forget_what_is_long_over(seen, now)
        command(whole, now)
        command(seen, now)
        assert as_seen(seen.snapshot) == as_seen(whole.snapshot)
        assert facts(seen) == facts(whole)


@given(histories)
def test_the_job_makes_no_difference_but_that_facts_come_earlier(
    history: list[tuple[int, Command]],
) -> None:
    alone, helped, now = new_price(), new_price(), START
    for days, command in history:
        for _ in range(days):
            now += DAY
            helped.advance(now=now)
        command(alone, now)
        command(helped, now)
    alone.advance(now=now)
    helped.advance(now=now)
    assert facts(helped) == facts(alone)
    assert as_seen(helped.snapshot) == as_seen(alone.snapshot)


@given(histories)
def test_facts_tell_one_story_in_the_order_of_time(history: list[tuple[int, Command]]) -> None:
    price, now = new_price(), START
    for days, command in history:
        now += days * DAY
        command(price, now)
    told = facts(price)
    assert [at for _, at, *_ in told] == sorted(at for _, at, *_ in told)
    amounts = [amount for _, _, amount, *_ in told]
    assert [previous for *_, previous, _ in told] == [None, *amounts[:-1]][: len(told)]
    assert all(
        kind is (PriceWithdrawn if amount is None else PriceChanged) for kind, _, amount, *_ in told
    )
    assert price.amount_minor == (amounts[-1] if amounts else None)
