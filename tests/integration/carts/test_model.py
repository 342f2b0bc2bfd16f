"""Random commands on carts, against a model in memory: the store does what the model does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.conf import settings as django
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from domains.carts import errors
from domains.carts.models import CartStatus, Once, connection, store
from domains.carts.rules import limits
from domains.carts.services import checkout, merging
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.outbox import streams
from tests.support.carts import add, forget_all, put
from tests.support.valkey import own_valkey

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SKUS = st.sampled_from(["A", "B", "C", "a:b", "line:A"])
QUANTITIES = st.sampled_from([1, 2, 7, limits.MAX_QUANTITY])
NOTES = st.sampled_from([None, "", "red", "7 7 seven"])
COUPONS = st.sampled_from([(), ("TEN",), ("SPRING", "TEN")])
CUSTOMERS = st.integers(0, 1)

GONE = {"DELETED": errors.CartNotFound, "MERGED": errors.CartNotFound}
CLOSED = GONE | {"CHECKED_OUT": errors.CartCheckedOut}
BUSY = CLOSED | {"FROZEN": errors.CartFrozen}


@dataclass
class Model:
    """What a cart should be."""

    owner: UUID | None
    state: str = "OPEN"
    version: int = 1
    lines: dict[str, tuple[int, str]] = field(default_factory=dict)
    note: str = ""
    coupons: tuple[str, ...] = ()
    order_id: UUID | None = None
    once: dict[str, str] = field(default_factory=dict)
    events: int = 1

    def change(
        self,
        lines: dict[str, tuple[int, str]],
        note: str | None = None,
        coupons: tuple[str, ...] | None = None,
    ) -> None:
        """A note or coupons of None leave the cart's as they are."""
        note = self.note if note is None else note
        coupons = self.coupons if coupons is None else coupons
        before = (list(self.lines.items()), self.note, self.coupons)
        if (list(lines.items()), note, coupons) != before:
            self.lines, self.note, self.coupons = lines, note, coupons
            self.version += 1
            self.events += 1

    def end(self, state: str) -> None:
        self.state, self.lines = state, {}
        self.version += 1
        self.events += 1


