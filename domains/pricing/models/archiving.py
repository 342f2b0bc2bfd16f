"""What is put away is not deleted: orders that used it tell of it."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from domains.pricing.errors import Archived
from infrastructure.aggregates import AggregateRoot


class Archivable(AggregateRoot):
    """archived_at: since when it holds no more, for good."""

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    def _put_away(self, now: datetime) -> None:
        self.refuse_archived()
        self.archived_at = self.updated_at = now

    def refuse_archived(self) -> None:
        """Raises Archived."""
        if self.is_archived:
            raise Archived(f"{self} has been archived.")
