"""What a context's handlers have handled, and what they could not handle."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class InboxMark(models.Model):
    """This handler has handled this event. Written in the transaction of the handler's effect."""

    pk = models.CompositePrimaryKey("handler", "event_id")
    handler = models.TextField()
    event_id = models.UUIDField()
    handled_at = models.DateTimeField()

    class Meta:
        app_label = "platform"
        # Rows arrive in the order of time, and are only ever looked up by time to be purged.
        indexes = [BrinIndex(fields=["handled_at"], name="inbox_handled_at", autosummarize=True)]

    def __str__(self) -> str:
        return f"{self.handler} {self.event_id}"


class HeardRange(models.Model):
    """A handler hears an event from this offset of a partition on, to before the end (None: still).

    Written by its group when it begins with the partition; see `hearing`.
    """

    pk = models.CompositePrimaryKey("handler", "event", "topic", "partition", "first_offset")
    handler = models.TextField()
    event = models.TextField()
    topic = models.TextField()
    partition = models.IntegerField()
    first_offset = models.BigIntegerField()
    end_offset = models.BigIntegerField(null=True)

    class Meta:
        app_label = "platform"

    def __str__(self) -> str:
        return f"{self.handler}: {self.event} from {self.partition}/{self.first_offset}"


class BlockedKey(models.Model):
    """The events of one aggregate wait for this handler, behind one that failed."""

    pk = models.CompositePrimaryKey("handler", "topic", "key")
    handler = models.TextField()
    topic = models.TextField()
    key = models.TextField()
    since = models.DateTimeField()

    class Meta:
        app_label = "platform"

    def __str__(self) -> str:
        return f"{self.handler}: {self.topic} {self.key}"


class DeadLetter(models.Model):
    """An event that one handler did not handle, whole, so that it can be handed to it again.

    `error_class` is empty for one that only waits behind a failed event of its key. `id` rises in
    the order of the topic within a key.
    """

    class Resolution(models.TextChoices):
        REDRIVEN = "REDRIVEN"
        DROPPED = "DROPPED"

    id = models.BigAutoField(primary_key=True)
    handler = models.TextField()
    event_id = models.UUIDField()
    topic = models.TextField()
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    key = models.TextField()
    headers = models.JSONField()
    payload = models.BinaryField()
    error_class = models.TextField(default="")
    error = models.TextField(default="")
    stack = models.TextField(default="")
    attempts = models.IntegerField(default=0)
    failed_at = models.DateTimeField()
    resolution = models.CharField(max_length=8, choices=Resolution, default="")
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "platform"
        constraints = [
            models.UniqueConstraint(fields=["handler", "event_id"], name="dead_letter_once")
        ]
        indexes = [
            models.Index(
                fields=["handler", "topic", "key", "id"],
                name="dead_letter_open",
                condition=models.Q(resolution=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} for {self.handler}"
