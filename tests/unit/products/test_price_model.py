"""A price in memory: its snapshot is what its entries say, whatever was done to it and whenever,
also when commands see only the entries that may still matter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domains.products.errors import EntryEnded
from domains.products.events import PriceChanged, PriceWithdrawn
from domains.products.models import Price, PriceEntry
from domains.products.rules import prices as rules
from infrastructure.ids import new_id

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)

Command = Callable[[Price, datetime], None]


def set_price(
    amount: int, kind: str, quantity: int, begins: int | None, lasts: int | None
) -> Command:
    def command(price: Price, now: datetime) -> None:
        from_at = None if begins is None else now + begins * DAY
        until_at = None if lasts is None else (from_at or now) + lasts * DAY
        price.set(
            amount_minor=amount,
            kind=kind,
            min_quantity=quantity,
            from_at=from_at,
            until_at=until_at,
            actor_id=None,
            now=now,
        )

    return command


def cancel(which: int) -> Command:
    """One of those that are in force or scheduled, if there is any."""

    def command(price: Price, now: datetime) -> None:
        live = [entry for entry in price.entries if entry.is_live(now)]
        if live:
            # It may be superseded by what came into force since the price was brought up to date.
            with suppress(EntryEnded):
                price.cancel(entry_id=live[which % len(live)].id, actor_id=None, now=now)

    return command


def withdraw(price: Price, now: datetime) -> None:
    price.withdraw(actor_id=None, now=now)


def turn(price: Price, now: datetime) -> None:
    price.advance(now=now)


commands = st.one_of(
    st.builds(
        set_price,
        st.integers(0, 20),
        st.sampled_from([rules.Kind.SALE, rules.Kind.SALE, rules.Kind.REGULAR]),
        st.sampled_from([1, 1, 1, 10]),
        st.none() | st.integers(0, 50),
        st.none() | st.integers(1, 50),
    ),
    st.builds(cancel, st.integers(0, 9)),
    st.just(turn),
    st.just(withdraw),
)
# Sales of something that has a regular price above most of them.
histories = st.lists(st.tuples(st.integers(0, 25), commands), min_size=1, max_size=12).map(
    lambda history: [(0, set_price(18, rules.Kind.REGULAR, 1, None, None)), *history]
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
        assert as_seen(price.snapshot) == as_seen(rules.snapshot_at(price.facts, now))


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
