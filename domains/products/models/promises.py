"""What is held, as it was read, and what the statements that change it are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

import msgspec
from django.db import connections, router

from domains.products.events import ReservedLine, StockAvailabilityChanged, StockReleased
from domains.products.rules.stock import HoldLine, HoldState, Refused, Shortage
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.database.statement import as_json_rows
from infrastructure.events.event import Event
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import OutboxRow, outbox_rows


@dataclass(frozen=True, slots=True)
class Promise:
    """A reservation as it was read: the statement that changes it says which version it means."""

    id: UUID
    holder: str
    status: str
    version: int
    quantities: dict[UUID, int]
    skus: dict[UUID, str]

    @property
    def is_held(self) -> bool:
        return self.status == HoldState.HELD


class PromiseQuerySet(AggregateQuerySet):
    def _read(self, ids: Iterable[UUID]) -> list[Promise]:
        """These reservations, with their lines, as of one moment."""
        wanted = list(ids)
        if not wanted:
            return []
        rows = (
            self.using(self._alias)
            .filter(pk__in=wanted)
            .values_list(
                "pk",
                "holder",
                "status",
                "version",
                "line_rows__stock_item_id",
                "line_rows__quantity",
                "line_rows__stock_item__sku",
            )
        )
        found: dict[UUID, Promise] = {}
        for reservation_id, holder, status, version, variant_id, quantity, sku in rows:
            promise = found.setdefault(
                reservation_id, Promise(reservation_id, holder, status, version, {}, {})
            )
            if variant_id is not None:
                promise.quantities[variant_id] = quantity
                promise.skus[variant_id] = sku
        return list(found.values())

    @cached_property
    def _alias(self) -> str:
        return router.db_for_write(self.model)

    def _as_rows(self, rows: list[OutboxRow]) -> str:
        return as_json_rows(OutboxMessage, rows, connections[self._alias])

    def _carriers(
        self, skus: Mapping[UUID, str], *, directions: Sequence[bool], now: datetime
    ) -> str:
        """Per SKU an outbox row for each direction in which its availability may turn, of which
        the statement takes those that happen."""
        rows: list[OutboxRow] = []
        for variant_id, sku in skus.items():
            for available in directions:
                event: Event = StockAvailabilityChanged(
                    variant_id=variant_id, sku=sku, available=available, occurred_at=now
                )
                rows += outbox_rows([event], key=variant_id, first_sequence=int(available))
        return self._as_rows(rows)


def told(lines: Iterable[HoldLine]) -> tuple[ReservedLine, ...]:
    return tuple(
        ReservedLine(variant_id=line.variant_id, sku=line.sku, quantity=line.quantity)
        for line in lines
    )


def released(promise: Promise, *, now: datetime, expired: bool = False) -> StockReleased:
    return StockReleased(
        order_id=promise.id, holder=promise.holder, expired=expired, occurred_at=now
    )


def refusal_of(
    short: str,
    *,
    skus: Mapping[UUID, str],
    requested: Mapping[UUID, int],
    already: Mapping[UUID, int],
) -> Refused:
    """short: the variants that are lacking and what is left of each, as the statements tell it.
    already: what the holder has, and may count as free for itself."""
    lacking = sorted((UUID(text), left) for text, left in msgspec.json.decode(short))
    return Refused(
        tuple(
            Shortage(
                variant_id=variant_id,
                sku=skus[variant_id],
                requested=requested[variant_id],
                available=max(left, 0) + already.get(variant_id, 0),
            )
            for variant_id, left in lacking
        )
    )


def as_array(values: Iterable[object]) -> str:
    """An array as text, so that the parameter's type, and with it the plan, is always the same."""
    return "{" + ",".join(map(str, values)) + "}"
