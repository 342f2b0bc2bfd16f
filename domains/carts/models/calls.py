"""Calling a script on one cart, and reading what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from domains.carts import errors
from domains.carts.models.carts import Cart, Keys, index_key, read_cart
from domains.carts.models.connection import Scripts
from domains.carts.rules import limits
from infrastructure.events.event import Event
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.outbox.publisher import SHARDS
from infrastructure.outbox.streams import envelope_of


class CartCalls:
    """What the commands on carts have in common."""

    def __init__(self, connection: Scripts) -> None:
        self._scripts = connection

    def _indexed(self, name: str, before: datetime, at_most: int) -> Iterable[tuple[str, float]]:
        latest = f"({before.timestamp() * 1000:.0f}"
        for shard in range(SHARDS):
            yield from self._scripts.first_of(index_key(shard, name), latest, at_most)

    def _given(self, cart_id: UUID, *, owner: UUID | None, now: datetime) -> dict[str, Any]:
        return {
            "cart": str(cart_id),
            "owner": str(owner or ""),
            "now": now.isoformat(),
            "now_ms": int(now.timestamp() * 1000),
            "guest_ms": settings.CART_GUEST_DAYS * 86_400_000,
            "customer_ms": settings.CART_CUSTOMER_DAYS * 86_400_000,
            "tomb_ms": settings.CART_TOMBSTONE_DAYS * 86_400_000,
            "most_lines": limits.MAX_LINES,
            "most_quantity": limits.MAX_QUANTITY,
            "most_size": limits.MAX_BYTES,
            "most_coupons": limits.MAX_COUPONS,
            "most_note": limits.NOTE_LENGTH,
            "most_line_note": limits.LINE_NOTE_LENGTH,
            "most_merged": limits.MAX_MERGED,
        }

    def _read(
        self,
        text: str,
        cart_id: UUID,
        what: Mapping[str, Any],
        *,
        owner: UUID | None,
        now: datetime,
    ) -> list[Any]:
        """Of a script that records nothing."""
        keys = Keys.of(cart_id)
        given = self._given(cart_id, owner=owner, now=now) | dict(what)
        all_keys = [keys.cart, keys.outbox, keys.current(owner)]
        return self._scripts.read(text, all_keys, msgspec.json.encode(given))

    def _write(
        self,
        text: str,
        cart_id: UUID,
        further_keys: Sequence[str],
        what: Mapping[str, Any],
        *,
        owner: UUID | None,
        event: type[Event] | None = None,
        now: datetime,
    ) -> list[Any]:
        keys = Keys.of(cart_id)
        given = self._given(cart_id, owner=owner, now=now) | dict(what)
        if event is not None:
            given["envelope"] = envelope_of(event, now=now)
        all_keys = [keys.cart, keys.outbox, *further_keys]
        return self._scripts.write(text, all_keys, msgspec.json.encode(given))

    def _give_back(
        self,
        text: str,
        cart: Cart,
        index: str,
        further_keys: Sequence[str],
        what: Mapping[str, Any],
        *,
        now: datetime,
    ) -> Cart | None:
        """The cart, open again or on its way into its customer's other one; None where it is not
        as it was read. index: the sorted set that it is taken out of."""
        expected: UUID | None = cart.id
        while True:
            keys = Keys.of(cart.id)
            current = Keys.of(expected).cart if expected else keys.cart
            answer = self._write(
                text,
                cart.id,
                [index, keys.current(cart.customer_id), current, *further_keys],
                {"expected": str(expected or "")} | dict(what),
                owner=cart.customer_id,
                now=now,
            )
            code, *told = answer
            if code == "ok":
                return read_cart(cart.id, told[0])
            if code == "other":
                return None
            expected = UUID(told[0]) if told[0] else None

    def _found(self, cart_id: UUID, state: str) -> Cart | None:
        """A cart as it is, whoever asks; None where it is not in this state."""
        fields = self._scripts.all_of(Keys.of(cart_id).cart)
        if fields.get("state") != state:
            return None
        return read_cart(cart_id, [text for pair in fields.items() for text in pair])


def version_given(version: int | None) -> dict[str, Any]:
    return {} if version is None else {"version": version}


def cart_of(answer: list[Any]) -> list[str]:
    refuse_unless_ok(answer)
    flat: list[str] = answer[1]
    return flat


def refuse_unless_ok(answer: list[Any]) -> None:
    if answer[0] not in ("ok", "replayed"):
        refuse(answer)


def refuse(answer: list[Any]) -> None:
    code = answer[0]
    if code == "checked_out":
        raise errors.CartCheckedOut(order_id=UUID(answer[1]))
    if code == "key_reused":
        raise IdempotencyKeyReused("This Idempotency-Key came with another body before.")
    raise _REFUSALS[code]()


_REFUSALS: Mapping[str, type[errors.CartError]] = {
    "not_found": errors.CartNotFound,
    "frozen": errors.CartFrozen,
    "changed": errors.CartChanged,
    "empty": errors.CartEmpty,
    "not_mergeable": errors.CartNotMergeable,
    "too_many_lines": errors.TooManyLines,
    "quantity_too_large": errors.QuantityTooLarge,
    "too_large": errors.CartTooLarge,
}
