"""What is on its way to Kafka, wherever it was read: in flight, acknowledged or refused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from infrastructure.events.envelope import Headers
from infrastructure.kafka.client import EVENT_BYTES
from infrastructure.kafka.errors import Refused, is_permanent
from infrastructure.kafka.producer import EventProducer
from infrastructure.kafka.topics import ensure_topics

log = structlog.get_logger("outbox.relay")

Place = TypeVar("Place")
Item = TypeVar("Item")


class SendingBroke(Exception):
    """Messages in flight were given back unsent: begin again from where they are stored."""


class Sending(ABC, Generic[Place, Item]):
    """The relay between one connect and the next disconnect.

    Place: what tells an item apart where it is stored. outbox: its name in logs and metrics.
    """

    def __init__(self, outbox: str) -> None:
        self.outbox = outbox
        self.in_flight: dict[Place, Item] = {}
        self._producer = EventProducer()
        self._topics: set[str] = set()
        self._acknowledged: list[Place] = []
        self._broken: str | None = None

    @abstractmethod
    def step(self) -> bool:
        """Send what is waiting and delete what has arrived. False if there was nothing to send."""

    @abstractmethod
    def _settle(self) -> None:
        """Delete what Kafka has acknowledged, and park what it refused."""

    @abstractmethod
    def _refuse(self, place: Place, item: Item, reason: str) -> None:
        """Park an item once this batch is through; its key is blocked from here on."""

    def poll(self, seconds: float) -> None:
        """Take Kafka's acknowledgements. Raises SendingBroke."""
        self._producer.poll(seconds)
        if self._producer.failed is not None:
            raise SendingBroke(f"the producer failed: {self._producer.failed}")
        if self._broken is not None:
            raise SendingBroke(self._broken)

    def drain(self, seconds: float) -> None:
        """Wait for what is in flight, and delete it. What is left will be sent again."""
        left = self._producer.flush(seconds)
        self._settle()
        if left:
            log.warning("relay_not_drained", outbox=self.outbox, unacknowledged=left)
            self._producer.purge()
        else:
            log.info("relay_drained", outbox=self.outbox)

    def abandon(self) -> None:
        self._producer.purge()

    def _send(
        self, place: Place, item: Item, *, topic: str, key: str, payload: str, headers: Headers
    ) -> bool:
        """Queue a message, or refuse it. False if the queue is full."""
        try:
            if topic not in self._topics:
                self._ensure(topic)
            if len(payload) > EVENT_BYTES // 4 and len(payload.encode()) > EVENT_BYTES:
                raise Refused(f"The payload is larger than {EVENT_BYTES} bytes.")
            self.in_flight[place] = item
            self._producer.send(topic, key, payload, headers, partial(self._delivered, place))
        except Refused as error:
            self._refuse(place, item, str(error))
        except BufferError:
            del self.in_flight[place]
            return False
        return True

    def _ensure(self, topic: str) -> None:
        """Raises Refused where the broker will not have the topic."""
        made = ensure_topics([topic])
        if made:
            log.info("topics_made", outbox=self.outbox, topics=made)
        self._topics.add(topic)

    def _delivered(self, place: Place, error: Any) -> None:
        if error is None:
            self._acknowledged.append(place)
        elif is_permanent(error):
            self._refuse(place, self.in_flight[place], error.str())
        else:
            self._broken = error.str()
