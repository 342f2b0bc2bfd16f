"""What customers can pay with again."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from domains.payments.models import SavedMethod


def saved_methods(customer_id: UUID) -> QuerySet[SavedMethod]:
    """What a customer can pay with that the gateway keeps."""
    return SavedMethod.objects.of(customer_id)
