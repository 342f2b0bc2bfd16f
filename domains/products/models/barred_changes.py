"""Changes of what orders hold that must not happen any more."""

from __future__ import annotations

from uuid import UUID

from django.db import models

from infrastructure.aggregates import ConcurrentModification, OwnedQuerySet
from infrastructure.database.contexts import connection_of

_FATE = """
SELECT EXISTS (SELECT 1 FROM products_stockmovement WHERE change_id = %s::uuid)
    OR EXISTS (SELECT 1 FROM products_stockmovement WHERE fulfilment_id = %s::uuid),
    EXISTS (SELECT 1 FROM products_barredchange WHERE id = %s::uuid)
"""


class BarredChange(models.Model):
    """No goods move under this id any more: what they should move for was refused.

    Written with the order's reservation, so that of a movement and its bar the second one finds
    the first: both take the reservation's row before they look.
    """

    id = models.UUIDField(primary_key=True)
    order_id = models.UUIDField()
    barred_at = models.DateTimeField()

    objects = OwnedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"No {self.id} of {self.order_id}"


def fate_of(change_id: UUID) -> tuple[bool, bool]:
    """Whether goods have moved under this id, as a shipment or as any other change, and whether
    they must not any more. One statement.

    Asked with the reservation's row locked, or before its version is compared.
    """
    [(moved, barred)] = connection_of("products").fetch(_FATE, [change_id, change_id, change_id])
    return moved, barred


def has_moved(change_id: UUID) -> bool:
    """Whether they have. Raises ConcurrentModification where they must not any more."""
    moved, barred = fate_of(change_id)
    if barred:
        raise ConcurrentModification(f"{change_id} was refused meanwhile.")
    return moved
