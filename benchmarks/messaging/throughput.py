"""Relay and consumer beside raw librdkafka: `python -m benchmarks.messaging.throughput`.

Prints a table in Markdown. EVENTS and ROUNDS are taken from the environment.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import django

django.setup()

from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from django.db import connections  # noqa: E402

from benchmarks.messaging import load  # noqa: E402
from infrastructure.kafka.client import client_settings, topic_name  # noqa: E402
from infrastructure.kafka.consumer import GroupConsumer  # noqa: E402
from infrastructure.kafka.topics import PARTITIONS, ensure_topics  # noqa: E402
from infrastructure.outbox.relay import Relay  # noqa: E402

EVENTS = int(os.environ.get("EVENTS", "100000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def raw_producer(rows: list[tuple[str, str]]) -> float:
    """librdkafka alone: the same keys and payloads with five headers, from memory."""
    producer = Producer(
        client_settings(
            **{"enable.idempotence": True, "linger.ms": 5, "queue.buffering.max.messages": 200_000}
        )
    )
    headers: dict[str, str | bytes | None] = dict.fromkeys(
        ("one", "two", "three", "four", "five"), "x" * 20
    )
    name = topic_name(f"{load.TOPIC}.raw")
    acknowledged = 0

    def done(error: object, _: object) -> None:
        nonlocal acknowledged
        assert error is None
        acknowledged += 1

    started = time.perf_counter()
    for number, (key, payload) in enumerate(rows):
        producer.produce(name, payload, key, headers=headers, on_delivery=done)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()
    assert acknowledged == len(rows)
    return len(rows) / (time.perf_counter() - started)


def raw_consumer(events: int) -> float:
    """librdkafka alone: read what the relay published, and look at nothing."""
    consumer = Consumer(client_settings(**{"group.id": "raw", "enable.auto.commit": False}))
    name = topic_name(load.TOPIC)
    consumer.assign([TopicPartition(name, number, 0) for number in range(PARTITIONS)])
    left = events
    started = 0.0
    while left > 0:
        found = consumer.consume(500, 1)
        started = started or time.perf_counter()
        left -= len(found)
    rate = events / (time.perf_counter() - started)
    consumer.close()
    return rate


def until(worker: Relay | GroupConsumer, finished: Callable[[], bool], events: int) -> float:
    """Events per second of a worker that finds them all waiting."""

    def run() -> None:
        try:
            worker.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    started = time.perf_counter()
    thread.start()
    while not finished():
        time.sleep(0.05)
    rate = events / (time.perf_counter() - started)
    worker.stop()
    thread.join()
    return rate


def outbox_is_empty() -> bool:
    """Asked by the highest id first: a scan over the deleted rows would take the relay's time."""
    with connections[load.ALIAS].cursor() as cursor:
        cursor.execute("SELECT max(id) IS NULL FROM platform_outboxmessage")
        return bool(cursor.fetchone()[0])


def handled() -> int:
    with connections[load.ALIAS].cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(events), 0) FROM benchmark_effect")
        return int(cursor.fetchone()[0])


def main() -> None:
    print(f"{EVENTS} events of 500 bytes, per second")
    print("| round | librdkafka out | relay | ratio | librdkafka in | consumer with inbox |")
    print("|---|---|---|---|---|---|")
    for number in range(1, ROUNDS + 1):
        load.prepare()
        try:
            ensure_topics([load.TOPIC, f"{load.TOPIC}.raw"])
            load.fill_outbox(EVENTS)
            raw = raw_producer(load.outbox_rows())
            relayed = until(Relay(load.ALIAS), outbox_is_empty, EVENTS)
            read = raw_consumer(EVENTS)
            consumed = until(GroupConsumer(load.CONTEXT), lambda: handled() == EVENTS, EVENTS)
        finally:
            load.clean_up()
        print(
            f"| {number} | {raw:,.0f} | {relayed:,.0f} | {relayed / raw:.2f}"
            f" | {read:,.0f} | {consumed:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
