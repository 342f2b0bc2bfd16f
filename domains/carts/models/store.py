"""The repository of carts: each command is one script on one cart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import msgspec

from domains.carts import errors
from domains.carts.events import CartUpdated
from domains.carts.models import scripts as script
from domains.carts.models.calls import cart_of, refuse, refuse_unless_ok, version_given
from domains.carts.models.carts import Cart, Change, Hold, Keys, hold_text, read_cart
from domains.carts.models.checkouts import CheckoutCalls
from domains.carts.models.connection import scripts
from domains.carts.models.merging import MergeCalls
from infrastructure.http.idempotency import KEPT_FOR
from infrastructure.outbox import hint
from infrastructure.outbox.publisher import shard_of


@dataclass(frozen=True, slots=True)
class Once:
    """An Idempotency-Key: a name that only its client can have given, and what was asked."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Made:
    """The cart, and whether an earlier request had done it already."""

    cart: Cart
    replayed: bool = False
    is_new: bool = False


class CartStore(CheckoutCalls, MergeCalls):
    def create(
        self,
        *,
        owner: UUID | None,
        currency: str,
        channel: str | None,
        once: Once | None,
        now: datetime,
    ) -> Made:
        """A new cart; or the customer's current one where that is open; or what the key made.

        Raises IdempotencyKeyReused, CartNotFound if what the key made is gone.
        """
        place = str(owner) if owner else once.name if once else str(uuid4())
        expected = self._current(owner) if owner else None
        while True:
            cart_id = new_cart_id(shard_of(place))
            keys = Keys.of(cart_id)
            given = {
                "currency": currency,
                "channel": channel or "",
                "expected": str(expected or ""),
            }
            current = Keys.of(expected).cart if expected else keys.cart
            answer = self._write(
                script.CREATE,
                cart_id,
                [keys.current(owner), keys.once(once.name if once else ""), current],
                given | _once_given(once),
                owner=owner,
                event=CartUpdated,
                now=now,
            )
            code, told = answer
            if code == "ok":
                hint.ring()
                return Made(read_cart(cart_id, told), is_new=True)
            if code == "again":
                expected = UUID(told) if told else None
            elif code in ("current", "replayed"):
                found = self.read(cart_id=UUID(told), owner=owner, now=now)
                return Made(found, replayed=code == "replayed")
            elif code != "taken":
                refuse(answer)

    def current(self, *, owner: UUID, now: datetime) -> Cart:
        """Raises CartNotFound."""
        cart_id = self._current(owner)
        if cart_id is None:
            raise errors.CartNotFound
        try:
            return self.read(cart_id=cart_id, owner=owner, now=now)
        except errors.CartCheckedOut as error:
            raise errors.CartNotFound from error

    def read(self, *, cart_id: UUID, owner: UUID | None, now: datetime) -> Cart:
        """Raises CartNotFound, CartCheckedOut."""
        answer = self._read(script.READ, cart_id, {}, owner=owner, now=now)
        return read_cart(cart_id, cart_of(answer))

    def change(
        self,
        *,
        cart_id: UUID,
        owner: UUID | None,
        changes: Sequence[Change] = (),
        fields: Mapping[str, str] | None = None,
        version: int | None = None,
        once: Once | None = None,
        now: datetime,
    ) -> Made:
        """Change lines and fields, all of them or nothing.

        Raises CartNotFound, CartFrozen, CartCheckedOut, CartChanged, IdempotencyKeyReused,
        TooManyLines, QuantityTooLarge, CartTooLarge.
        """
        keys = Keys.of(cart_id)
        given = {"changes": msgspec.to_builtins(list(changes)), "fields": dict(fields or {})}
        answer = self._write(
            script.CHANGE,
            cart_id,
            [keys.current(owner), keys.once(once.name if once else "")],
            given | _once_given(once) | version_given(version),
            owner=owner,
            event=CartUpdated,
            now=now,
        )
        cart = read_cart(cart_id, cart_of(answer))
        hint.ring()
        return Made(cart, replayed=answer[0] == "replayed")

    def see(
        self,
        *,
        cart_id: UUID,
        owner: UUID | None,
        seen: Mapping[str, str],
        again: bool,
        now: datetime,
    ) -> None:
        """Remember what was told of lines; again: also where something was told before."""
        given = {"seen": dict(seen), "again": again}
        self._read(script.SEE, cart_id, given, owner=owner, now=now)

    def note_hold(
        self, *, cart_id: UUID, owner: UUID | None, hold: Hold | None, now: datetime
    ) -> str:
        """Remember what products hold for the cart; None: nothing. `ok`; `frozen`: not now, and it
        may be open again; `gone`: it was ordered, merged or thrown away, or is another's. That
        nothing is to be held is remembered of a frozen one, too."""
        given = {"hold": hold_text(hold)}
        code = self._read(script.NOTE_HOLD, cart_id, given, owner=owner, now=now)[0]
        return str(code) if code in ("ok", "frozen") else "gone"

    def delete(
        self, *, cart_id: UUID, owner: UUID | None, version: int | None, now: datetime
    ) -> None:
        """Raises CartNotFound, CartFrozen, CartCheckedOut, CartChanged."""
        answer = self._write(
            script.DELETE,
            cart_id,
            [],
            version_given(version),
            owner=owner,
            event=CartUpdated,
            now=now,
        )
        refuse_unless_ok(answer)
        hint.ring()

    def event_counts(self) -> Iterator[tuple[UUID, int]]:
        """(cart, events it has recorded) of all carts of which something is known."""
        keys = self._scripts.keys_like("{c??}:cart:*")
        while some := list(islice(keys, 1000)):
            for key, count in zip(some, self._scripts.field_of(some, "sequence"), strict=True):
                if count is not None:
                    yield UUID(key.rpartition(":")[2]), int(count)

    def _current(self, owner: UUID) -> UUID | None:
        key = f"{Keys.of(owner).slot}:current:{owner}"
        text = self._scripts.get(key)
        return UUID(text) if text else None


def new_cart_id(shard: int) -> UUID:
    """A random id in a shard. It is a guest cart's only key: of its 122 random bits, the choice
    among the shards leaves more than 118."""
    while True:
        cart_id = uuid4()
        if shard_of(str(cart_id)) == shard:
            return cart_id


@cache
def store() -> CartStore:
    return CartStore(scripts())


def _once_given(once: Once | None) -> dict[str, Any]:
    if once is None:
        return {}
    return {"once": once.fingerprint, "once_ms": int(KEPT_FOR.total_seconds() * 1000)}
