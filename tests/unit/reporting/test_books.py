from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from domains.reporting.rules import books
from domains.reporting.rules.books import (
    Guarantee,
    Hold,
    Money,
    Order,
    Payment,
    Placement,
    Stage,
    Stock,
)

DUE = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OLD, YOUNG = DUE - timedelta(seconds=1), DUE + timedelta(seconds=1)
ID = UUID(int=7)
LANTERN, HEART = UUID(int=100), UUID(int=101)


def order(**changes: Any) -> Order:
    fields = {
        "order_id": ID,
        "number": "7Q4M2XWJK",
        "stage": Stage.CONFIRMED,
        "total_minor": 1017,
        "currency": "GBP",
        "method": "card",
        "guarantee": Guarantee.AUTHORISED,
        "lines": {LANTERN: 3},
        "placed_at": OLD,
        "unsettled_since": None,
    }
    return Order(**fields | changes)


def pending(**changes: Any) -> Order:
    return order(**{"stage": Stage.UNDECIDED, "unsettled_since": OLD} | changes)


def ended(**changes: Any) -> Order:
    return order(stage=Stage.ENDED, **changes)


def hold(**changes: Any) -> Hold:
    return Hold(**{"order_id": ID, "lines": {LANTERN: 3}, "created_at": OLD} | changes)


def payment(**changes: Any) -> Payment:
    fields = {
        "payment_id": ID,
        "status": "AUTHORISED",
        "money": Money.SECURED,
        "method": "card",
        "gateway": "simulated",
        "needs_attention": False,
        "amount_minor": 1017,
        "secured_minor": 1017,
        "currency": "GBP",
        "created_at": OLD,
    }
    return Payment(**fields | changes)


def released(**changes: Any) -> Payment:
    return payment(status="VOIDED", money=Money.RELEASED, **changes)


def waiting(**changes: Any) -> Payment:
    return payment(status="UNKNOWN", money=Money.WAITING, secured_minor=0, **changes)


def part_taken(**changes: Any) -> Payment:
    """And all of that given back."""
    taken = {"money": Money.GIVEN_BACK, "captured_minor": 300, "refunded_minor": 300}
    return payment(**{"status": "REFUNDED"} | taken | changes)


def on_account(**changes: Any) -> Order:
    return order(**{"method": "invoice", "guarantee": Guarantee.ON_ACCOUNT} | changes)


def granted(**changes: Any) -> Payment:
    """By ourselves, without a gateway."""
    return payment(**{"method": "invoice", "gateway": ""} | changes)


def placement(**what: Any) -> Placement:
    return Placement(**{"order_id": ID, "order": None, "hold": None, "payment": None} | what)


