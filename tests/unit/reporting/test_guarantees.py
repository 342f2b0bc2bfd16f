from __future__ import annotations

from typing import Any

import pytest

from domains.reporting.rules import guarantees
from domains.reporting.rules.books import Payment
from tests.support.book_rows import (
    DUE,
    OLD,
    YOUNG,
    ended,
    granted,
    hold,
    on_account,
    order,
    part_taken,
    payment,
    pending,
    placement,
    released,
    waiting,
)


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
        assert guarantees.payment_finding(placement(**what), due=DUE) is None

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
        finding = guarantees.payment_finding(placement(**what), due=DUE)

        assert finding is not None
        assert (finding.detail, finding.in_flight) == (detail, in_flight)


@pytest.mark.parametrize(
    ("what", "detail"),
    [
        (payment(), ""),
        (payment(status="CAPTURED", captured_minor=1017), ""),
        (payment(status="CAPTURED", amount_minor=0), ""),
        (payment(status="PENDING", gateway="", captured_minor=5), ""),
        (payment(status="CAPTURED"), "is CAPTURED, and nothing was captured"),
        (payment(captured_minor=5), "is AUTHORISED, and 5 GBP (minor units) was captured"),
        (
            payment(status="REFUNDED", captured_minor=1017),
            "is REFUNDED, and nothing was refunded",
        ),
    ],
)
def test_a_status_and_its_counters_agree(what: Payment, detail: str) -> None:
    assert guarantees.status_against_counters(what) == detail
