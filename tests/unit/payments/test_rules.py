from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.payments.errors import UnknownPaymentMethod
from domains.payments.rules.methods import Guarantee, method_named
from domains.payments.rules.operations import OperationKind, OperationState
from domains.payments.rules.refunds import needs_second_person
from domains.payments.rules.retries import may_send_again, pause_before_retry
from domains.payments.rules.statuses import PaymentStatus, captured_by, status_of


@dataclass(frozen=True)
class Facts:
    kind: str
    state: str
    amount_minor: int = 0


def authorised(amount_minor: int = 1_000) -> Facts:
    return Facts("AUTHORISE", "SUCCEEDED", amount_minor)


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([], PaymentStatus.PENDING),
        ([Facts("AUTHORISE", "SENT", 1_000)], PaymentStatus.PENDING),
        ([Facts("AUTHORISE", "UNKNOWN", 1_000)], PaymentStatus.UNKNOWN),
        ([Facts("AUTHORISE", "FAILED", 1_000)], PaymentStatus.DECLINED),
        ([authorised()], PaymentStatus.AUTHORISED),
        ([authorised(0)], PaymentStatus.AUTHORISED),
        ([authorised(), Facts("CAPTURE", "SENT", 1_000)], PaymentStatus.AUTHORISED),
        ([authorised(), Facts("CAPTURE", "UNKNOWN", 1_000)], PaymentStatus.AUTHORISED),
        ([authorised(), Facts("CAPTURE", "FAILED", 1_000)], PaymentStatus.AUTHORISED),
        ([authorised(), Facts("CAPTURE", "SUCCEEDED", 400)], PaymentStatus.PARTIALLY_CAPTURED),
        (
            [
                authorised(),
                Facts("CAPTURE", "SUCCEEDED", 400),
                Facts("CAPTURE", "SUCCEEDED", 600),
            ],
            PaymentStatus.CAPTURED,
        ),
        ([authorised(), Facts("VOID", "SENT")], PaymentStatus.PENDING),
        ([authorised(), Facts("VOID", "UNKNOWN")], PaymentStatus.UNKNOWN),
        ([authorised(), Facts("VOID", "SUCCEEDED")], PaymentStatus.VOIDED),
        ([authorised(), Facts("VOID", "FAILED")], PaymentStatus.AUTHORISED),
        (
            [authorised(), Facts("VOID", "FAILED"), Facts("VOID", "SUCCEEDED")],
            PaymentStatus.VOIDED,
        ),
    ],
)
def test_a_payment_has_the_status_that_its_operations_tell(
    operations: list[Facts], status: PaymentStatus
) -> None:
    assert status_of(operations) is status


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([], PaymentStatus.VOIDED),
        ([Facts("AUTHORISE", "SENT", 1_000)], PaymentStatus.PENDING),
        ([Facts("AUTHORISE", "FAILED", 1_000)], PaymentStatus.DECLINED),
        ([authorised()], PaymentStatus.PENDING),
        ([authorised(), Facts("VOID", "FAILED")], PaymentStatus.AUTHORISED),
    ],
)
def test_money_that_shall_be_let_go_is_not_relied_upon(
    operations: list[Facts], status: PaymentStatus
) -> None:
    assert status_of(operations, is_void_requested=True) is status


facts = st.builds(
    Facts,
    kind=st.sampled_from([kind.value for kind in OperationKind]),
    state=st.sampled_from([state.value for state in OperationState]),
    amount_minor=st.integers(0, 10_000),
)


@given(st.lists(facts, max_size=6), st.booleans())
def test_only_a_succeeded_authorisation_makes_a_payment_worth_anything(
    operations: list[Facts], is_void_requested: bool
) -> None:
    status = status_of(operations, is_void_requested=is_void_requested)

    first = next((o for o in operations if o.kind == "AUTHORISE"), None)
    if status in ("AUTHORISED", "PARTIALLY_CAPTURED", "CAPTURED"):
        assert first is not None
        assert first.state == "SUCCEEDED"
        # A void with an amount lets go of that only.
        wholly = [o.state for o in operations if o.kind == "VOID" and not o.amount_minor]
        assert "SUCCEEDED" not in wholly
    if status in ("PARTIALLY_CAPTURED", "CAPTURED"):
        assert first is not None
        assert captured_by(operations) > 0
        assert (status == "CAPTURED") == (captured_by(operations) >= first.amount_minor)


@given(st.lists(facts, max_size=6), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_captures_and_voids_does_not_matter(
    operations: list[Facts], is_void_requested: bool, chance: object
) -> None:
    others = [o for o in operations if o.kind != "AUTHORISE"]
    shuffled = list(others)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    assert status_of([authorised(), *others], is_void_requested=is_void_requested) == status_of(
        [authorised(), *shuffled], is_void_requested=is_void_requested
    )


def test_each_method_promises_its_guarantee() -> None:
    assert method_named("card").guarantee is Guarantee.AUTHORISED
    assert method_named("invoice").guarantee is Guarantee.ON_ACCOUNT
    with pytest.raises(
        UnknownPaymentMethod, match="'cheque' is none of: bank_transfer, card, free"
    ):
        method_named("cheque")


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause_before_retry(n).total_seconds() for n in (1, 2, 3, 6, 7, 8, 900)] == [
        5,
        10,
        20,
        160,
        300,
        300,
        300,
    ]


def test_a_key_is_not_used_again_after_23_hours() -> None:
    sent_at = datetime(2026, 3, 2, tzinfo=UTC)
    last = sent_at + timedelta(hours=23)

    assert may_send_again(sent_at=sent_at, now=last - timedelta(microseconds=1))
    assert not may_send_again(sent_at=sent_at, now=last)


@pytest.mark.parametrize(
    ("amount", "currency", "limits", "needs"),
    [
        (50_000, "GBP", {}, False),
        (50_001, "GBP", {}, True),
        (500, "JPY", {}, False),
        (501, "JPY", {}, True),
        (100, "GBP", {"GBP": 99}, True),
        (99, "GBP", {"GBP": 99}, False),
    ],
)
def test_much_money_takes_a_second_person(
    amount: int, currency: str, limits: dict[str, int], needs: bool
) -> None:
    assert needs_second_person(amount, currency, limits) is needs
