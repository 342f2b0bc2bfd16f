"""Holding stock for orders and carts: all lines of one or none, decided inside one statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import msgspec

from domains.products.errors import NotHeld
from domains.products.events import StockReserved
from domains.products.models import cart_holds_sql, holding_sql
from domains.products.models.freeing import FreeingQuerySet
from domains.products.models.promises import Promise, as_array, refusal_of, released, told
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
from infrastructure.ids import new_id
from infrastructure.observability import correlation
from infrastructure.outbox.publisher import OutboxRow, outbox_rows

# How often a hold looks again when others seem to be freeing what it lacks.
PATIENCE = 3


class ReservationQuerySet(FreeingQuerySet):
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
                    facts += outbox_rows([released(cart, now=now)], key=cart.id, first_sequence=0)
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

    def _carts_of(self, requests: Iterable[HoldRequest]) -> dict[UUID, Promise]:
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
        instead_of: UUID | None = None,
        unless_held: bool = False,
    ) -> HoldOutcome:
        """Hold these lines for a cart until then, in place of whatever it held, and of what the
        cart `instead_of` holds; or leave both. unless_held: where it holds anything, that stays.

        What they hold already counts as free for it. Repeatable: the same lines again only last
        longer.
        """
        lines = rules.summed(lines)
        wanted = {line.variant_id: line.quantity for line in lines}
        idle = 0
        while True:
            ids = [cart_id] if instead_of is None else [cart_id, instead_of]
            found = {promise.id: promise for promise in self._read(ids)}
            own = found.pop(cart_id, None)
            if own is not None and own.holder != Holder.CART:
                raise NotHeld(f"{cart_id} is an order's.")
            if unless_held and own is not None and own.is_held:
                return Held()
            source = next(
                (f for f in found.values() if f.is_held and f.holder == Holder.CART), None
            )
            before = Counter(own.quantities if own is not None and own.is_held else {})
            if source is not None:
                before.update(source.quantities)
            deltas = rules.changes(before, wanted)
            if not deltas and source is None:
                if self.extend(cart_id, expires_at=expires_at):
                    return Held()
                continue
            skus = {line.variant_id: line.sku for line in lines}
            for promise in (own, source):
                skus |= promise.skus if promise is not None else {}
            reserved = StockReserved(
                order_id=cart_id,
                lines=told(lines),
                holder=Holder.CART.value,
                expires_at=expires_at,
                occurred_at=now,
            )
            facts = outbox_rows([reserved], key=cart_id, first_sequence=0)
            if source is not None:
                facts += outbox_rows([released(source, now=now)], key=source.id, first_sequence=0)
            [(made, short, expired, turned_here)] = self.command(
                cart_holds_sql.hold_for_cart_text(
                    is_new=own is None, with_source=source is not None
                ),
                [
                    as_array(deltas),
                    as_array(deltas.values()),
                    as_array(sorted(deltas.keys() | (source.quantities.keys() if source else ()))),
                    *(
                        (as_array([cart_id, source.id]), source.id, source.version)
                        if source
                        else ()
                    ),
                    cart_id,
                    now,
                    expires_at,
                    *(() if own is None else (own.version,)),
                    as_array(wanted),
                    as_array(new_id() for _ in wanted),
                    as_array(wanted),
                    as_array(wanted.values()),
                    now,
                    *((now, as_array(source.quantities), now) if source else ()),
                    self._carriers(
                        {variant_id: skus[variant_id] for variant_id in deltas},
                        directions=(False, True),
                        now=now,
                    ),
                    self._as_rows(facts),
                    now,
                ],
            )
            turned.update(turned_here)
            if made:
                return Held()
            if short is None:
                continue  # somebody changed one of the holds since it was read
            if self._moved_on(ids, [own, source]):
                continue  # and so what counts as free for it is another
            refused = refusal_of(short, skus=skus, requested=wanted, already=before)
            if not expired or idle == PATIENCE:
                return refused
            overdue, freed = self._free_for([refused], now=now, turned=turned)
            if not overdue:
                return refused
            idle += freed == 0

    def _moved_on(self, ids: Iterable[UUID], seen: Iterable[Promise | None]) -> bool:
        """Whether any of these holds was changed, made or let go since it was seen."""
        before = {promise.id: promise.version for promise in seen if promise is not None}
        after = {
            promise.id: promise.version
            for promise in self._read(ids)
            if promise.id in before or (promise.is_held and promise.holder == Holder.CART)
        }
        return after != before

    def extend(self, cart_id: UUID, *, expires_at: datetime) -> bool:
        """Let what a cart holds last until then at least. Whether it holds anything."""
        return bool(self.command(cart_holds_sql.EXTEND, [expires_at, cart_id]))


def _outcome_of(status: str) -> HoldOutcome:
    return Released() if status == HoldState.RELEASED else Held()