class TestTheBooksSideBySide:
    def test_rows_of_one_id_meet(self) -> None:
        first, second, third = UUID(int=1), UUID(int=2), UUID(int=3)

        found = books.joined(
            [order(order_id=first), order(order_id=third)],
            [hold(order_id=second), hold(order_id=third)],
            [payment(payment_id=third)],
        )

        assert [(p.order_id, bool(p.order), bool(p.hold), bool(p.payment)) for p in found] == [
            (first, True, False, False),
            (second, False, True, False),
            (third, True, True, True),
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
                assert books.hold_finding(found, due=DUE) is None
                assert books.payment_finding(found, due=DUE) is None
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert next(checked) == 50_000
        assert peak < 100_000


class TestStock:
    @staticmethod
    def stock(**changes: int) -> Stock:
        same = {"on_hand": 9, "ledger_on_hand": 9, "levels_on_hand": 9}
        held = {"held": 2, "ledger_held": 2, "reserved": 2, "oversold_holds": 0}
        return Stock(sku="71053", **same | held | changes)

    def test_equal_numbers_are_no_finding(self) -> None:
        assert list(books.stock_findings([self.stock()])) == []

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
        (finding,) = books.stock_findings([self.stock(**changes)])

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
        assert books.hold_finding(placement(**what), due=DUE) is None

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
        finding = books.hold_finding(placement(**what), due=DUE)

        assert finding is not None
        assert (finding.detail, finding.in_flight) == (detail, in_flight)

    def test_a_row_is_named_by_its_order(self) -> None:
        finding = books.hold_finding(placement(order=order()), due=DUE)

        assert finding is not None
        assert finding.subject == f"order 7Q4M2XWJK {ID}"


class TestPayments:
    @pytest.mark.parametrize(
        "what",
        [
            {"order": order(), "payment": payment()},
            {"order": order(), "payment": payment(status="CAPTURED")},
            {"order": on_account(), "payment": granted()},
            {"order": on_account(sent_minor=1017), "payment": granted()},
            {"order": order(sent_minor=800), "payment": payment(captured_minor=800)},
            {
                "order": order(total_minor=0),
                "payment": payment(gateway="", amount_minor=0, secured_minor=0),
            },
            {
                "order": order(method="free", total_minor=0),
                "payment": granted(method="free", amount_minor=0, secured_minor=0),
            },
            {"order": pending(), "payment": payment()},
            {"order": pending(), "payment": waiting()},
            {"order": ended(guarantee=None)},
            {"order": pending()},
            {"order": ended()},
            {"order": ended(), "payment": released()},
            {"order": ended(), "payment": part_taken(released_minor=717)},
            {
                "order": order(total_minor=300, is_completed=True, is_cheaper=True),
                "payment": payment(captured_minor=300, released_minor=717),
            },
            {"payment": released()},
            {"hold": hold()},
        ],
    )
    def test_what_is_right_is_no_finding(self, what: dict[str, Any]) -> None:
        assert books.payment_finding(placement(**what), due=DUE) is None

    @pytest.mark.parametrize(
        ("what", "detail", "in_flight"),
        [
            ({"order": order()}, "confirmed by card (authorised), and no payment", False),
            (
                {"order": order(), "payment": released()},
                "confirmed by card (authorised), and payment VOIDED",
                False,
            ),
            (
                {"order": order(unsettled_since=YOUNG), "payment": released()},
                "confirmed by card (authorised), and payment VOIDED",
                True,
            ),
            (
                {"order": order(unsettled_since=YOUNG), "payment": waiting()},
                "confirmed by card (authorised), and payment UNKNOWN",
                True,
            ),
            (
                {"order": order(unsettled_since=OLD), "payment": waiting()},
                "confirmed by card (authorised), and payment UNKNOWN",
                False,
            ),
            (
                {"order": order(), "payment": waiting()},
                "confirmed by card (authorised), and payment UNKNOWN",
                False,
            ),
            (
                {"payment": payment()},
                "1017 GBP (minor units) AUTHORISED without an order",
                False,
            ),
            (
                {"payment": payment(created_at=YOUNG)},
                "1017 GBP (minor units) AUTHORISED without an order",
                True,
            ),
            (
                {"order": ended(), "payment": payment()},
                "1017 GBP (minor units) AUTHORISED for an order that has ended",
                False,
            ),
            (
                {"order": ended(unsettled_since=YOUNG), "payment": waiting()},
                "1017 GBP (minor units) UNKNOWN for an order that has ended",
                True,
            ),
            (
                {"order": ended(unsettled_since=OLD), "payment": waiting()},
                "1017 GBP (minor units) UNKNOWN for an order that has ended",
                False,
            ),
            (
                {"order": order(), "payment": payment(amount_minor=1000, secured_minor=1000)},
                "total 1017 GBP (minor units), payment 1000 GBP (minor units)",
                False,
            ),
            (
                {"order": order(), "payment": payment(currency="EUR")},
                "total 1017 GBP (minor units), payment 1017 EUR (minor units)",
                False,
            ),
            (
                {"order": order(), "payment": payment(secured_minor=500)},
                "secured 500 GBP (minor units) of 1017 GBP (minor units)",
                False,
            ),
            (
                {"order": order(), "payment": payment(method="invoice")},
                "ordered by card, paid by invoice",
                False,
            ),
            (
                {"order": order(), "payment": payment(gateway="")},
                "card is authorised by a gateway, and none was asked",
                False,
            ),
            (
                {"order": order(method="free"), "payment": granted(method="free")},
                "free is authorised by a gateway, and none was asked",
                False,
            ),
            (
                {"order": on_account(), "payment": granted(gateway="simulated")},
                "invoice is granted on account, and simulated was asked",
                False,
            ),
            (
                {"order": order(method="cheque", guarantee=None), "payment": payment()},
                "nobody knows what the payment method 'cheque' guarantees",
                False,
            ),
            (
                {"order": pending(method="cheque", guarantee=None)},
                "nobody knows what the payment method 'cheque' guarantees",
                False,
            ),
            (
                {"order": pending(placed_at=YOUNG), "payment": waiting(needs_attention=True)},
                "payment UNKNOWN needs attention by staff",
                False,
            ),
            (
                {"order": order(), "payment": payment(needs_attention=True)},
                "payment AUTHORISED needs attention by staff",
                False,
            ),
            (
                {"order": order(sent_minor=800), "payment": payment(captured_minor=799)},
                "sent for 800 GBP (minor units), and 799 GBP (minor units) was taken",
                False,
            ),
            (
                {"order": ended(), "payment": part_taken()},
                "717 GBP (minor units) still held for an order that has ended",
                False,
            ),
            (
                {
                    "order": order(
                        total_minor=300, is_completed=True, is_cheaper=True, unsettled_since=YOUNG
                    ),
                    "payment": payment(captured_minor=300),
                },
                "717 GBP (minor units) still held for an order that has completed",
                True,
            ),
            (
                {
                    "order": ended(unsettled_since=YOUNG),
                    "payment": payment(needs_attention=True),
                },
                "1017 GBP (minor units) AUTHORISED for an order that has ended;"
                " payment AUTHORISED needs attention by staff",
                False,
            ),
        ],
    )
    def test_what_is_wrong_is_named(
        self, what: dict[str, Any], detail: str, in_flight: bool
    ) -> None:
        finding = books.payment_finding(placement(**what), due=DUE)

        assert finding is not None
        assert (finding.detail, finding.in_flight) == (detail, in_flight)


class TestSettling:
    @pytest.mark.parametrize("settled", [order(), ended()])
    def test_what_is_settled_is_no_finding(self, settled: Order) -> None:
        assert books.settling_finding(placement(order=settled), due=DUE) is None

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
        finding = books.settling_finding(placement(**what), due=DUE)

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
        finding = books.settling_finding(placement(**what), due=DUE)

        assert finding is not None
        assert finding.detail.endswith(f" since 2026-03-02 09:29:59, waits for {awaited}")

    def test_it_says_since_when(self) -> None:
        finding = books.settling_finding(placement(order=pending()), due=DUE)

        assert finding is not None
        assert finding.detail == (
            "undecided and unfinished since 2026-03-02 09:29:59, waits for its goods to be held"
        )
