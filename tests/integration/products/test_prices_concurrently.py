"""Prices under many writers: nothing is lost, nothing is told twice."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import msgspec
import pytest
from django.db import connections

from domains.products import tasks
from domains.products.models import Price, PriceEntry
from domains.products.models.listing import Listing
from domains.products.services import prices as services
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.database.threads import in_threads
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


def told(price: Price) -> list[dict[str, Any]]:
    rows = OutboxMessage.objects.using(alias_of("products")).filter(key=str(price.id))
    messages = list(rows.order_by("sequence"))
    assert [m.sequence for m in messages] == list(range(1, price.events_recorded + 1))
    return [msgspec.json.decode(m.payload) for m in messages]


def require_one_story(price: Price) -> None:
    """Each fact begins where the one before it ended, and the last is what is asked now."""
    facts = told(price)
    amounts = [fact.get("amount_minor") for fact in facts]
    assert [fact["previous_amount_minor"] for fact in facts] == [None, *amounts[:-1]]
    assert amounts[-1] == price.amount_minor


def test_setters_of_one_price_all_leave_their_entry(now: datetime) -> None:
    products.product(now=now - DAY, sku="A", price_minor=1000)

    def change(number: int) -> None:
        if number % 4 == 0:
            begin = now + number * DAY
            services.set_price(
                sku="A", money=Money(number, "GBP"), valid_from=begin, actor_id=None, now=now
            )
        else:
            services.set_price(sku="A", money=Money(number, "GBP"), actor_id=None, now=now)

    in_threads(change, range(1, 41), threads=8)
    price = Price.objects.get()
    amounts = set(PriceEntry.objects.values_list("amount_minor", flat=True))
    assert amounts == {1000, *range(1, 41)}
    assert list(PriceEntry.objects.order_by("number").values_list("number", flat=True)) == list(
        range(1, 42)
    )
    assert price.version == 41
    require_one_story(price)


def test_batches_over_the_same_prices_do_not_wait_in_a_circle(now: datetime) -> None:
    skus = [f"S{n}" for n in range(20)]
    products.stocked(dict.fromkeys(skus, 0), now=now - DAY)

    def change(number: int) -> None:
        order = skus if number % 2 else skus[::-1]
        new = [
            services.NewPrice(sku=sku, money=Money(number, currency))
            for sku in order
            for currency in ("GBP", "EUR")
        ]
        services.set_prices(prices=new, actor_id=None, now=now)

    in_threads(change, range(1, 17), threads=8)
    entries = Counter(PriceEntry.objects.values_list("price__sku", "price__currency"))
    assert entries == {(s, c): 17 if c == "GBP" else 16 for s in skus for c in ("GBP", "EUR")}
    for price in Price.objects.all():
        require_one_story(price)


def test_two_workers_tell_of_every_turn_once_while_prices_are_set(now: datetime) -> None:
    skus = [f"S{n}" for n in range(60)]
    products.stocked(dict.fromkeys(skus, 0), now=now - DAY)
    services.set_prices(
        prices=[
            services.NewPrice(
                sku=sku,
                money=Money(800, "GBP"),
                kind="sale",
                valid_from=now + DAY,
                valid_until=now + 2 * DAY,
            )
            for sku in skus
        ],
        actor_id=None,
        now=now,
    )
    turned: list[int] = []

    def work(job: str) -> None:
        if job == "worker":
            while count := services.turn_due_prices(now=now + DAY, at_most=7):
                turned.append(count)
        else:
            services.set_price(sku=job, money=Money(900, "GBP"), actor_id=None, now=now + DAY)

    in_threads(work, ["worker", *skus[:10], "worker", *skus[10:20], "worker"], threads=5)
    services.turn_due_prices(now=now + DAY)
    assert sum(turned) <= len(skus)
    for price in Price.objects.all():
        turns = [(f["amount_minor"], f["regular_amount_minor"]) for f in told(price)]
        again = [(800, 900)] if price.sku in skus[:20] else []
        assert turns == [(1000, None), (800, 1000), *again]
        assert (price.amount_minor, price.changes_at) == (800, now + 2 * DAY)
        require_one_story(price)


def test_only_one_turns_due_prices_at_a_time(now: datetime) -> None:
    for sku in ("A", "B"):
        products.product(now=now - DAY, sku=sku, name=f"Bell {sku}", price_minor=1000)
        services.set_price(
            sku=sku, money=Money(800, "GBP"), valid_from=now + DAY, actor_id=None, now=now
        )
    held, done = threading.Event(), threading.Event()

    def turn_one() -> int:
        try:
            with atomic("products"):
                turned = services.turn_due_prices(now=now + DAY, at_most=1)
                held.set()
                assert done.wait(60)
                return turned
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(turn_one)
        try:
            assert held.wait(60)
            assert services.turn_due_prices(now=now + DAY) == 0
        finally:
            done.set()
        assert first.result() == 1
    assert services.turn_due_prices(now=now + DAY) == 1
    assert services.turn_due_prices(now=now + DAY) == 0


def test_the_job_of_due_prices_leaves_its_worker_to_others_after_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([0.0, 0.0, 59.0, 60.0])
    monkeypatch.setattr(tasks, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    batches = Mock(return_value=services.BATCH)
    monkeypatch.setattr(services, "turn_due_prices", batches)
    tasks.turn_due_prices()
    assert batches.call_count == 2


def test_a_worker_passes_by_what_somebody_has_in_hand(now: datetime) -> None:
    for sku in ("A", "B"):
        products.product(now=now - DAY, sku=sku, name=f"Bell {sku}", price_minor=1000)
        services.set_price(
            sku=sku, money=Money(800, "GBP"), valid_from=now + DAY, actor_id=None, now=now
        )
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with atomic("products"):
                Price.objects.locked_by_id([Price.objects.get(sku="A").id], now=now)
                held.set()
                assert done.wait(60)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as pool:
        holder = pool.submit(hold)
        try:
            assert held.wait(60)
            assert services.turn_due_prices(now=now + DAY) == 1
        finally:
            done.set()
        holder.result()
    assert Price.objects.get(sku="A").amount_minor == 1000
    assert services.turn_due_prices(now=now + DAY) == 1


def test_a_worker_that_dies_leaves_everything_due(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    products.product(now=now - DAY, sku="A", price_minor=1000)
    services.set_price(
        sku="A", money=Money(800, "GBP"), valid_from=now + DAY, actor_id=None, now=now
    )

    class Killed(BaseException):
        pass

    def die(product_ids: list[UUID]) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Listing.objects, "refresh", die)
        with pytest.raises(Killed):
            services.turn_due_prices(now=now + DAY)
    price = Price.objects.get()
    assert (price.amount_minor, price.changes_at, len(told(price))) == (1000, now + DAY, 1)
    assert services.turn_due_prices(now=now + DAY) == 1
    require_one_story(Price.objects.get())
