"""Carts that go into another one: frozen on their way, so that each arrives once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.carts.events import CartUpdated
from domains.carts.models import merge_scripts as script
from domains.carts.models.calls import CartCalls, cart_of
from domains.carts.models.carts import Cart, Keys, read_cart
from infrastructure.outbox import hint


class MergeCalls(CartCalls):
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
        return read_cart(source_id, cart_of(answer))

    def apply_merge(self, *, source: Cart, now: datetime) -> str:
        """Put the source's lines into the cart where it is going, unless that was done. `ok`;
        `frozen`: not now, and not as this attempt any more; `gone`: never.

        A quantity that would be too large is cut, and lines beyond the most are left out. A note
        goes below the target's, where both fit. What was told of a line is what was told of it in
        the target, or else in the source.
        """
        assert source.into is not None
        assert source.by is not None
        place = {"country": source.country or "", "region": source.region}
        groups = [
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
            "seen": {line.sku: line.seen.text for line in source.lines if line.seen is not None},
            "groups": [group for group in groups if group["fields"][group["first"]]],  # type: ignore[index]
            "note": source.note,
            "coupons": list(source.coupons),
        }
        code = self._write(
            script.APPLY_MERGE,
            source.into,
            [Keys.of(source.into).current(source.by)],
            given,
            owner=source.by,
            event=CartUpdated,
            now=now,
        )[0]
        hint.ring()
        return str(code)

    def finish_merge(self, *, source: Cart, now: datetime) -> None:
        self._write(
            script.FINISH_MERGE,
            source.id,
            [Keys.of(source.id).merging],
            {"attempt": source.attempt},
            owner=None,
            event=CartUpdated,
            now=now,
        )
        hint.ring()

    def undo_merge(self, *, source: Cart, now: datetime) -> Cart | None:
        """The source, open again; or `into` another one, where it is a customer's who has an open
        one. None where this attempt had ended before."""
        given = {"attempt": source.attempt}
        merging = Keys.of(source.id).merging
        return self._give_back(script.UNDO_MERGE, source, merging, [], given, now=now)

    def merging(self, *, source_id: UUID) -> Cart | None:
        """A cart that is on its way into another; None where it is not (any more)."""
        return self._found(source_id, "MERGING")

    def merged_into(self, *, cart_id: UUID) -> UUID | None:
        """Which cart this one went into; None where it did not."""
        fields = self._scripts.all_of(Keys.of(cart_id).cart)
        return UUID(fields["into"]) if fields.get("state") == "MERGED" else None

    def merging_since(self, *, before: datetime, at_most: int) -> list[UUID]:
        found = [(at, member) for member, at in self._indexed("merging", before, at_most)]
        return [UUID(member) for _, member in sorted(found)[:at_most]]

    def put_off_merge(self, *, source_id: UUID, now: datetime) -> None:
        """Put one, as `merging_since` told it, behind all others that were begun before."""
        merging = (Keys.of(source_id).merging, str(source_id))
        self._scripts.move_on([merging], int(now.timestamp() * 1000))
