"""Relays and consumers killed again and again under load: nothing lost, nothing twice, in order."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.db import connections

from infrastructure.events.envelope import read_envelope
from infrastructure.ids import new_id
from infrastructure.inbox.models import DeadLetter
from infrastructure.outbox.models import OutboxMessage
from tests.support.messaging import (
    ROOT,
    process_environment,
    publish,
    read_topic,
)
from tests.support.things import ALIAS, NOW, TOPIC, ThingHappened, effects
from tests.support.waiting import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.kafka,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("things_context", "broker"),
]

SECONDS = 60
THINGS = 200


@pytest.mark.timeout(300)
def test_a_minute_of_kills_changes_nothing_but_what_comes_twice() -> None:
    written: dict[UUID, int] = {}
    stopping = threading.Event()
    writer = threading.Thread(target=write_until, args=(stopping, written))
    at_work = threading.Event()
    with (
        killed_now_and_then("relay", at_work, every=2.5),
        killed_now_and_then("consume", at_work, every=4.0),
    ):
        writer.start()
        try:
            until(lambda: effects("record"))
            at_work.set()
            time.sleep(SECONDS)
        finally:
            stopping.set()
            writer.join()
    total = sum(written.values())
    with running("relay"), running("consume"):
        until(lambda: len(effects("record_batch")) >= total, seconds=120)
        until(lambda: len(effects("record")) >= total)
        until(lambda: not OutboxMessage.objects.using(ALIAS).exists())

    first_seen: dict[UUID, dict[int, None]] = defaultdict(dict)
    for message in read_topic(TOPIC):
        envelope = read_envelope(message)
        first_seen[UUID(envelope.key)][envelope.sequence] = None
    for thing_id, count in written.items():
        numbers = list(range(1, count + 1))
        assert list(first_seen[thing_id]) == numbers
        assert effects("record", thing_id) == numbers
        assert effects("record_batch", thing_id) == numbers
    assert not DeadLetter.objects.using(ALIAS).exists()


def write_until(stopping: threading.Event, written: dict[UUID, int]) -> None:
    """Events of many things, a few hundred per second."""
    things = [new_id() for _ in range(THINGS)]
    try:
        while not stopping.wait(0.005):
            thing_id = random.choice(things)
            number = written.get(thing_id, 0) + 1
            event = ThingHappened(thing_id=thing_id, number=number, occurred_at=NOW)
            publish([event], key=thing_id, first_sequence=number)
            written[thing_id] = number
    finally:
        connections.close_all()


@contextmanager
def killed_now_and_then(role: str, at_work: threading.Event, *, every: float) -> Iterator[None]:
    """Two processes of a role, of which one is killed and started anew every few seconds, once
    they are at work."""
    processes = [start(role), start(role)]
    stopping = threading.Event()

    def kill() -> None:
        turn = 0
        at_work.wait()
        while not stopping.wait(every * random.uniform(0.7, 1.3)):
            turn = 1 - turn
            processes[turn].kill()
            processes[turn].wait()
            processes[turn] = start(role)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        stopping.set()
        at_work.set()
        killer.join()
        for process in processes:
            process.kill()
            process.wait()


@contextmanager
def running(role: str) -> Iterator[None]:
    process = start(role)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def start(role: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.things_process", role],
        cwd=ROOT,
        env=process_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
