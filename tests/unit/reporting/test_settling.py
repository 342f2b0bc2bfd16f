from __future__ import annotations

from typing import Any

import pytest

from domains.reporting.rules import settling
from domains.reporting.rules.books import Order, Stage
from tests.support.book_rows import (
    DUE,
    OLD,
    YOUNG,
    ended,
    hold,
    order,
    payment,
    pending,
    placement,
    released,
    waiting,
)


class TestSettling:
    @pytest.mark.parametrize("settled", [order(), ended()])
    def test_what_is_settled_is_no_finding(self, settled: Order) -> None:
        assert settling.settling_finding(placement(order=settled), due=DUE) is None

    @pytest.mark.parametrize(
        ("what", "in_flight"),
        [
            ({"order": pending(placed_at=YOUNG)}, True),
            ({"order": pending()}, False),
            ({"order": pending(placed_at=YOUNG), "payment": waiting()}, True),
            ({"order": pending(), "payment": waiting()}, False),
            ({"order": ended(unsettled_since=YOUNG)}, True),
            ({"order": ended(unsettled_since=OLD)}, False),
            ({"order": ended(unsettled_since=OLD), "payment": waiting()}, False),
            ({"order": order(unsettled_since=OLD), "payment": waiting()}, False),
        ],
    )
    def test_what_takes_too_long_is_a_difference_whatever_it_waits_for(
        self, what: dict[str, Any], in_flight: bool
    ) -> None:
        finding = settling.settling_finding(placement(**what), due=DUE)

        assert finding is not None
        assert finding.in_flight is in_flight

    @pytest.mark.parametrize(
        ("what", "awaited"),
        [
            ({"order": pending()}, "its goods to be held"),
            ({"order": pending(), "hold": hold()}, "its payment to begin"),
            (
                {"order": pending(), "hold": hold(), "payment": waiting()},
                "the gateway simulated: its payment is UNKNOWN",
            ),
            (
                {
                    "order": pending(),
                    "hold": hold(),
                    "payment": waiting(needs_attention=True),
                },
                "staff: its payment, UNKNOWN, needs attention",
            ),
            (
                {"order": pending(), "hold": hold(), "payment": payment()},
                "its outcome to be written down",
            ),
            (
                {"order": pending(stage=Stage.ENDED), "hold": hold(), "payment": payment()},
                "its goods to be released",
            ),
            (
                {"order": pending(stage=Stage.ENDED), "payment": payment(status="CAPTURED")},
                "its payment, CAPTURED, to be let go",
            ),
            (
                {"order": pending(stage=Stage.ENDED), "payment": released()},
                "its end to be written down",
            ),
        ],
    )
    def test_it_says_what_it_waits_for(self, what: dict[str, Any], awaited: str) -> None:
        finding = settling.settling_finding(placement(**what), due=DUE)

        assert finding is not None
        assert finding.detail.endswith(f" since 2026-03-02 09:29:59, waits for {awaited}")

    def test_it_says_since_when(self) -> None:
        finding = settling.settling_finding(placement(order=pending()), due=DUE)

        assert finding is not None
        assert finding.detail == (
            "undecided and unfinished since 2026-03-02 09:29:59, waits for its goods to be held"
        )
