"""Carts that become orders: frozen until the order is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.carts.events import CartCheckedOut
from domains.carts.models import scripts as script
from domains.carts.models.calls import CartCalls, cart_of, version_given
from domains.carts.models.carts import Cart, Hold, Keys, hold_text, read_cart
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
        answer = self._write(
            script.CLOSE,
            cart_id,
            [Keys.of(cart_id).frozen],
            {"order_id": str(order_id)},
            owner=None,
            event=CartCheckedOut,
            now=now,
        )
        if answer[0] != "ok":
            return False
        hint.ring()
        return True

    def frozen_for(self, *, cart_id: UUID, order_id: UUID) -> Cart | None:
        """The cart, whoever's it is; None where it is not frozen for this order (any more)."""
        cart = self._found(cart_id, "FROZEN")
        return cart if cart is not None and cart.order_id == order_id else None

    def reopen(self, *, frozen: Cart, hold: Hold | None, now: datetime) -> Cart | None:
        """The cart, open again; or `into` its customer's other one, which is open. None where
        somebody else has given it back. hold: what is held for it by now, unless it was let go of
        meanwhile."""
        keys = Keys.of(frozen.id)
        given = {"order_id": str(frozen.order_id), "hold": hold_text(hold)}
        return self._give_back(script.REOPEN, frozen, keys.frozen, [keys.merging], given, now=now)

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
