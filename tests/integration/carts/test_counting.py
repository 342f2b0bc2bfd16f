"""Carts are told of for the audit, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID


def test_carts_are_counted_without_being_remembered(carts, monkeypatch):
    told = [UUID(int=1), UUID(int=2), UUID(int=1)]

    def scan(**_: object) -> Iterator[str]:
        """As a server does that grows meanwhile."""
        yield from (f"{{c00}}:cart:{cart_id}" for cart_id in told)

    monkeypatch.setattr(carts._scripts.client, "scan_iter", scan)
    monkeypatch.setattr(carts._scripts, "field_of", lambda keys, field: ["1"] * len(keys))

    assert list(carts.event_counts()) == [(cart_id, 1) for cart_id in told]
