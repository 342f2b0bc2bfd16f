"""The gateway's books against ours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from uuid import UUID

import structlog
from django.conf import settings

from domains.payments import gateways
from domains.payments.errors import (
    DifferenceNotFound,
    NotSupportedByGateway,
    PaymentsUnavailable,
    UnknownGateway,
)
from domains.payments.gateways.port import Gateway, Listed, NoAnswer
from domains.payments.models import Comparison, Operation, ReconciliationDifference
from domains.payments.queries import operations as queries
from domains.payments.queries.operations import KnownOperation
from domains.payments.rules.differences import DifferenceKind
from domains.payments.rules.gateways import Reply
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.services.matching import Match, match_all, report_missing_there
from domains.payments.services.outcomes import change, find, load, request_of

log = structlog.get_logger(__name__)

_BATCH = 500
# What is younger may be on its way, here or there.
SETTLING_TIME = timedelta(minutes=10)
# From one comparison of a gateway's to the next: a day, for a task that runs every hour.
_PAUSE = timedelta(hours=23, minutes=30)
# The two clocks may disagree by so much.
_SKEW = timedelta(minutes=5)
# So many are looked up one by one. When more are missing it is the list that is wrong.
_LOOKUPS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """What a comparison found: `compared` operations of the gateway's, `repaired` of them or after
    them, `different` ones that staff have to look at, and `gone` ones that were reported before."""

    gateway: str
    compared: int
    repaired: int
    different: int
    gone: int


def reconcile_due(*, now: datetime) -> None:
    """Compare the books of the last days with those of the gateway that is used, and of each that
    was used in these days, unless that was done within a day.

    One that does not answer is asked again the next time; the others have their turn.
    """
    since = now - timedelta(days=settings.PAYMENT_RECONCILIATION_DAYS)
    recent = Comparison.objects.filter(finished_at__gt=now - _PAUSE)
    done = set(recent.values_list("gateway", flat=True))
    for gateway in gateways.ADAPTERS:
        if gateway in done or not gateways.is_set_up(gateway):
            continue
        if gateway != settings.PAYMENT_GATEWAY and not queries.was_used(gateway, since=since):
            continue
        try:
            reconcile(gateway=gateway, since=since, until=now, now=now)
        except NotSupportedByGateway:
            continue  # there is nothing to compare with
        except (NoAnswer, PaymentsUnavailable) as reason:
            log.warning("books_not_compared_with_gateway", gateway=gateway, reason=str(reason))
            continue
        Comparison.objects.update_or_create(gateway=gateway, defaults={"finished_at": now})


def reconcile(*, gateway: str, since: datetime, until: datetime, now: datetime) -> Reconciliation:
    """Compare all that the gateway did in a window with our operations; repeatable.

    An outcome that we did not know, and what was done there without us, is written down as if it
    had been notified. Everything else that differs is reported, and stays so until it is gone or
    staff close it. The gateway's list is held in memory: some 500 bytes for each operation.
    Raises UnknownGateway, NotSupportedByGateway where the gateway keeps no list, NoAnswer, and
    PaymentsUnavailable; what was found until then is written down.
    """
    if not gateways.is_set_up(gateway):
        raise UnknownGateway(f"There is no gateway {gateway!r}.")
    adapter = gateways.gateway_named(gateway)
    if not adapter.capabilities.listing:
        raise NotSupportedByGateway(f"The gateway {gateway} does not list what it did.")
    until = min(until, now - SETTLING_TIME)
    found: Counter[Match] = Counter()
    # Told more than once, an operation is as it was told last.
    listed = {
        item.key or f"{item.kind} {item.reference}": item
        for item in adapter.listing(since - _SKEW, until + _SKEW)
    }
    for batch in _batches(iter(listed.values())):
        found.update(match_all(gateway, batch, now=now))
    compared = found.total()
    for missing in _missing(adapter, gateway, listed, since=since, until=until):
        report_missing_there(gateway, missing, now=now)
        found[Match.DIFFERENT] += 1
    gone = ReconciliationDifference.objects.close_gone(
        gateway=gateway, since=since, until=until, now=now
    )
    result = Reconciliation(
        gateway=gateway,
        compared=compared,
        repaired=found[Match.REPAIRED],
        different=found[Match.DIFFERENT],
        gone=gone,
    )
    tell = log.warning if result.different else log.info
    tell(
        "books_compared_with_gateway",
        gateway=gateway,
        compared=compared,
        repaired=result.repaired,
        different=result.different,
        gone=gone,
    )
    return result


def _batches(listed: Iterator[Listed]) -> Iterator[list[Listed]]:
    while batch := list(islice(listed, _BATCH)):
        yield batch


def _missing(
    adapter: Gateway,
    gateway: str,
    listed: Container[object],
    *,
    since: datetime,
    until: datetime,
) -> Iterable[KnownOperation]:
    """What we have as done, and the gateway neither lists nor knows."""
    done = queries.done_at(gateway, since=since, until=until)
    unlisted = (ours for ours in done if ours.id not in listed)
    few = list(islice(unlisted, _LOOKUPS + 1))
    if len(few) > _LOOKUPS:
        return chain(few, unlisted)
    return [ours for ours in few if not _is_known_there(adapter, ours)]


def _is_known_there(adapter: Gateway, ours: KnownOperation) -> bool:
    payment = find(ours.payment_id)
    assert payment is not None  # payments are never deleted
    operation = payment.operation(ours.id)
    return _knows(adapter.lookup(request_of(payment, operation)), operation)


def _knows(reply: Reply | None, operation: Operation) -> bool:
    """An authorisation is told as it is by now, such as let go; it is known there none the less."""
    return reply is not None and (reply.is_success or operation.kind == OperationKind.AUTHORISE)


def apply_early_notifications(*, now: datetime) -> int:
    """Look once more at what gateways did without us to payments that were not known by then.

    Returns how much has found its payment.
    """
    early = ReconciliationDifference.objects.still_open().filter(
        kind=DifferenceKind.MISSING_HERE, first_seen_at__gt=now - timedelta(days=1)
    )
    applied, rows = 0, early.order_by("id")
    while batch := list(rows[:_BATCH]):
        applied += sum(_look_again(row, now) for row in _found(batch))
        # However many have no payment, those after them have their turn.
        rows = early.order_by("id").filter(id__gt=batch[-1].id)
    return applied


def _found(rows: Sequence[ReconciliationDifference]) -> list[ReconciliationDifference]:
    """Those whose payment is known by now."""
    by_gateway: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_gateway[row.gateway].add(row.authorisation)
    known = {
        (gateway, authorisation)
        for gateway, authorisations in by_gateway.items()
        for authorisation in queries.payments_of_authorisations(gateway, authorisations)
    }
    return [row for row in rows if (row.gateway, row.authorisation) in known]


def compare_again(*, difference_id: UUID, now: datetime) -> bool:
    """Whether a difference has gone by now, since its payment was found or its gateway knows it.

    Where the gateway does not answer it has not. Raises DifferenceNotFound, PaymentsUnavailable.
    """
    row = _difference(difference_id)
    if row.kind == DifferenceKind.MISSING_HERE:
        return _look_again(row, now)
    payment = find(row.payment_id) if row.payment_id else None
    operation = payment.find_operation(row.operation_id) if payment and row.operation_id else None
    if payment is None or operation is None or row.kind == DifferenceKind.DISPUTE:
        return False
    if row.kind != DifferenceKind.MISSING_THERE:
        return False  # a lookup says nothing of amounts; the next comparison does
    try:
        reply = gateways.gateway_named(row.gateway).lookup(request_of(payment, operation))
    except NoAnswer:
        return False
    if not _knows(reply, operation):
        return False
    _close(row, now=now, resolution="gone")
    return True


def close_difference(*, difference_id: UUID, reason: str, actor_id: UUID, now: datetime) -> None:
    """Staff have settled it, and say how; it is not reported again. Raises DifferenceNotFound."""
    row = _difference(difference_id)
    ReconciliationDifference.objects.filter(pk=row.pk).update(
        closed_at=now, closed_by=actor_id, resolution=reason[:200]
    )
    if row.kind != DifferenceKind.DISPUTE or row.payment_id is None:
        return
    others = ReconciliationDifference.objects.still_open().filter(
        kind=DifferenceKind.DISPUTE, payment_id=row.payment_id
    )
    if not others.exists():
        change(load(row.payment_id), lambda payment: payment.settle_dispute(now))


def _difference(difference_id: UUID) -> ReconciliationDifference:
    found = ReconciliationDifference.objects.still_open().filter(pk=difference_id).first()
    if found is None:
        raise DifferenceNotFound(f"There is no open difference {difference_id}.")
    return found


def _look_again(row: ReconciliationDifference, now: datetime) -> bool:
    listed = Listed(
        key=None,
        kind=OperationKind(row.operation_kind),
        reference=row.gateway_reference,
        authorisation=row.authorisation,
        amount_minor=row.their_amount_minor or 0,
        currency=row.their_currency,
        state=OperationState(row.their_state),
        at=row.at,
        is_total=row.their_amount_is_total,
    )
    payments = queries.payments_of_authorisations(row.gateway, {row.authorisation})
    if not payments or match_all(row.gateway, [listed], now=now) == [Match.DIFFERENT]:
        return False
    _close(row, now=now, resolution="found its payment")
    return True


def _close(row: ReconciliationDifference, *, now: datetime, resolution: str) -> None:
    ReconciliationDifference.objects.filter(pk=row.pk).update(closed_at=now, resolution=resolution)
