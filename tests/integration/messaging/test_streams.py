"""The relay of streams in Redis: nothing lost, order kept per key, whatever is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections

from domains.carts.events import TOPIC, CartCheckedOut
from domains.carts.models import CartStore
from domains.carts.models.connection import Scripts
from infrastructure.events.codec import decode
from infrastructure.events.envelope import read_envelope
from infrastructure.outbox import metrics
from infrastructure.outbox.publisher import SHARDS, shard_of
from infrastructure.outbox.stream_relay import LOCK_SPACE, StreamRelay, Streams
from infrastructure.outbox.streams import stream_key
from tests.support.carts import add, guest_cart
from tests.support.messaging import ROOT, process_environment, read_topic, wait_until
from tests.support.valkey import DURABLE, OwnValkey, own_valkey

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker"),
]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    with own_valkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def carts(valkey: OwnValkey) -> CartStore:
    return CartStore(Scripts(valkey.url, replicas=0, timeout_s=5))


def relay_of(server: OwnValkey, *, replicas: int = 0) -> StreamRelay:
    return StreamRelay(Streams("c", server.url, replicas, "default"))


def test_what_happens_to_carts_is_told_in_order_and_then_forgotten(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    running(relay_of(valkey))
    made = [changed_cart(carts, now, 4)]
    while {shard_of(str(cart_id)) for cart_id in made} != set(range(SHARDS)):
        made.append(changed_cart(carts, now, 4))
    order_id = uuid4()
    carts.freeze(cart_id=made[0], order_id=order_id, owner=None, version=None, now=now)
    carts.close(cart_id=made[0], order_id=order_id, now=now)
    wait_until(lambda: waiting(valkey) == 0)

    messages = read_topic(TOPIC)
    assert len(messages) == len(made) * 5 + 1
    assert numbers(messages, made[0]) == [1, 2, 3, 4, 5, 6]
    assert [numbers(messages, cart_id) for cart_id in made[1:]] == [[1, 2, 3, 4, 5]] * (
        len(made) - 1
    )
    mine = [message for message in messages if message.key == str(made[0]).encode()]
    assert [read_envelope(m).name for m in mine] == ["carts.cart_updated"] * 5 + [
        "carts.cart_checked_out"
    ]
    last = decode(read_envelope(mine[-1]), mine[-1].value, CartCheckedOut)
    assert isinstance(last, CartCheckedOut)
    assert (last.cart_id, last.order_id, last.quantity) == (made[0], order_id, 4)


def test_a_relay_killed_between_sending_and_deleting_loses_nothing(
    valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    made = [changed_cart(carts, now, 4) for _ in range(20)]
    with nothing_can_be_deleted(valkey), relay_process(valkey) as relay:
        wait_until(lambda: len(read_topic(TOPIC)) >= 100)
        relay.kill()
        relay.wait()
    assert waiting(valkey) == 100
    wait_until(lambda: leaders() == [])

    with relay_process(valkey):
        wait_until(lambda: waiting(valkey) == 0)
    messages = read_topic(TOPIC)
    assert len(messages) >= 200
    assert [numbers(messages, cart_id) for cart_id in made] == [[1, 2, 3, 4, 5]] * 20


def test_two_relays_share_the_shards_and_one_takes_over_from_a_killed_one(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    running(relay_of(valkey))
    with relay_process(valkey) as other:
        wait_until(lambda: leaders() == [SHARDS // 2, SHARDS // 2])
        made = [changed_cart(carts, now, 2) for _ in range(30)]
        other.kill()
        other.wait()
    wait_until(lambda: leaders() == [SHARDS])
    made += [changed_cart(carts, now, 2) for _ in range(30)]
    wait_until(lambda: waiting(valkey) == 0)
    messages = read_topic(TOPIC)
    assert [numbers(messages, cart_id) for cart_id in made] == [[1, 2, 3]] * 60


def test_the_relay_waits_while_redis_is_away(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    running(relay_of(valkey))
    before = changed_cart(carts, now, 3)
    wait_until(lambda: leaders() == [SHARDS])
    valkey.kill()
    valkey.start()
    after = changed_cart(carts, now, 3)
    wait_until(lambda: waiting(valkey) == 0)
    messages = read_topic(TOPIC)
    assert numbers(messages, before) == numbers(messages, after) == [1, 2, 3, 4]


def test_nothing_is_told_that_the_replicas_do_not_have(
    running: Callable[..., None],
    tmp_path: Path,
    valkey: OwnValkey,
    carts: CartStore,
    now: datetime,
) -> None:
    cart_id = changed_cart(carts, now, 2)
    running(relay_of(valkey, replicas=1))
    following = (*DURABLE, f"--replicaof 127.0.0.1 {valkey.port}")
    # Without a replica the relay has tried, and given up.
    wait_until(lambda: valkey.client.info("commandstats").get("cmdstat_waitaof"))
    assert (waiting(valkey), read_topic(TOPIC)) == (3, [])
    with own_valkey(tmp_path / "replica", following):
        wait_until(lambda: waiting(valkey) == 0)
    assert numbers(read_topic(TOPIC), cart_id) == [1, 2, 3]


def test_how_far_behind_it_is_can_be_seen(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    changed_cart(carts, now, 6)
    with nothing_can_be_deleted(valkey):
        running(relay_of(valkey))
        wait_until(lambda: metrics.BACKLOG.labels("streams c")._value.get() == 7)
        assert metrics.OLDEST.labels("streams c")._value.get() > 0


def changed_cart(carts: CartStore, now: datetime, times: int) -> UUID:
    """A cart with one event for its beginning and one for each change."""
    cart = guest_cart(now, carts=carts)
    for _ in range(times):
        carts.change(cart_id=cart.id, owner=None, changes=[add("A")], now=now)
    return cart.id


def numbers(messages: list[Any], cart_id: UUID) -> list[int]:
    """The numbers of a cart's events in the order in which each came first."""
    mine = (read_envelope(m) for m in messages if m.key == str(cart_id).encode())
    return list(dict.fromkeys(envelope.sequence for envelope in mine))


def waiting(server: OwnValkey) -> int:
    with server.client as client:
        return sum(int(client.xlen(stream_key("c", shard))) for shard in range(SHARDS))  # type: ignore[arg-type]


def leaders() -> list[int]:
    """How many shards each relay leads."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
            " AND objsubid = 2 AND granted AND objid < %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " GROUP BY pid",
            [LOCK_SPACE, SHARDS],
        )
        return sorted(count for (count,) in cursor.fetchall())


@contextmanager
def nothing_can_be_deleted(server: OwnValkey) -> Iterator[None]:
    with server.client as client:
        client.acl_setuser("default", enabled=True, commands=["-xdel"])
        yield
        client.acl_setuser("default", enabled=True, commands=["+xdel"])


@contextmanager
def relay_process(server: OwnValkey) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "relay_outbox"],
        cwd=ROOT,
        env=process_environment(REDIS_CARTS_URL=server.url),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
