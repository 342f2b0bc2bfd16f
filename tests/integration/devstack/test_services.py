"""The embedded servers are real: what they acknowledged is there after kill -9."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.kafka import Kafka
from devstack.layout import ROOT, Layout
from devstack.ports import RememberedPorts
from devstack.postgres import Postgres
from devstack.service import Service

Launch = Callable[[Service], None]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(local=tmp_path, shared=ROOT / ".local")


@pytest.fixture
def ports(layout: Layout) -> RememberedPorts:
    return RememberedPorts(layout.ports)


@pytest.fixture
def launch() -> Iterator[Launch]:
    launched: list[Service] = []

    def start(service: Service) -> None:
        launched.append(service)
        service.prepare(Console())
        service.start()
        service.wait_until_ready()

    yield start
    for service in launched:
        service.stop()


def restart(service: Service) -> None:
    service.start()
    service.wait_until_ready()


def test_postgres_keeps_what_it_acknowledged_over_kill_and_over_stop(
    layout: Layout, ports: RememberedPorts, launch: Launch
) -> None:
    postgres = Postgres(layout, ports["postgres"], Credentials(layout.credentials))
    launch(postgres)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE sale (id integer PRIMARY KEY)")
        for number in range(100):
            connection.execute("INSERT INTO sale VALUES (%s)", [number])
    postgres.kill()
    restart(postgres)
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT count(*) FROM sale").fetchone() == (100,)
    postgres.stop()
    restart(postgres)
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT max(id) FROM sale").fetchone() == (99,)


def test_postgres_is_durable_private_and_owned_by_the_shop(
    layout: Layout, ports: RememberedPorts, launch: Launch
) -> None:
    postgres = Postgres(layout, ports["postgres"], Credentials(layout.credentials))
    launch(postgres)
    with psycopg.connect(postgres.url) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("fsync", "synchronous_commit", "full_page_writes", "max_connections")
        }
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_connections": "300",
    }
    assert owner == ("kontor", "UTF8")
    assert stat.S_IMODE(layout.data("postgres").stat().st_mode) == 0o700
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://kontor:wrong@127.0.0.1:{postgres.port}/kontor")


def test_a_lost_file_of_passwords_is_told_and_not_waited_for(
    layout: Layout, ports: RememberedPorts, launch: Launch
) -> None:
    postgres = Postgres(layout, ports["postgres"], Credentials(layout.credentials))
    launch(postgres)
    postgres.stop()
    layout.credentials.unlink()
    with pytest.raises(StackError, match=r"are not those of this cluster\..*`make reset`"):
        launch(Postgres(layout, postgres.port, Credentials(layout.credentials)))


@pytest.mark.kafka
def test_kafka_keeps_what_it_acknowledged_over_kill_and_over_a_change_of_ports(
    layout: Layout, ports: RememberedPorts, launch: Launch
) -> None:
    kafka = Kafka(layout, ports["kafka"], ports["controller"])
    launch(kafka)
    topics = AdminClient({"bootstrap.servers": kafka.url})
    topics.create_topics([NewTopic("facts", num_partitions=1)])["facts"].result(60)
    producer = Producer({"bootstrap.servers": kafka.url, "enable.idempotence": True})
    for number in range(1000):
        producer.produce("facts", str(number).encode())
    assert producer.flush(60) == 0
    del producer, topics
    kafka.kill()

    moved = Kafka(layout, ports["another"], ports["another controller"])
    launch(moved)
    consumer = Consumer({"bootstrap.servers": moved.url, "group.id": "reader"})
    consumer.assign([TopicPartition("facts", 0, 0)])
    read: list[int] = []
    while len(read) < 1000:
        messages = consumer.consume(1000, timeout=60)
        assert messages, f"only {len(read)} messages are left"
        # A broker that has just started may say first that nobody leads the partition yet.
        read += [int(message.value()) for message in messages if message.error() is None]
    consumer.close()
    assert read == list(range(1000))
