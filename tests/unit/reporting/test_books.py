from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from uuid import UUID

from domains.reporting.rules import books, goods, guarantees
from tests.support import book_rows
from tests.support.book_rows import DUE, hold, order, payment


class TestTheBooksSideBySide:
    def test_rows_of_one_id_meet(self) -> None:
        first, second, third = UUID(int=1), UUID(int=2), UUID(int=3)

        found = books.joined(
            [order(order_id=first), order(order_id=third)],
            [hold(order_id=second), hold(order_id=third)],
            [payment(payment_id=third)],
            [books.Redemption(order_id=second, redeemed_at=DUE)],
        )

        assert [
            (p.order_id, bool(p.order), bool(p.hold), bool(p.payment), bool(p.redemption))
            for p in found
        ] == [
            (first, True, False, False, False),
            (second, False, True, False, True),
            (third, True, True, True, False),
        ]

    def test_memory_stays_flat_over_fifty_thousand_orders(self) -> None:
        def ids() -> Iterator[UUID]:
            return (UUID(int=n) for n in range(1, 50_001))

        held: list[int] = []
        tracemalloc.start()
        try:
            placements = books.joined(
                (order(order_id=i) for i in ids()),
                (hold(order_id=i) for i in ids()),
                (payment(payment_id=i) for i in ids()),
            )
            for found in placements:
                assert goods.hold_finding(found, due=DUE) is None
                assert guarantees.payment_finding(found, due=DUE) is None
                if found.order_id.int % 10_000 == 0:
                    held.append(_held_by_rows())
        finally:
            tracemalloc.stop()

        assert len(held) == 5
        assert max(held) < 50_000


def _held_by_rows() -> int:
    """Bytes of the rows and of what is made of them; whatever other threads hold is not counted."""
    of_rows = [
        tracemalloc.Filter(True, str(module.__file__))
        for module in (book_rows, books, goods, guarantees, sys.modules[__name__])
    ]
    traces = tracemalloc.take_snapshot().filter_traces(of_rows)
    return sum(found.size for found in traces.statistics("filename"))
