"""Holding stock for orders and carts: all lines of one or none, decided inside one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

import msgspec
from django.db import connections, models, router

from domains.products.errors import NotHeld
from domains.products.events import (
    ReservedLine,
    StockAvailabilityChanged,
    StockReleased,
    StockReserved,
)
from domains.products.models import holding_sql
from domains.products.rules import stock as rules
from domains.products.rules.stock import (
    Held,
    Holder,
    HoldLine,
    HoldOutcome,
    HoldRequest,
    HoldState,
    Refused,
    Released,
    Shortage,
)
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.database.statement import as_json_rows
from infrastructure.events.event import Event
from infrastructure.ids import new_id
from infrastructure.observability import correlation
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import OutboxRow, outbox_rows

# Carts' holds that one statement frees: no stock row is locked for long.
EXPIRY_BATCH = 200
# How often a hold looks again when others seem to be freeing what it lacks.
PATIENCE = 3


@dataclass(frozen=True, slots=True)
class _Promise:
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


class ReservationQuerySet(AggregateQuerySet):
    """turned: to what these take, they add the variants of which there is nothing left since then,
    or something again: what is shown of them is untrue."""

    def hold(
        self, requests: Sequence[HoldRequest], *, now: datetime, turned: set[UUID]
    ) -> dict[UUID, HoldOutcome]:
        """Hold the stock of these orders: each wholly or not at all, those that come first first.

        Repeatable: an order that was held or released before gets that answer again. One statement
        (two with carts whose holds are taken over); a second one looks again before anything is
        refused, and orders that were only crowded out by others of the same call get another
        round. What carts hold beyond their time is freed before it makes an order fail.
        """
        outcomes: dict[UUID, HoldOutcome] = {}
        asked = {r.order_id: replace(r, lines=rules.summed(r.lines)) for r in requests}
        waiting = dict(asked)
        idle = 0
        while waiting:
            decided, overdue = self._hold_round(list(waiting.values()), now=now, turned=turned)
            if overdue and idle < PATIENCE:
                found, freed = self._free_for(decided.values(), now=now, turned=turned)
                if found:
                    # Those that are held will say so again.
                    idle += freed == 0
                    continue
            outcomes.update(decided)
            for order_id in decided:
                del waiting[order_id]
        refused = [o for o, outcome in outcomes.items() if isinstance(outcome, Refused)]
        if refused:
            # The same order may have been held by somebody else while this one waited for a lock,
            # and taken the very stock that is missing now.
            for order_id, status in self.filter(pk__in=refused).values_list("pk", "status"):
                outcomes[order_id] = _outcome_of(status)
        return outcomes

    def _hold_round(
        self, requests: list[HoldRequest], *, now: datetime, turned: set[UUID]
    ) -> tuple[dict[UUID, HoldOutcome], bool]:
        """The outcomes that one statement could decide; and whether something lacked while some
        cart's hold was over."""
        carts = self._carts_of(requests)
        lines = [(request, line) for request in requests for line in request.lines]
        skus = {line.variant_id: line.sku for _, line in lines}
        facts: list[OutboxRow] = []
        for request in requests:
            reserved = StockReserved(
                order_id=request.order_id, lines=told(request.lines), occurred_at=now
            )
            with correlation.entered(request.cause or correlation.current()):
                facts += outbox_rows([reserved], key=request.order_id, first_sequence=1)
                if cart := carts.get(request.order_id):
                    facts += outbox_rows([_released(cart, now=now)], key=cart.id, first_sequence=0)
        for cart in carts.values():
            skus.update(cart.skus)
        credit = [
            (order_id, variant_id, quantity)
            for order_id, cart in carts.items()
            for variant_id, quantity in cart.quantities.items()
        ]
        rows = self.command(
            holding_sql.hold_text(with_carts=bool(carts)),
            [
                as_array(request.order_id for request in requests),
                as_array(request.order_id for request, _ in lines),
                as_array(line.variant_id for _, line in lines),
                as_array(line.quantity for _, line in lines),
                as_array(new_id() for _ in lines),
                as_array(sorted(skus)),
                *(
                    (
                        as_array(carts),
                        as_array(cart.id for cart in carts.values()),
                        as_array(cart.version for cart in carts.values()),
                        *(as_array(column) for column in zip(*credit, strict=True)),
                        as_array(cart.id for cart in carts.values()),
                        now,
                    )
                    if carts
                    else ()
                ),
                now,
                now,
                self._carriers(skus, directions=(False, True) if carts else (False,), now=now),
                self._as_rows(facts),
                now,
            ],
        )
        outcomes: dict[UUID, HoldOutcome] = {}
        overdue = False
        for order_id, held, status, shortages, expired, turned_here in rows:
            turned.update(turned_here)
            overdue = overdue or expired
            if held:
                outcomes[order_id] = Held()
            elif status is not None:
                outcomes[order_id] = _outcome_of(status)
            elif shortages is not None:
                outcomes[order_id] = Refused(
                    tuple(
                        Shortage(
                            variant_id=UUID(variant_id),
                            sku=skus[UUID(variant_id)],
                            requested=requested,
                            available=available,
                        )
                        for variant_id, requested, available in msgspec.json.decode(shortages)
                    )
                )
        return outcomes, overdue

    def _carts_of(self, requests: Iterable[HoldRequest]) -> dict[UUID, _Promise]:
        """The hold that each order takes over. A cart's goes to the first order that names it."""
        order_of: dict[UUID, UUID] = {}
        for request in requests:
            if request.instead_of is not None:
                order_of.setdefault(request.instead_of, request.order_id)
        return {
            order_of[found.id]: found
            for found in self._read(order_of)
            if found.is_held and found.holder == Holder.CART
        }

    def hold_for_cart(
        self,
        cart_id: UUID,
        lines: Iterable[HoldLine],
        *,
        now: datetime,
        expires_at: datetime,
        turned: set[UUID],
    ) -> HoldOutcome:
        """Hold these lines for a cart until then, in place of whatever it held; or leave that.

        What the cart holds already counts as free for it. Repeatable: the same lines again only
        last longer.
        """
        lines = rules.summed(lines)
        wanted = {line.variant_id: line.quantity for line in lines}
        idle = 0
        while True:
            found = next(iter(self._read([cart_id])), None)
            if found is not None and found.holder != Holder.CART:
                raise NotHeld(f"{cart_id} is an order's.")
            before = found.quantities if found is not None and found.is_held else {}
            deltas = rules.changes(before, wanted)
            if not deltas:
                if self.extend(cart_id, expires_at=expires_at):
                    return Held()
                continue
            skus = {line.variant_id: line.sku for line in lines}
            if found is not None:
                skus |= found.skus
            reserved = StockReserved(
                order_id=cart_id,
                lines=told(lines),
                holder=Holder.CART.value,
                expires_at=expires_at,
                occurred_at=now,
            )
            [(made, short, expired, turned_here)] = self.command(
                holding_sql.hold_for_cart_text(),
                [
                    as_array(deltas),
                    as_array(deltas.values()),
                    as_array(deltas),
                    cart_id,
                    now,
                    expires_at,
                    str(found.version if found is not None else 0),
                    as_array(wanted),
                    as_array(new_id() for _ in wanted),
                    as_array(wanted),
                    as_array(wanted.values()),
                    now,
                    self._carriers(
                        {variant_id: skus[variant_id] for variant_id in deltas},
                        directions=(False, True),
                        now=now,
                    ),
                    self._as_rows(outbox_rows([reserved], key=cart_id, first_sequence=0)),
                    now,
                ],
            )
            turned.update(turned_here)
            if made:
                return Held()
            if short is None:
                continue  # somebody changed the cart's hold since it was read
            refused = Refused(
                tuple(
                    Shortage(
                        variant_id=variant_id,
                        sku=skus[variant_id],
                        requested=wanted[variant_id],
                        available=max(remaining, 0) + before.get(variant_id, 0),
                    )
                    for variant_id, remaining in sorted(
                        (UUID(text), left) for text, left in msgspec.json.decode(short)
                    )
                )
            )
            if not expired or idle == PATIENCE:
                return refused
            overdue, freed = self._free_for([refused], now=now, turned=turned)
            if not overdue:
                return refused
            idle += freed == 0

    def extend(self, cart_id: UUID, *, expires_at: datetime) -> bool:
        """Let what a cart holds last until then at least. Whether it holds anything."""
        return bool(self.command(holding_sql.EXTEND, [expires_at, cart_id]))

    def release(self, holder_id: UUID, *, holder: Holder, now: datetime, turned: set[UUID]) -> bool:
        """Free what is held for an order or a cart. Whether this call freed anything.

        Whatever was the case before, an order can never be held again afterwards; a cart can.
        """
        while True:
            found = next(iter(self._read([holder_id])), None)
            if found is None and holder == Holder.ORDER:
                # Never held: a tombstone refuses a hold that comes late. If the order is being
                # held at this moment the tombstone waits for it, is not written, and the lines
                # are there in the next round.
                if self.command(holding_sql.TOMBSTONE, [holder_id, now, now]):
                    return False
                continue
            if found is None or not found.is_held:
                return False
            if found.holder != holder:
                raise NotHeld(f"{holder_id} is no {holder}'s.")
            if self._free([found], now=now, turned=turned, waiting=True):
                return True

    def free_expired(
        self,
        *,
        now: datetime,
        turned: set[UUID],
        of: Iterable[UUID] | None = None,
        limit: int = EXPIRY_BATCH,
    ) -> tuple[int, int]:
        """Free what carts hold beyond their time, at most so many of them, the oldest first.

        of: only of carts that hold some of these variants. Who is being changed by somebody else
        is left out. Returns how many were due, and how many of them this call freed.
        """
        due = self.using(self._alias).filter(status=HoldState.HELD, expires_at__lte=now)
        if of is not None:
            lines = self.model._meta.get_field("line_rows").related_model.objects
            wanted = lines.using(self._alias).filter(stock_item_id__in=list(of))
            due = due.filter(models.Exists(wanted.filter(reservation_id=models.OuterRef("pk"))))
        ids = list(due.order_by("expires_at").values_list("pk", flat=True)[:limit])
        found = [f for f in self._read(ids) if f.is_held] if ids else []
        freed = self._free(found, now=now, turned=turned, expired=True) if found else 0
        return len(found), freed

    def _free_for(
        self, outcomes: Iterable[HoldOutcome], *, now: datetime, turned: set[UUID]
    ) -> tuple[int, int]:
        """Free expired holds of what these outcomes lack: how many were due, how many freed."""
        lacking = {
            shortage.variant_id
            for outcome in outcomes
            if isinstance(outcome, Refused)
            for shortage in outcome.shortages
        }
        return self.free_expired(now=now, turned=turned, of=lacking) if lacking else (0, 0)

    def _free(
        self,
        found: Sequence[_Promise],
        *,
        now: datetime,
        turned: set[UUID],
        expired: bool = False,
        waiting: bool = False,
    ) -> int:
        lines = [
            (promise.id, variant_id, quantity)
            for promise in found
            for variant_id, quantity in promise.quantities.items()
        ]
        skus = {v: sku for promise in found for v, sku in promise.skus.items()}
        facts: list[OutboxRow] = []
        for promise in found:
            event = _released(promise, now=now, expired=expired)
            facts += outbox_rows([event], key=promise.id, first_sequence=0)
        ids = as_array(promise.id for promise in found)
        freed = self.command(
            holding_sql.free_text(waiting=waiting),
            [
                *(as_array(column) for column in zip(*lines, strict=True)),
                as_array(sorted(skus)),
                ids,
                as_array(promise.version for promise in found),
                ids,
                now,
                "expired" if expired else "",
                now,
                self._carriers(skus, directions=(True,), now=now),
                self._as_rows(facts),
            ],
        )
        for _, turned_here in freed:
            turned.update(turned_here)
        return len(freed)

    def _read(self, ids: Iterable[UUID]) -> list[_Promise]:
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
        found: dict[UUID, _Promise] = {}
        for reservation_id, holder, status, version, variant_id, quantity, sku in rows:
            promise = found.setdefault(
                reservation_id, _Promise(reservation_id, holder, status, version, {}, {})
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


def _released(promise: _Promise, *, now: datetime, expired: bool = False) -> StockReleased:
    return StockReleased(
        order_id=promise.id, holder=promise.holder, expired=expired, occurred_at=now
    )


def _outcome_of(status: str) -> HoldOutcome:
    return Released() if status == HoldState.RELEASED else Held()


def as_array(values: Iterable[object]) -> str:
    """An array as text, so that the parameter's type, and with it the plan, is always the same."""
    return "{" + ",".join(map(str, values)) + "}"
