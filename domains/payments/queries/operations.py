"""Our operations, as they are compared with what a gateway tells of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from domains.payments.models import Operation
from domains.payments.rules.differences import Told
from domains.payments.rules.operations import (
    OperationKind,
    OperationState,
)

_CHUNK = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownOperation:
    """An operation as our books have it."""

    id: UUID
    payment_id: UUID
    told: Told
    gateway_reference: str
    finished_at: datetime | None


def known_operations(gateway: str, keys: Collection[UUID]) -> dict[UUID, KnownOperation]:
    """Those of our operations at a gateway that have these keys."""
    if not keys:
        return {}
    return {o.id: o for o in _known(Operation.objects.filter(pk__in=keys), gateway)}


def operation_named(
    payment_id: UUID, *, kinds: Collection[OperationKind], reference: str
) -> KnownOperation | None:
    """The operation of a payment that the gateway has given this name."""
    rows = Operation.objects.filter(payment=payment_id, kind__in=kinds, gateway_reference=reference)
    return next(_known(rows), None)


def payments_of_authorisations(gateway: str, references: Collection[str]) -> dict[str, UUID]:
    """The payments whose authorisation the gateway gave these names."""
    if not references:
        return {}
    rows = Operation.objects.filter(
        gateway_reference__in=references,
        kind=OperationKind.AUTHORISE,
        payment__gateway=gateway,
    ).exclude(gateway_reference="")
    return dict(rows.values_list("gateway_reference", "payment_id"))


def done_at(gateway: str, *, since: datetime, until: datetime) -> Iterator[KnownOperation]:
    """What a gateway has done for us in a window, as far as we asked for it, streaming."""
    return _known(_done(since).filter(finished_at__lt=until), gateway)


def was_used(gateway: str, *, since: datetime) -> bool:
    """Whether a gateway has done anything for us in this time."""
    return _done(since).filter(payment__gateway=gateway).exists()


def _done(since: datetime) -> QuerySet[Operation]:
    """As the index `operation_done` has it."""
    return Operation.objects.filter(
        state=OperationState.SUCCEEDED, asked_elsewhere=False, finished_at__gte=since
    ).exclude(kind=OperationKind.RECEIPT)


def _known(rows: QuerySet[Operation], gateway: str = "") -> Iterator[KnownOperation]:
    if gateway:
        rows = rows.filter(payment__gateway=gateway)
    columns = rows.values_list(
        "id",
        "payment_id",
        "kind",
        "state",
        "amount_minor",
        "payment__currency",
        "gateway_reference",
        "finished_at",
    )
    for row in columns.iterator(chunk_size=_CHUNK):
        yield KnownOperation(
            id=row[0],
            payment_id=row[1],
            told=Told(kind=row[2], state=row[3], amount_minor=row[4], currency=row[5]),
            gateway_reference=row[6],
            finished_at=row[7],
        )
