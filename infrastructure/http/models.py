"""The idempotency keys that were used, and what they made."""

from __future__ import annotations

from django.db import models


class IdempotencyRecord(models.Model):
    """One use of an Idempotency-Key. Written in the statement of the effect it stands for, so it
    exists exactly if the effect does."""

    id = models.BigAutoField(primary_key=True)
    client = models.TextField()
    route = models.TextField()
    key = models.TextField()
    fingerprint = models.BinaryField(max_length=32)
    subject_id = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        app_label = "platform"
        verbose_name = "idempotency record"
        constraints = [
            models.UniqueConstraint(
                fields=["client", "route", "key"], name="platform_idempotency_once"
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="platform_idempotency_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
