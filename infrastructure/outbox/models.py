"""The outbox: facts that are committed and not yet on Kafka."""

from __future__ import annotations

from django.db import models


class OutboxMessage(models.Model):
    """One fact on its way to its topic. The row is deleted when Kafka has acknowledged it.

    `id` is drawn after the aggregate's row lock was taken, so within one key it rises in the order
    of the commits. Across keys it promises nothing.
    """

    id = models.BigAutoField(primary_key=True)
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
        app_label = "platform"
        verbose_name = "outbox message"
        indexes = [models.Index(fields=["shard", "id"], name="outbox_shard_id")]

    def __str__(self) -> str:
        return f"{self.name} {self.sequence} of {self.key}"
