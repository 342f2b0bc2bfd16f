"""The relay of streams in Redis: nothing lost, order kept per key, whatever is killed."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from django.core.management import CommandError, call_command
from django.db import connections

from domains.carts.events import TOPIC, CartCheckedOut, CartUpdated
from domains.carts.models import CartStore
from domains.carts.models.connection import Scripts
from infrastructure.events.codec import decode
from infrastructure.events.envelope import read_envelope
from infrastructure.kafka.client import EVENT_BYTES, client_settings, topic_name
from infrastructure.outbox import metrics, relay, stream_parking, stream_relay
from infrastructure.outbox.publisher import SHARDS, shard_of
from infrastructure.outbox.stream_relay import LOCK_SPACE, StreamRelay, Streams
from infrastructure.outbox.streams import Entry, entries_of, envelope_of, stream_key
from tests.support.carts import add, guest_cart
from tests.support.messaging import ROOT, make_topics, process_environment, read_topic
from tests.support.valkey import DURABLE, OwnValkey, own_valkey
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker"),
]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_relay, "MEASURE_SECONDS", 0.1)
    monkeypatch.setattr(stream_relay, "LOOK_AT_BLOCKED_SECONDS", 0.1)
    monkeypatch.setattr(relay, "RETRY_SECONDS", (0.05, 0.1))


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
    until(lambda: waiting(valkey) == 0)

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
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    made = [changed_cart(carts, now, 4) for _ in range(20)]
    with nothing_can_be_deleted(valkey), relay_process(valkey) as process:
        until(lambda: len(read_topic(TOPIC)) >= 100)
        process.kill()
        process.wait()
    assert waiting(valkey) == 100
    until(lambda: leaders() == [])

    running(relay_of(valkey))
    until(lambda: waiting(valkey) == 0)
    messages = read_topic(TOPIC)
    assert len(messages) >= 200
    assert [numbers(messages, cart_id) for cart_id in made] == [[1, 2, 3, 4, 5]] * 20


def test_two_relays_share_the_shards_and_one_takes_over_from_a_killed_one(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    running(relay_of(valkey))
    with relay_process(valkey) as other:
        until(lambda: leaders() == [SHARDS // 2, SHARDS // 2])
        made = [changed_cart(carts, now, 2) for _ in range(30)]
        other.kill()
        other.wait()
    until(lambda: leaders() == [SHARDS])
    made += [changed_cart(carts, now, 2) for _ in range(30)]
    until(lambda: waiting(valkey) == 0)
    messages = read_topic(TOPIC)
    assert [numbers(messages, cart_id) for cart_id in made] == [[1, 2, 3]] * 60


def test_the_relay_waits_while_redis_is_away(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    running(relay_of(valkey))
    before = changed_cart(carts, now, 3)
    until(lambda: leaders() == [SHARDS])
    valkey.kill()
    valkey.start()
    after = changed_cart(carts, now, 3)
    until(lambda: waiting(valkey) == 0)
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
    until(lambda: valkey.client.info("commandstats").get("cmdstat_waitaof"))
    assert (waiting(valkey), read_topic(TOPIC)) == (3, [])
    with own_valkey(tmp_path / "replica", following):
        until(lambda: waiting(valkey) == 0)
    assert numbers(read_topic(TOPIC), cart_id) == [1, 2, 3]


def test_an_entry_too_large_for_kafka_is_parked_with_its_key_and_the_others_flow(
    running: Callable[..., None],
    valkey: OwnValkey,
    carts: CartStore,
    now: datetime,
    settings: Any,
) -> None:
    settings.STREAM_OUTBOXES = {"c": {"url": valkey.url, "replicas": 0}}
    bad, good = guest_cart(now, carts=carts).id, uuid4()
    too_large = append(valkey, bad, 2, payload="x" * (EVENT_BYTES + 1))
    followers = [append(valkey, bad, 3), append(valkey, bad, 4)]
    while shard_of(str(good)) != shard_of(str(bad)):
        good = uuid4()
    append(valkey, good, 1)
    running(relay_of(valkey))
    until(lambda: waiting(valkey) == 3)
    append(valkey, good, 2)
    followers.append(append(valkey, bad, 5))
    until(lambda: numbers(read_topic(TOPIC), good) == [1, 2])
    # What is parked waits for people, and not for a relay.
    until(lambda: stream_parking.length(settings.STREAM_OUTBOXES) == 0)

    assert numbers(read_topic(TOPIC), bad) == [1]
    assert parked_list() == [
        f"streams c  {too_large}  {TOPIC} {bad}  carts.cart_updated 2"
        f"  The payload is larger than {EVENT_BYTES} bytes.",
        *(
            f"streams c  {place}  {TOPIC} {bad}  carts.cart_updated {number}  waits"
            for number, place in enumerate(followers, start=3)
        ),
        "4 parked messages",
    ]

    # Released as it is, it is refused again, and nothing has overtaken it.
    marked = one_mark(valkey)
    at_streams = ("--database", "streams c")
    released = run("parked_messages", "release", TOPIC, str(bad), *at_streams)
    assert released == "1 messages are back in the outbox\n"
    until(lambda: one_mark(valkey) not in (None, marked))
    assert numbers(read_topic(TOPIC), bad) == [1]

    # Whoever leads the shard next leaves it out, too; once it is dropped the others follow.
    assert run("parked_messages", "drop", too_large, *at_streams) == "dropped\n"
    until(lambda: waiting(valkey) == 0)
    assert numbers(read_topic(TOPIC), bad) == [1, 3, 4, 5]
    for action in (("release", TOPIC, str(bad)), ("drop", too_large), ("drop", "nothing")):
        with pytest.raises(CommandError):
            run("parked_messages", *action, *at_streams)


def test_what_only_the_broker_refuses_is_parked_and_goes_when_the_reason_is_gone(
    running: Callable[..., None],
    valkey: OwnValkey,
    carts: CartStore,
    now: datetime,
) -> None:
    make_topics([TOPIC])
    limit_messages_to(5_000)
    running(relay_of(valkey))
    bad = guest_cart(now, carts=carts).id
    until(lambda: waiting(valkey) == 0)  # the broker refuses batches, not messages
    append(valkey, bad, 2, payload=secrets.token_hex(20_000))
    until(lambda: one_mark(valkey))
    others = [changed_cart(carts, now, 2) for _ in range(12)]
    append(valkey, bad, 3)
    until(lambda: waiting(valkey) == 2)
    messages = read_topic(TOPIC)
    assert numbers(messages, bad) == [1]
    assert [numbers(messages, cart_id) for cart_id in others] == [[1, 2, 3]] * 12

    limit_messages_to(1_000_000)
    with valkey.client as client:
        assert stream_parking.release(client, "c", topic=TOPIC, key=str(bad)) == 1
    until(lambda: waiting(valkey) == 0)
    assert numbers(read_topic(TOPIC), bad) == [1, 2, 3]


def test_parked_entries_stay_parked_for_the_next_leader(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    """And their age is nobody's."""
    bad = changed_cart(carts, now, 2)
    first = next(iter(entries(valkey, bad)))
    with valkey.client as client:
        refused = [(shard_of(str(bad)), first, "too large")]
        stream_parking.park(client, "c", refused, now=now)
        gone = first._replace(entry_id="1-1")
        stream_parking.park(client, "c", [(shard_of(str(bad)), gone, "late")], now=now)
    good = changed_cart(carts, now, 2)
    running(relay_of(valkey))
    until(lambda: waiting(valkey) == 3)
    messages = read_topic(TOPIC)
    assert (numbers(messages, good), numbers(messages, bad)) == ([1, 2, 3], [])
    assert figures() == (3, 0, 1)


