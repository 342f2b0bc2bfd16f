"""Carts that become orders: frozen until the order is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.carts.events import CartCheckedOut
from domains.carts.models import scripts as script
from domains.carts.models.calls import CartCalls, cart_of, version_given
from domains.carts.models.carts import Cart, Keys, read_cart
from infrastructure.events.event import Event
from infrastructure.outbox import hint


class CheckoutCalls(CartCalls):
    def freeze(
        self,
        *,
        cart_id: UUID,
        order_id: UUID,
        owner: UUID | None,
        version: int | None,
        now: datetime,
    ) -> Cart:
        """The cart, frozen for this order or for the one that was first.

        Raises CartNotFound, CartFrozen (while it is being merged), CartCheckedOut, CartChanged,
        CartEmpty.
        """
        answer = self._write(
            script.FREEZE,
            cart_id,
            [Keys.of(cart_id).frozen],
            {"order_id": str(order_id)} | version_given(version),
            owner=owner,
            now=now,
        )
        return read_cart(cart_id, cart_of(answer))

    def close(self, *, cart_id: UUID, order_id: UUID, now: datetime) -> bool:
        """Whether the cart has become this order, by this call or before."""
        closed = self._decide(script.CLOSE, cart_id, order_id, CartCheckedOut, now)
        if closed:
            hint.ring()
        return closed

    def reopen(self, *, cart_id: UUID, order_id: UUID, is_held: bool = True, now: datetime) -> bool:
        """Whether this call gave the cart back. is_held: whether what was held for it still is."""
        return self._decide(script.REOPEN, cart_id, order_id, None, now, is_held=is_held)

    def _decide(
        self,
        text: str,
        cart_id: UUID,
        order_id: UUID,
        event: type[Event] | None,
        now: datetime,
        *,
        is_held: bool = True,
    ) -> bool:
        answer = self._write(
            text,
            cart_id,
            [Keys.of(cart_id).frozen],
            {"order_id": str(order_id), "held": "1" if is_held else ""},
            owner=None,
            event=event,
            now=now,
        )
        return bool(answer[0] == "ok")

    def frozen_since(self, *, before: datetime, at_most: int) -> list[tuple[UUID, UUID]]:
        """(cart, order) of carts that were frozen before an instant, the oldest first."""
        found = []
        for member, at in self._indexed("frozen", before, at_most):
            cart_id, order_id = member.split(" ")
            found.append((at, UUID(cart_id), UUID(order_id)))
        return [(cart_id, order_id) for _, cart_id, order_id in sorted(found)[:at_most]]

    def look_again(self, frozen: Sequence[tuple[UUID, UUID]], *, now: datetime) -> None:
        """Put these, as `frozen_since` told them, behind all others that were frozen before."""
        self._scripts.move_on(
            [(Keys.of(cart_id).frozen, f"{cart_id} {order_id}") for cart_id, order_id in frozen],
            int(now.timestamp() * 1000),
        )
