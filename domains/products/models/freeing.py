"""Freeing what is held: because an order or a cart ends, or because a cart's time is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import models

from domains.products.errors import NotHeld
from domains.products.models import holding_sql
from domains.products.models.promises import Promise, PromiseQuerySet, as_array, released
from domains.products.rules.stock import Holder, HoldOutcome, HoldState, Refused
from infrastructure.outbox.publisher import OutboxRow, outbox_rows

# Carts' holds that one statement frees: no stock row is locked for long.
EXPIRY_BATCH = 200


class FreeingQuerySet(PromiseQuerySet):
    """turned: to what these take, they add the variants of which there is something again: what is
    shown of them is untrue."""

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
        found: Sequence[Promise],
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
            event = released(promise, now=now, expired=expired)
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
