"""Changes of what orders hold that must not happen any more."""

from __future__ import annotations

from uuid import UUID

from django.db import models

from domains.products.errors import ChangeBarred
from infrastructure.aggregates import OwnedQuerySet
from infrastructure.database.contexts import connection_of

_FATE = """
SELECT EXISTS (SELECT 1 FROM products_stockmovement WHERE change_id = %s::uuid)
    OR EXISTS (SELECT 1 FROM products_stockmovement WHERE fulfilment_id = %s::uuid),
    (SELECT refusal FROM products_barredchange WHERE id = %s::uuid)
"""


class BarredChange(models.Model):
    """No goods move under this id any more: what they should move for was refused.

    Written with the order's reservation, so that of a movement and its bar the second one finds
    the first: both take the reservation's row before they look. Kept for ever, like movements; the
    audit of the books looks for movements that happened all the same.

    refusal: what it was refused for, as a code of whoever barred it.
    """

    id = models.UUIDField(primary_key=True)
    order_id = models.UUIDField()
    refusal = models.CharField(max_length=60)
    barred_at = models.DateTimeField()

    objects = OwnedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"No {self.id} of {self.order_id}"


def fate_of(change_id: UUID) -> tuple[bool, str | None]:
    """Whether goods have moved under this id, as a shipment or as any other change, and what it was
    barred for; None where it was not. One statement.

    Asked with the reservation's row locked, or before its version is compared.
    """
    [(moved, refusal)] = connection_of("products").fetch(_FATE, [change_id, change_id, change_id])
    return moved, refusal


def has_moved(change_id: UUID) -> bool:
    """Whether they have. Raises ChangeBarred where they must not any more."""
    moved, refusal = fate_of(change_id)
    if refusal is not None:
        raise ChangeBarred(f"{change_id} was refused before: {refusal}.")
    return moved
