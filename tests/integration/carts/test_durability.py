"""What the store promises when its server is killed, replicated, clustered or away."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from domains.carts import errors
from domains.carts.models import CartStore, Once, connection
from domains.carts.models.connection import Scripts
from domains.carts.models.store import Made
from domains.carts.services import merging
from tests.support.carts import add, entries_of, guest_cart, put, quantities
from tests.support.messaging import ROOT
from tests.support.valkey import DURABLE, OwnValkey, own_valkey
from tests.support.waiting import until


@pytest.fixture
def valkey(tmp_path):
    with own_valkey(tmp_path / "valkey") as server:
        yield server


def store_on(server: OwnValkey, *, replicas: int = 0) -> CartStore:
    return CartStore(Scripts(server.url, replicas=replicas, timeout_s=2))


def test_what_was_acknowledged_before_a_kill_is_there_after_it(valkey, now):
    carts = store_on(valkey)
    cart = guest_cart(now, carts=carts)
    command = [sys.executable, "-m", "tests.support.carts_process"]
    process = subprocess.Popen(
        [*command, valkey.url, str(cart.id), "1000000"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(300):
        process.stdout.readline()
    valkey.kill()
    told, _ = process.communicate()
    acknowledged = int(told.split()[-1]) if told else 299
    valkey.start()

    found = carts.read(cart_id=cart.id, owner=None, now=now)
    # The last one may have been carried out without an answer.
    assert quantities(found)["A"] in (acknowledged, acknowledged + 1)
    assert found.version == quantities(found)["A"] + 1
    with valkey.client as client:
        numbers = [entry.sequence for entry in entries_of(cart.id, client)]
    assert numbers == list(range(1, found.version + 1))


def test_a_server_that_is_away_is_told_and_found_again(valkey, now):
    carts = store_on(valkey)
    cart = guest_cart(now, carts=carts)
    valkey.kill()
    for attempt in (
        lambda: carts.read(cart_id=cart.id, owner=None, now=now),
        lambda: carts.change(cart_id=cart.id, owner=None, changes=[add("A")], now=now),
        lambda: carts.current(owner=uuid4(), now=now),
        lambda: carts.frozen_since(before=now, at_most=1),
    ):
        with pytest.raises(errors.CartsUnavailable) as refused:
            attempt()
        assert refused.value.headers == {"Retry-After": "1"}
    valkey.start()
    changed = carts.change(cart_id=cart.id, owner=None, changes=[add("A")], now=now)
    assert quantities(changed.cart) == {"A": 1}


@pytest.mark.parametrize("is_away", [True, False], ids=["away", "alone"])
def test_merges_are_not_carried_on_where_the_server_cannot(valkey, now, monkeypatch, is_away):
    carts, tried = store_on(valkey), []
    for _ in range(2):
        customer_id, guests = uuid4(), guest_cart(now, add("A"), carts=carts)
        own = carts.create(owner=customer_id, currency="GBP", channel=None, once=None, now=now)
        carts.begin_merge(source_id=guests.id, into=own.cart.id, by=customer_id, now=now)
    begun = carts.merging_since(before=now + timedelta(1), at_most=9)
    working = carts if is_away else store_on(valkey, replicas=1)
    apply_merge = CartStore.apply_merge

    def apply_and_tell(self, *, source, now):
        tried.append(source.id)
        if is_away:
            valkey.kill()
        return apply_merge(self, source=source, now=now)

    monkeypatch.setattr(CartStore, "apply_merge", apply_and_tell)
    monkeypatch.setattr(merging, "store", lambda: working)
    with pytest.raises(errors.CartsUnavailable if is_away else errors.CartNotDurable):
        merging.finish_merges(now=now + timedelta(seconds=11))

    assert tried == begun[:1]
    if is_away:
        valkey.start()
    assert carts.merging_since(before=now + timedelta(1), at_most=9) == begun


def test_a_change_that_no_replica_has_is_not_acknowledged(valkey, tmp_path, now):
    carts = store_on(valkey, replicas=1)
    following = (*DURABLE, f"--replicaof 127.0.0.1 {valkey.port}")
    once = Once("k" * 64, "f" * 64)

    def change(cart_id: UUID) -> Made | None:
        """None where it is not durable: on a busy machine the replica may need more than its time.
        A client would send it again, too."""
        try:
            return carts.change(
                cart_id=cart_id, owner=None, changes=[add("A", 2)], once=once, now=now
            )
        except errors.CartNotDurable:
            return None

    cart = guest_cart(now, carts=store_on(valkey))
    with own_valkey(tmp_path / "replica", following) as replica:
        wait_for_replica(valkey)
        replica.pause()
        assert change(cart.id) is None
        replica.resume()
        made = until(lambda: change(cart.id))
    assert (made.replayed, quantities(made.cart)) == (True, {"A": 2})


def test_every_command_stays_in_one_slot_of_a_cluster(tmp_path, now):
    with own_valkey(tmp_path, (*DURABLE, "--cluster-enabled yes")) as server:
        with server.client as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: client.cluster("info")["cluster_state"] == "ok")
        carts, customer_id = store_on(server), uuid4()
        own = carts.create(
            owner=customer_id, currency="GBP", channel=None, once=Once("k", "f"), now=now
        ).cart
        guests = guest_cart(now, add("A", 2), carts=carts)
        carts.change(
            cart_id=own.id,
            owner=customer_id,
            changes=[put("A", 1)],
            once=Once("k2", "f"),
            now=now,
        )
        begun = carts.begin_merge(source_id=guests.id, into=own.id, by=customer_id, now=now)
        assert carts.merging_since(before=now + timedelta(1), at_most=9) == [guests.id]
        assert carts.apply_merge(source=begun, now=now) == "ok"
        carts.finish_merge(source=begun, now=now)
        carts.see(
            cart_id=own.id, owner=customer_id, seen={"A": "GBP 1 ENOUGH"}, again=False, now=now
        )
        order_id = uuid4()
        carts.freeze(cart_id=own.id, order_id=order_id, owner=customer_id, version=None, now=now)
        assert carts.frozen_since(before=now + timedelta(1), at_most=9) == [(own.id, order_id)]
        frozen = carts.frozen_for(cart_id=own.id, order_id=order_id)
        assert frozen is not None
        other = carts.create(
            owner=customer_id, currency="GBP", channel=None, once=None, now=now
        ).cart
        joining = carts.reopen(frozen=frozen, hold=None, now=now)
        assert joining is not None
        assert joining.into == other.id
        carts.delete(cart_id=other.id, owner=customer_id, version=None, now=now)
        given_back = carts.undo_merge(source=joining, now=now)
        assert given_back is not None
        assert given_back.into is None
        assert quantities(carts.current(owner=customer_id, now=now)) == {"A": 3}
        carts.delete(cart_id=own.id, owner=customer_id, version=None, now=now)
        assert [e.sequence for e in entries_of(own.id, server.client)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ((), ["appendonly"]),
        (("--appendonly yes", "--appendfsync everysec"), ["appendfsync"]),
        ((*DURABLE, "--maxmemory-policy allkeys-lru"), ["maxmemory-policy"]),
        (DURABLE, []),
    ],
    ids=["no file", "every second", "evicting", "right"],
)
def test_a_server_that_forgets_is_found_out(tmp_path: Path, settings, about):
    with own_valkey(tmp_path, settings) as server:
        found = connection.faults(Scripts(server.url, replicas=0, timeout_s=2).client)
    assert [fault.split()[0] for fault in found] == about


def wait_for_replica(server: OwnValkey) -> None:
    """Until it has caught up, and writes on its own disk."""

    def follows() -> bool:
        pipeline = client.pipeline(transaction=False)
        pipeline.set("mark", "")
        pipeline.execute_command("WAITAOF", 1, 1, 100)
        return bool(pipeline.execute()[1] == [1, 1])

    with server.client as client:
        until(follows)
