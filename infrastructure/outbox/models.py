"""The outbox: facts that are committed and not yet on Kafka."""

from __future__ import annotations

from django.db import models


class _Message(models.Model):
    """What both tables hold of an event."""

    shard = models.SmallIntegerField()
    event_id = models.UUIDField()
    topic = models.TextField()
    key = models.TextField()
    sequence = models.IntegerField()
    name = models.TextField()
    event_version = models.SmallIntegerField()
    occurred_at = models.DateTimeField()
    correlation_id = models.TextField(default="")
    causation_id = models.TextField(default="")
    traceparent = models.TextField(default="")
    payload = models.TextField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.name} {self.sequence} of {self.key}"


class OutboxMessage(_Message):
    """One fact on its way to its topic. The row is deleted when Kafka has acknowledged it.

    `id` is drawn after the aggregate's row lock was taken, so within one key it rises in the order
    of the commits. Across keys it promises nothing.
    """

    id = models.BigAutoField(primary_key=True)

    class Meta:
        app_label = "platform"
        # No index but the key: the relay reads in its order and filters by shard, and another one
        # would be written twice for every event.
        verbose_name = "outbox message"


class ParkedMessage(_Message):
    """An outbox row that Kafka can never take, or one that waits behind such a row of its key.

    `id` is the row's id in the outbox: it goes back under the same one, so its place in the order
    of its key is kept. `reason` is empty for a row that only waits.
    """

    id = models.BigIntegerField(primary_key=True)
    reason = models.TextField(default="")
    parked_at = models.DateTimeField()

    class Meta:
        app_label = "platform"
        verbose_name = "parked message"
        indexes = [models.Index(fields=["topic", "key", "id"], name="parked_topic_key")]
