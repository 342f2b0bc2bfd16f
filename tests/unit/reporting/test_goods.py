from __future__ import annotations

from typing import Any

import pytest

from domains.reporting.rules import goods
from domains.reporting.rules.goods import Stock
from tests.support.book_rows import (
    DUE,
    HEART,
    ID,
    LANTERN,
    OLD,
    YOUNG,
    ended,
    hold,
    order,
    payment,
    pending,
    placement,
)


class TestStock:
    @staticmethod
    def stock(**changes: int) -> Stock:
        same = {"on_hand": 9, "ledger_on_hand": 9, "levels_on_hand": 9}
        held = {"held": 2, "ledger_held": 2, "reserved": 2, "oversold_holds": 0}
        return Stock(sku="71053", **same | held | changes)

    def test_equal_numbers_are_no_finding(self) -> None:
        assert list(goods.stock_findings([self.stock()])) == []

    @pytest.mark.parametrize(
        ("changes", "detail"),
        [
            ({"on_hand": 8}, "on hand: counter 8, ledger 9, warehouses 9"),
            ({"ledger_on_hand": 8}, "on hand: counter 9, ledger 8, warehouses 9"),
            ({"levels_on_hand": 8}, "on hand: counter 9, ledger 9, warehouses 8"),
            ({"held": 1}, "held: counter 1, ledger 2, reservations 2"),
            ({"ledger_held": 1}, "held: counter 2, ledger 1, reservations 2"),
            ({"reserved": 1}, "held: counter 2, ledger 2, reservations 1"),
            ({"oversold_holds": 3}, "oversold: 3 holds took more than there was"),
        ],
    )
    def test_whatever_differs_is_named(self, changes: dict[str, int], detail: str) -> None:
        (finding,) = goods.stock_findings([self.stock(**changes)])

        assert (finding.subject, finding.detail) == ("SKU 71053", detail)
        assert not finding.in_flight


class TestHolds:
    @pytest.mark.parametrize(
        "what",
        [
            {"order": order(), "hold": hold()},
            {"order": pending(), "hold": hold()},
            {"order": pending()},
            {"order": ended()},
            {"payment": payment()},
        ],
    )
    def test_what_is_right_is_no_finding(self, what: dict[str, Any]) -> None:
        assert goods.hold_finding(placement(**what), due=DUE) is None

    @pytest.mark.parametrize(
        ("what", "detail", "in_flight"),
        [
            ({"order": order()}, "confirmed, and nothing is held", False),
            ({"hold": hold()}, "3 pieces of 1 variants held without an order", False),
            (
                {"hold": hold(created_at=YOUNG)},
                "3 pieces of 1 variants held without an order",
                True,
            ),
            (
                {"order": ended(), "hold": hold()},
                "3 pieces of 1 variants held for an order that has ended",
                False,
            ),
            (
                {"order": ended(unsettled_since=OLD), "hold": hold()},
                "3 pieces of 1 variants held for an order that has ended",
                False,
            ),
            (
                {"order": ended(unsettled_since=YOUNG), "hold": hold()},
                "3 pieces of 1 variants held for an order that has ended",
                True,
            ),
            (
                {"order": order(), "hold": hold(lines={LANTERN: 2, HEART: 1})},
                f"{LANTERN}: to be sent 3, held 2; {HEART}: to be sent 0, held 1",
                False,
            ),
            (
                {"order": pending(placed_at=YOUNG), "hold": hold(lines={})},
                f"{LANTERN}: to be sent 3, held 0",
                False,
            ),
        ],
    )
    def test_what_is_wrong_is_named(
        self, what: dict[str, Any], detail: str, in_flight: bool
    ) -> None:
        finding = goods.hold_finding(placement(**what), due=DUE)

        assert finding is not None
        assert (finding.detail, finding.in_flight) == (detail, in_flight)

    def test_a_row_is_named_by_its_order(self) -> None:
        finding = goods.hold_finding(placement(order=order()), due=DUE)

        assert finding is not None
        assert finding.subject == f"order 7Q4M2XWJK {ID}"
