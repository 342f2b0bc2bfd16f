"""Captures that are told as what was captured in all, in whatever order: each is booked once.

The shape is Stripe's: `charge.captured` holds the whole Charge, whose `amount_captured` is the sum
of its captures. `data.previous_attributes`, which would tell the difference, is "only included in
events of type *.updated" (API reference, the Event object).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from domains.payments import public, services
from domains.payments.gateways.stripe import told
from domains.payments.models import JournalEntry, Payment, ReconciliationDifference
from domains.payments.services.matching import Match, match_all
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.factories import payments
from tests.support.fake_stripe import event

pytestmark = pytest.mark.django_db(transaction=True)


def held(now: datetime) -> Payment:
    return payments.authorised_payment(now, amount_minor=2_000)


def captured(
    payment: Payment, total: int, *, name: str, at: datetime, key: UUID | str | None = None
) -> dict[str, Any]:
    charge = {
        "id": "ch_1",
        "object": "charge",
        "payment_intent": payment.operations[0].gateway_reference,
        "amount": payment.amount_minor,
        "amount_captured": total,
        "currency": "gbp",
        "metadata": {},
    }
    told_of = event("charge.captured", charge, key=key)
    assert list(told_of["data"]) == ["object"]
    return told_of | {"id": name, "created": int(at.timestamp())}


def match(*events: dict[str, Any], now: datetime) -> list[Match]:
    listed = [operation for each in events if (operation := told.listed(each))]
    return match_all("scripted", listed, now=now)


def state_of(payment: Payment) -> tuple[str, int, int]:
    stored = Payment.objects.get(pk=payment.id)
    return stored.status, stored.captured_minor, stored.released_minor


def booked() -> list[int]:
    return sorted(JournalEntry.objects.values_list("amount_minor", flat=True))


def test_parts_taken_in_the_dashboard_are_booked_once_in_whatever_order_they_are_told(
    now: datetime, gateway: ScriptedGateway
) -> None:
    for order in permutations(range(3)):
        payment = held(now)
        parts = [
            captured(payment, total, name=f"evt_{total}", at=now + timedelta(seconds=total))
            for total in (700, 1_200, 1_900)
        ]
        match(*[parts[i] for i in order], now=now)

        assert state_of(payment) == ("PARTIALLY_CAPTURED", 1_900, 0)
        assert match(*parts, now=now) == [Match.SAME] * 3
        assert state_of(payment) == ("PARTIALLY_CAPTURED", 1_900, 0)
    assert list(public.journal_differences()) == []
    assert not ReconciliationDifference.objects.exists()


def test_a_part_taken_in_the_dashboard_is_what_the_total_has_beside_ours(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = held(now)
    services.capture(payment_id=payment.id, amount=Money(300, "GBP"), now=now)
    # The dashboard's own requests have keys, too.
    key = "4f1c46d4-9d0c-4e3c-9f43-0f6a2f4a7b11"
    second = captured(payment, 1_000, name="evt_2", key=key, at=now + timedelta(seconds=9))
    later = now + timedelta(minutes=1)
    services.capture(payment_id=payment.id, amount=Money(200, "GBP"), now=later)

    assert [match(second, now=later) for _ in range(2)] == [[Match.REPAIRED], [Match.SAME]]

    assert state_of(payment) == ("PARTIALLY_CAPTURED", 1_200, 0)
    assert booked() == [200, 300, 700]


def test_our_own_captures_and_the_rest_that_we_let_go_are_what_we_asked_for(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = held(now)
    gateway.is_silent = True
    _, first = services.capture(payment_id=payment.id, amount=Money(700, "GBP"), now=now)
    assert match(captured(payment, 700, name="evt_1", key=first.id, at=now), now=now) == [
        Match.REPAIRED
    ]
    _, second = services.capture(payment_id=payment.id, amount=Money(500, "GBP"), now=now)
    match(captured(payment, 1_200, name="evt_2", key=second.id, at=now), now=now)
    public.release_rest(payment_id=payment.id, now=now)
    stored = Payment.objects.whole(payment.id)
    assert stored is not None
    assert stored.unfinished is not None
    last = captured(payment, 1_200, name="evt_3", key=stored.unfinished.id, at=now)

    assert [match(last, now=now) for _ in range(2)] == [[Match.REPAIRED], [Match.SAME]]

    assert state_of(payment) == ("PARTIALLY_CAPTURED", 1_200, 800)
    assert booked() == [500, 700]
    assert not ReconciliationDifference.objects.exists()


def test_a_last_capture_of_nothing_in_the_dashboard_lets_the_rest_go(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = held(now)
    services.capture(payment_id=payment.id, amount=Money(300, "GBP"), now=now)
    last = captured(payment, 300, name="evt_2", at=now + timedelta(seconds=9))

    assert [match(last, now=now) for _ in range(2)] == [[Match.REPAIRED], [Match.SAME]]

    assert state_of(payment) == ("PARTIALLY_CAPTURED", 300, 1_700)
    assert booked() == [300]


def test_while_a_capture_of_ours_has_no_outcome_a_total_waits_for_it(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = held(now)
    gateway.is_silent = True
    services.capture(payment_id=payment.id, amount=Money(500, "GBP"), now=now)
    later = now + timedelta(minutes=1)

    assert match(captured(payment, 700, name="evt_2", at=later), now=later) == [Match.DIFFERENT]
    assert state_of(payment) == ("AUTHORISED", 0, 0)
    gateway.is_silent = False
    services.resolve_unfinished(now=later)
    assert services.apply_early_notifications(now=later) == 1

    assert state_of(payment) == ("PARTIALLY_CAPTURED", 700, 0)
    assert booked() == [200, 500]
    assert not ReconciliationDifference.objects.still_open().exists()


def test_a_total_of_more_than_is_authorised_is_kept_for_staff(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment = held(now)

    assert match(captured(payment, 2_001, name="evt_1", at=now), now=now) == [Match.DIFFERENT]

    (found,) = ReconciliationDifference.objects.all()
    assert (found.kind, found.their_amount_minor) == ("MISSING_HERE", 2_001)
    assert state_of(payment) == ("AUTHORISED", 0, 0)