def test_how_far_behind_it_is_can_be_seen(
    running: Callable[..., None], valkey: OwnValkey, carts: CartStore, now: datetime
) -> None:
    changed_cart(carts, now, 6)
    with nothing_can_be_deleted(valkey):
        running(relay_of(valkey))
        until(lambda: leaders() == [SHARDS])
        backlog, oldest, parked = figures()
    assert (backlog, oldest > 0, parked) == (7, True, 0)


def append(server: OwnValkey, cart_id: UUID, number: int, *, payload: str = "{}") -> str:
    """Put an entry behind a cart's others; returns its name for operators."""
    envelope = envelope_of(CartUpdated, now=datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    fields = dict(zip(envelope[::2], envelope[1::2], strict=True))
    fields |= {"key": str(cart_id), "sequence": str(number), "payload": payload}
    shard = shard_of(str(cart_id))
    with server.client as client:
        return f"{shard:02d}:{client.xadd(stream_key('c', shard), fields)}"


def entries(server: OwnValkey, cart_id: UUID) -> list[Entry]:
    with server.client as client:
        found = list(entries_of(client, "c", shard_of(str(cart_id))))
    return [entry for entry in found if entry.key == str(cart_id)]


def figures() -> tuple[float, float, float]:
    """Backlog, age and number of parked entries, measured from now on."""
    gauges = [metrics.BACKLOG, metrics.OLDEST, metrics.PARKED]
    for gauge in gauges:
        gauge.labels("streams c").set(-1)
    values = [gauge.labels("streams c")._value for gauge in gauges]
    until(lambda: all(value.get() >= 0 for value in values))
    backlog, oldest, parked = (value.get() for value in values)
    return backlog, oldest, parked


def one_mark(server: OwnValkey) -> stream_parking.Mark | None:
    with server.client as client:
        marked = [m for of in stream_parking.marks(client, "c").values() for m in of.values()]
    assert len(marked) < 2
    return marked[0] if marked else None


def limit_messages_to(size: int) -> None:
    """What the broker takes of the topic from now on."""
    limit = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, topic_name(TOPIC), incremental_configs=[limit]
    )
    admin = AdminClient(client_settings())
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result()

    def told() -> str:
        [described] = admin.describe_configs([resource]).values()
        return str(described.result()["max.message.bytes"].value)

    until(lambda: told() == str(size))  # the broker hears of it from its controller


def run(*command: str) -> str:
    told = StringIO()
    call_command(*command, stdout=told)
    return told.getvalue()


def parked_list() -> list[str]:
    return run("parked_messages", "list").splitlines()


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
        return sum(int(client.xlen(stream_key("c", shard))) for shard in range(SHARDS))


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
