"""The repository of carts: each command is one script on one cart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import msgspec
from django.conf import settings

from domains.carts import errors
from domains.carts.events import CartCheckedOut, CartUpdated
from domains.carts.models import scripts as script
from domains.carts.models.carts import Cart, Change, Hold, Keys, index_key, read_cart
from domains.carts.models.connection import Scripts, scripts
from domains.carts.rules import limits
from infrastructure.events.event import Event
from infrastructure.http.errors import IdempotencyKeyReused
from infrastructure.http.idempotency import KEPT_FOR
from infrastructure.outbox import hint
from infrastructure.outbox.publisher import SHARDS, shard_of
from infrastructure.outbox.streams import envelope_of


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


class CartStore:
    def __init__(self, connection: Scripts) -> None:
        self._scripts = connection

    # Carts and lines

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
                given | _once(once),
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
                _refuse(answer)

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
        given = self._given(cart_id, owner=owner, now=now)
        keys = Keys.of(cart_id)
        answer = self._scripts.read(script.READ, [keys.cart, keys.outbox], _json(given))
        return read_cart(cart_id, _cart_of(answer))

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
            given | _once(once) | _version(version),
            owner=owner,
            event=CartUpdated,
            now=now,
        )
        cart = read_cart(cart_id, _cart_of(answer))
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
        given = self._given(cart_id, owner=owner, now=now)
        given |= {"seen": dict(seen), "again": again}
        keys = Keys.of(cart_id)
        self._scripts.read(script.SEE, [keys.cart, keys.outbox], _json(given))

    def note_hold(
        self, *, cart_id: UUID, owner: UUID | None, hold: Hold | None, now: datetime
    ) -> None:
        """Remember what products hold for the cart; None: nothing."""
        given = self._given(cart_id, owner=owner, now=now)
        given["hold"] = "" if hold is None else msgspec.json.encode(hold).decode()
        keys = Keys.of(cart_id)
        self._scripts.read(script.NOTE_HOLD, [keys.cart, keys.outbox], _json(given))

    def delete(
        self, *, cart_id: UUID, owner: UUID | None, version: int | None, now: datetime
    ) -> None:
        """Raises CartNotFound, CartFrozen, CartCheckedOut, CartChanged."""
        answer = self._write(
            script.DELETE,
            cart_id,
            [],
            _version(version),
            owner=owner,
            event=CartUpdated,
            now=now,
        )
        _refuse_unless_ok(answer)
        hint.ring()

    # Checkout

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
            {"order_id": str(order_id)} | _version(version),
            owner=owner,
            now=now,
        )
        return read_cart(cart_id, _cart_of(answer))

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

    # Merging

    def begin_merge(
        self, *, source_id: UUID, into: UUID | None, by: UUID, now: datetime
    ) -> Cart | UUID:
        """The source, frozen on its way into `into`, or into the cart that was named first; or,
        where it has arrived, that cart's id. Without `into` nothing is begun.

        Raises CartNotFound, CartFrozen, CartCheckedOut, CartNotMergeable.
        """
        answer = self._write(
            script.BEGIN_MERGE,
            source_id,
            [Keys.of(source_id).merging],
            {"into": str(into or "")},
            owner=by,
            now=now,
        )
        if answer[0] == "merged":
            fields = dict(zip(answer[1][::2], answer[1][1::2], strict=True))
            return UUID(fields["into"])
        return read_cart(source_id, _cart_of(answer))

    def apply_merge(self, *, source: Cart, now: datetime) -> str:
        """Put the source's lines into the cart where it is going, unless that was done. `ok`;
        `frozen`: not now, and not as this attempt any more; `gone`: never.

        A quantity that would be too large is cut, and lines beyond the most are left out.
        """
        assert source.into is not None
        assert source.by is not None
        place = {"country": source.country or "", "region": source.region}
        groups = [
            {"first": "note", "fields": {"note": source.note}},
            {"first": "country", "fields": place | {"postcode": source.postcode}},
            {"first": "shipping_method", "fields": {"shipping_method": source.shipping_method}},
        ]
        given = {
            "source": str(source.id),
            "attempt": source.attempt,
            "changes": [
                {"kind": "add", "sku": line.sku, "quantity": line.quantity}
                | ({"note": line.note} if line.note else {})
                for line in source.lines
            ],
            "groups": [group for group in groups if group["fields"][group["first"]]],  # type: ignore[index]
            "coupons": list(source.coupons),
        }
        code = self._write(
            script.APPLY_MERGE, source.into, [], given, owner=source.by, event=CartUpdated, now=now
        )[0]
        hint.ring()
        return str(code)

    def finish_merge(self, *, source: Cart, now: datetime) -> None:
        self._end_merge(script.FINISH_MERGE, source, CartUpdated, now)
        hint.ring()

    def undo_merge(self, *, source: Cart, now: datetime) -> None:
        self._end_merge(script.UNDO_MERGE, source, None, now)

    def _end_merge(self, text: str, source: Cart, event: type[Event] | None, now: datetime) -> None:
        self._write(
            text,
            source.id,
            [Keys.of(source.id).merging],
            {"attempt": source.attempt},
            owner=None,
            event=event,
            now=now,
        )

    def merging(self, *, source_id: UUID) -> Cart | None:
        """A cart that is on its way into another; None where it is not (any more)."""
        fields = self._scripts.all_of(Keys.of(source_id).cart)
        if fields.get("state") != "MERGING":
            return None
        return read_cart(source_id, [text for pair in fields.items() for text in pair])

    def merging_since(self, *, before: datetime, at_most: int) -> list[UUID]:
        found = [(at, member) for member, at in self._indexed("merging", before, at_most)]
        return [UUID(member) for _, member in sorted(found)[:at_most]]

    # The rest

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
        }

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
        return self._scripts.write(text, [keys.cart, keys.outbox, *further_keys], _json(given))


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


def _json(given: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(given)


def _once(once: Once | None) -> dict[str, Any]:
    if once is None:
        return {}
    return {"once": once.fingerprint, "once_ms": int(KEPT_FOR.total_seconds() * 1000)}


def _version(version: int | None) -> dict[str, Any]:
    return {} if version is None else {"version": version}


def _cart_of(answer: list[Any]) -> list[str]:
    _refuse_unless_ok(answer)
    flat: list[str] = answer[1]
    return flat


def _refuse_unless_ok(answer: list[Any]) -> None:
    if answer[0] not in ("ok", "replayed"):
        _refuse(answer)


def _refuse(answer: list[Any]) -> None:
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
