"""From commit to Kafka's acknowledgement: `python -m benchmarks.messaging.latency`.

Four writers commit one event each at a steady rate in all, beside a relay process, and a consumer
notes when each arrives. RATE and SECONDS are taken from the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from uuid import UUID, uuid4

import django

django.setup()

from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from benchmarks.messaging import load  # noqa: E402
from infrastructure.clock import now  # noqa: E402
from infrastructure.kafka.client import client_settings, topic_name  # noqa: E402
from infrastructure.kafka.topics import PARTITIONS, ensure_topics  # noqa: E402
from infrastructure.outbox import hint  # noqa: E402
from infrastructure.outbox.models import OutboxMessage  # noqa: E402
from infrastructure.outbox.publisher import outbox_rows  # noqa: E402

RATE = int(os.environ.get("RATE", "500"))
SECONDS = int(os.environ.get("SECONDS", "10"))
WRITERS = 4


def write(committed: dict[UUID, float], events: int) -> None:
    started = time.perf_counter()
    for number in range(events):
        time.sleep(max(started + number * WRITERS / RATE - time.perf_counter(), 0))
        event_id = commit_one()
        committed[event_id] = time.perf_counter()
        hint.after_commit(load.ALIAS)
    connections.close_all()


def commit_one() -> UUID:
    event = load.ThingHappened(thing_id=uuid4(), amount_minor=1, text="x" * 410, occurred_at=now())
    (row,) = outbox_rows([event], key=event.thing_id, first_sequence=1)
    OutboxMessage(**asdict(row)).save(using=load.ALIAS)
    return event.event_id


def watch(arrived: dict[UUID, float], expected: int) -> None:
    consumer = Consumer(
        client_settings(
            **{"group.id": "latency", "enable.auto.commit": False, "fetch.wait.max.ms": 1}
        )
    )
    name = topic_name(load.TOPIC)
    consumer.assign([TopicPartition(name, number, 0) for number in range(PARTITIONS)])
    while len(arrived) < expected:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            event_id = dict(message.headers() or ())["ce_id"]
            assert isinstance(event_id, bytes)
            arrived[UUID(event_id.decode())] = time.perf_counter()
    consumer.close()


def main() -> None:
    load.prepare()
    ensure_topics([load.TOPIC])
    each = RATE * SECONDS // WRITERS
    committed: dict[UUID, float] = {}
    arrived: dict[UUID, float] = {}
    relay = subprocess.Popen(
        [sys.executable, "manage.py", "relay_outbox"],
        env={**os.environ, "KAFKA_TOPIC_PREFIX": settings.KAFKA_TOPIC_PREFIX},
        stdout=subprocess.DEVNULL,
    )
    try:
        threads = [threading.Thread(target=watch, args=(arrived, each * WRITERS + 1))]
        threads[0].start()
        first = commit_one()
        while first not in arrived:  # until relay and watcher are warm
            time.sleep(0.1)
        threads += [threading.Thread(target=write, args=(committed, each)) for _ in range(WRITERS)]
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        relay.terminate()
        relay.wait()
        load.clean_up()
    waits = [(arrived[event_id] - at) * 1000 for event_id, at in committed.items()]
    shares = {share: load.percentile(waits, share) for share in (0.5, 0.9, 0.99, 1.0)}
    print(f"{RATE} events per second for {SECONDS} s, from commit to a consumer, in ms")
    print("| p50 | p90 | p99 | max |")
    print("|---|---|---|---|")
    print("| " + " | ".join(f"{value:.1f}" for value in shares.values()) + " |")


if __name__ == "__main__":
    main()