class Carts(RuleBasedStateMachine):
    carts = Bundle("carts")

    def __init__(self) -> None:
        super().__init__()
        self.customers = [uuid4(), uuid4()]
        self.models: dict[UUID, Model] = {}
        self.current: dict[UUID, UUID] = {}
        # Carts that were asked for something since they were last compared.
        self.touched: set[UUID] = set()

    def expect(self, cart_id: UUID, refusals: dict[str, type[Exception]], act: Any) -> Any:
        """What `act` returns; None where it has to be refused, and is."""
        self.touched.add(cart_id)
        refusal = refusals.get(self.models[cart_id].state)
        if refusal is None:
            return act()
        with pytest.raises(refusal):
            act()
        return None

    @rule(target=carts, number=st.none() | CUSTOMERS)
    def create(self, number: int | None) -> Any:
        owner = None if number is None else self.customers[number]
        made = store().create(owner=owner, currency="GBP", channel=None, once=None, now=NOW)
        known = self.models.get(self.current[owner]) if owner in self.current else None
        if known is not None and known.state == "OPEN":
            assert (made.is_new, made.cart.id) == (False, self.current[owner])  # type: ignore[index]
            return multiple()
        assert made.is_new
        self.models[made.cart.id] = Model(owner)
        self.touched.add(made.cart.id)
        if owner is not None:
            self.current[owner] = made.cart.id
        return made.cart.id

    @rule(
        cart_id=carts,
        changes=st.lists(st.tuples(st.booleans(), SKUS, QUANTITIES, NOTES), max_size=4),
        note=st.sampled_from([None, "", "ring"]),
        stale=st.sampled_from([None, 0, 1]),
    )
    def change(
        self, cart_id: UUID, changes: list[Any], note: str | None, stale: int | None
    ) -> None:
        model = self.models[cart_id]
        lines, too_many = dict(model.lines), False
        for adds, sku, quantity, line_note in changes:
            had, old_note = lines.get(sku, (0, ""))
            wanted = had + quantity if adds else quantity
            too_many |= wanted > limits.MAX_QUANTITY
            lines[sku] = (wanted, old_note if line_note is None else line_note)
        refusals = dict(BUSY)
        if stale:
            refusals["OPEN"] = errors.CartChanged
        elif too_many:
            refusals["OPEN"] = errors.QuantityTooLarge
        made = self.expect(
            cart_id,
            refusals,
            lambda: store().change(
                cart_id=cart_id,
                owner=model.owner,
                changes=[(add if adds else put)(s, q, n) for adds, s, q, n in changes],
                fields={} if note is None else {"note": note},
                version=None if stale is None else model.version - stale,
                now=NOW,
            ),
        )
        if made is not None:
            model.change(lines, note)
            assert made.cart.version == model.version

    @rule(cart_id=carts, sku=SKUS)
    def take_out(self, cart_id: UUID, sku: str) -> None:
        model = self.models[cart_id]
        made = self.expect(
            cart_id,
            BUSY,
            lambda: store().change(
                cart_id=cart_id, owner=model.owner, changes=[put(sku, 0)], now=NOW
            ),
        )
        if made is not None:
            model.change({s: line for s, line in model.lines.items() if s != sku})

    @rule(cart_id=carts, lists=st.lists(COUPONS, min_size=1, max_size=2))
    def choose_coupons(self, cart_id: UUID, lists: list[tuple[str, ...]]) -> None:
        """One list after the other, also none after some."""
        model = self.models[cart_id]
        for coupons in lists:
            text = msgspec.json.encode(coupons).decode() if coupons else ""
            made = self.expect(
                cart_id,
                BUSY,
                partial(
                    store().change,
                    cart_id=cart_id,
                    owner=model.owner,
                    fields={"coupons": text},
                    now=NOW,
                ),
            )
            if made is not None:
                model.change(model.lines, coupons=coupons)

    @rule(cart_id=carts, key=st.sampled_from("kl"), sku=st.sampled_from("AB"))
    def add_once(self, cart_id: UUID, key: str, sku: str) -> None:
        model = self.models[cart_id]
        had, note = model.lines.get(sku, (0, ""))
        known = model.once.get(key)
        refusals = dict(BUSY)
        if known is None and had + 1 > limits.MAX_QUANTITY:
            refusals["OPEN"] = errors.QuantityTooLarge
        if known not in (None, sku):
            refusals["OPEN"] = IdempotencyKeyReused  # type: ignore[assignment]
        made = self.expect(
            cart_id,
            refusals,  # type: ignore[arg-type]
            lambda: store().change(
                cart_id=cart_id,
                owner=model.owner,
                changes=[add(sku)],
                once=Once(f"{key}{cart_id}", sku),
                now=NOW,
            ),
        )
        if made is not None:
            assert made.replayed == (known is not None)
            if known is None:
                model.once[key] = sku
                model.change(model.lines | {sku: (had + 1, note)})

    @rule(cart_id=carts)
    def delete(self, cart_id: UUID) -> None:
        model = self.models[cart_id]

        def act() -> bool:
            store().delete(cart_id=cart_id, owner=model.owner, version=None, now=NOW)
            return True

        # Deleting what is deleted is no fault.
        refusals = {state: error for state, error in BUSY.items() if state != "DELETED"}
        if self.expect(cart_id, refusals, act) and model.state == "OPEN":
            model.end("DELETED")

    @rule(cart_id=carts)
    def freeze(self, cart_id: UUID) -> None:
        model, order_id = self.models[cart_id], uuid4()
        refusals = dict(CLOSED)
        if not model.lines:
            refusals["OPEN"] = errors.CartEmpty
        frozen = self.expect(
            cart_id,
            refusals,
            lambda: store().freeze(
                cart_id=cart_id, order_id=order_id, owner=model.owner, version=None, now=NOW
            ),
        )
        if frozen is not None:
            if model.state == "OPEN":
                model.state, model.order_id = "FROZEN", order_id
            assert frozen.order_id == model.order_id

    @rule(cart_id=carts, right=st.booleans())
    def close(self, cart_id: UUID, right: bool) -> None:
        model = self.models[cart_id]
        self.touched.add(cart_id)
        order_id = model.order_id if right and model.order_id else uuid4()
        closed = store().close(cart_id=cart_id, order_id=order_id, now=NOW)
        ours = order_id == model.order_id
        assert closed == (ours and model.state in ("FROZEN", "CHECKED_OUT"))
        if closed and model.state == "FROZEN":
            model.end("CHECKED_OUT")

    @rule(cart_id=carts, right=st.booleans())
    def reopen(self, cart_id: UUID, right: bool) -> None:
        model = self.models[cart_id]
        self.touched.add(cart_id)
        order_id = model.order_id if right and model.order_id else uuid4()
        reopened = checkout.reopen(cart_id=cart_id, order_id=order_id, now=NOW)
        assert reopened == (order_id == model.order_id and model.state == "FROZEN")
        if reopened:
            model.state, model.order_id = "OPEN", None
            if model.owner is not None:
                self.give_back(cart_id, model.owner)

    def give_back(self, cart_id: UUID, owner: UUID) -> None:
        """A customer's cart is current, or goes into the one that is and is open."""
        current = self.current[owner]
        if current != cart_id and self.models[current].state == "OPEN":
            self.put_into(current, self.models[cart_id])
        else:
            self.current[owner] = cart_id

    def put_into(self, target_id: UUID, source: Model) -> None:
        self.touched.add(target_id)
        target = self.models[target_id]
        lines = dict(target.lines)
        for sku, (quantity, note) in source.lines.items():
            had, own_note = lines.get(sku, (0, ""))
            lines[sku] = (min(had + quantity, limits.MAX_QUANTITY), joined(own_note, note))
        coupons = tuple(dict.fromkeys([*target.coupons, *source.coupons]))
        target.change(lines, joined(target.note, source.note), coupons)
        source.end("MERGED")

    @rule(cart_id=carts, number=CUSTOMERS, target=carts)
    def merge(self, cart_id: UUID, number: int) -> Any:
        customer_id = self.customers[number]
        source = self.models[cart_id]
        refusals = dict(BUSY)
        if source.state == "MERGED":
            return multiple()  # what comes back depends on who merged it: tested elsewhere
        if source.owner is not None:
            mine = source.owner == customer_id
            refusals["OPEN"] = errors.CartNotMergeable if mine else errors.CartNotFound
            if not mine:
                refusals = dict.fromkeys([*refusals, "OPEN"], errors.CartNotFound)
        merged = self.expect(
            cart_id,
            refusals,
            lambda: merging.merge(source_id=cart_id, customer_id=customer_id, now=NOW),
        )
        if merged is None:
            return multiple()
        is_new = merged.id not in self.models
        self.models.setdefault(merged.id, Model(customer_id))
        self.current[customer_id] = merged.id
        self.put_into(merged.id, source)
        return merged.id if is_new else multiple()

    @rule(cart_id=consumes(carts))
    def forget(self, cart_id: UUID) -> None:
        """It is still compared, and not chosen any more."""

    @invariant()
    def agrees(self) -> None:
        for cart_id in self.touched:
            self.compare(cart_id)
        self.touched.clear()

    @invariant()
    def a_customer_has_one_open_cart_and_that_is_current(self) -> None:
        for owner in self.customers:
            open_carts = [
                cart_id
                for cart_id, model in self.models.items()
                if (model.owner, model.state) == (owner, "OPEN")
            ]
            if open_carts:
                assert open_carts == [store().current(owner=owner, now=NOW).id]

    def compare(self, cart_id: UUID) -> None:
        model = self.models[cart_id]
        if model.state in CLOSED:
            with pytest.raises(CLOSED[model.state]):
                store().read(cart_id=cart_id, owner=model.owner, now=NOW)
            return
        cart = store().read(cart_id=cart_id, owner=model.owner, now=NOW)
        found = {line.sku: (line.quantity, line.note) for line in cart.lines}
        assert list(found.items()) == list(model.lines.items())
        assert (cart.version, cart.note) == (model.version, model.note)
        assert cart.coupons == model.coupons
        assert cart.status == CartStatus(model.state)

    def teardown(self) -> None:
        """In the end all are compared: what nobody asked for has not changed."""
        try:
            self.compare_all()
        finally:
            forget_all()

    def compare_all(self) -> None:
        events = defaultdict(list)
        for entry in streams.waiting(django.STREAM_OUTBOXES):
            events[entry.key].append(entry.sequence)
        frozen = set()
        for cart_id, model in self.models.items():
            self.compare(cart_id)
            assert events[str(cart_id)] == list(range(1, model.events + 1))
            if model.state == "FROZEN":
                frozen.add((cart_id, model.order_id))
        later = NOW + timedelta(seconds=1)
        assert set(store().frozen_since(before=later, at_most=1000)) == frozen
        assert store().merging_since(before=later, at_most=1000) == []


def joined(own: str, theirs: str) -> str:
    if not own or not theirs or theirs in own.split("\n"):
        return own or theirs
    return f"{own}\n{theirs}"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, settings: Any) -> Iterator[None]:
    """A server that nobody else uses: lists of all carts are compared, too."""
    with own_valkey(tmp_path, ()) as server:
        settings.REDIS_CARTS_URL = server.url
        settings.STREAM_OUTBOXES = {"c": {"url": server.url, "replicas": 0}}
        connection.scripts.cache_clear()
        store.cache_clear()
        yield
    connection.scripts.cache_clear()
    store.cache_clear()


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Carts,
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_store_does_what_its_model_does() -> None:
    run(20, 20)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_store_does_what_its_model_does_a_thousand_times() -> None:
    run(1000, 20)
