"""A cart as it was read, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec

from domains.carts.rules.changes import Seen
from domains.pricing.public import distinct_coupons
from infrastructure.outbox.publisher import shard_of
from infrastructure.outbox.streams import stream_key, tag, tag_of

# What begins the tags of carts: {c00} to {c11}.
PREFIX = "c"


class CartStatus(StrEnum):
    """FROZEN: an order is being made of it, or it is on its way into another cart."""

    OPEN = "OPEN"
    FROZEN = "FROZEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class CartLine:
    """`seen` is what the customer was told of it last, if anything."""

    sku: str
    quantity: int
    note: str = ""
    seen: Seen | None = None


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each SKU products hold for a cart, and until when at least."""

    until: datetime
    quantities: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cart:
    """`order_id`: what it is frozen for. `into`, `by`, `attempt`: where it is going, and
    by whose wish."""

    id: UUID
    version: int
    status: CartStatus
    customer_id: UUID | None
    currency: str
    channel: str | None
    lines: tuple[CartLine, ...]
    coupons: tuple[str, ...]
    shipping_method: str | None
    country: str | None
    region: str
    postcode: str
    note: str
    order_id: UUID | None
    created_at: datetime
    updated_at: datetime
    into: UUID | None = None
    by: UUID | None = None
    attempt: int = 0
    hold: Hold | None = None

    @property
    def skus(self) -> list[str]:
        return [line.sku for line in self.lines]


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of a line. add: so many more; set: so many; quantity 0 takes the line out.
    A note of None leaves the line's as it is."""

    kind: Literal["add", "set"]
    sku: str
    quantity: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a cart and what belongs to it are kept, all of it in one slot of a cluster."""

    cart: str
    outbox: str
    frozen: str
    merging: str
    slot: str

    @classmethod
    def of(cls, cart_id: UUID) -> Keys:
        slot = tag_of(PREFIX, cart_id)
        return cls(
            cart=f"{slot}:cart:{cart_id}",
            outbox=stream_key(PREFIX, shard_of(str(cart_id))),
            frozen=f"{slot}:frozen",
            merging=f"{slot}:merging",
            slot=slot,
        )

    def current(self, owner: UUID | None) -> str:
        """Which cart of the customer's is the current one. Their carts share the slot."""
        return f"{self.slot}:current:{owner or ''}"

    def once(self, key: str) -> str:
        return f"{self.slot}:once:{key}"


def index_key(shard: int, name: str) -> str:
    return f"{tag(PREFIX, shard)}:{name}"


def read_cart(cart_id: UUID, flat: list[str]) -> Cart:
    """The cart in an answer of HGETALL."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    lines = []
    for name, text in fields.items():
        if name.startswith("line:"):
            position, quantity, note = text.split(" ", 2)
            sku = name.removeprefix("line:")
            seen = fields.get(f"seen:{sku}")
            line = CartLine(
                sku=sku,
                quantity=int(quantity),
                note=note,
                seen=None if seen is None else Seen.parse(seen),
            )
            lines.append((int(position), line))
    return Cart(
        id=cart_id,
        version=int(fields["version"]),
        status=CartStatus.OPEN if fields["state"] == "OPEN" else CartStatus.FROZEN,
        customer_id=_id(fields, "customer"),
        currency=fields["currency"],
        channel=fields["channel"] or None,
        lines=tuple(line for _, line in sorted(lines, key=lambda found: found[0])),
        # An earlier version kept a coupon once for each of its spellings.
        coupons=tuple(distinct_coupons(_decode_coupons(fields.get("coupons") or "[]"))),
        shipping_method=fields.get("shipping_method") or None,
        country=fields.get("country") or None,
        region=fields.get("region", ""),
        postcode=fields.get("postcode", ""),
        note=fields.get("note", ""),
        order_id=_id(fields, "order_id"),
        created_at=datetime.fromisoformat(fields["created_at"]),
        updated_at=datetime.fromisoformat(fields["updated_at"]),
        into=_id(fields, "into"),
        by=_id(fields, "by"),
        attempt=int(fields.get("attempt", 0)),
        hold=_decode_hold(fields["hold"]) if "hold" in fields else None,
    )


def hold_text(hold: Hold | None) -> str:
    """The note of a hold; of none, nothing."""
    return "" if hold is None else msgspec.json.encode(hold).decode()


_decode_hold = msgspec.json.Decoder(Hold).decode
_decode_coupons = msgspec.json.Decoder(tuple[str, ...]).decode


def _id(fields: Mapping[str, Any], name: str) -> UUID | None:
    text = fields.get(name)
    return UUID(text) if text else None
