from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import count
from uuid import UUID

from domains.reporting.rules import books, goods, guarantees
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
            return (UUID(int=n) for n in range(50_000))

        tracemalloc.start()
        try:
            placements = books.joined(
                (order(order_id=i) for i in ids()),
                (hold(order_id=i) for i in ids()),
                (payment(payment_id=i) for i in ids()),
            )
            checked = count()
            for found in placements:
                next(checked)
                assert goods.hold_finding(found, due=DUE) is None
                assert guarantees.payment_finding(found, due=DUE) is None
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert next(checked) == 50_000
        assert peak < 100_000
