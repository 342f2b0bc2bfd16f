from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from domains.payments.models import Payment, ReconciliationDifference
from domains.payments.queries.metrics import PaymentsCollector
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.factories import payments, users

pytestmark = pytest.mark.django_db

LIST = "admin:payments_payment_changelist"


@pytest.fixture
def finance() -> Client:
    return users.admin_client_of(users.staff("finance"))


def run(client: Client, action: str, *selected: Payment, confirmed: bool = True) -> Any:
    body = {"action": action, "_selected_action": [str(payment.id) for payment in selected]}
    if confirmed:
        body["confirmed"] = "yes"
    return client.post(reverse(LIST), body)


def told(answer: Any) -> list[tuple[str, str]]:
    return [(m.level_tag, m.message) for m in get_messages(answer.wsgi_request)]


def status_of(payment: Payment) -> str:
    return str(Payment.objects.get(pk=payment.id).status)


def test_staff_sees_payments_with_operations_and_bookings(finance: Client, now: datetime) -> None:
    payment = payments.captured_payment(now)

    page = finance.get(reverse("admin:payments_payment_change", args=[payment.id]))
    text = page.content.decode()

    assert page.status_code == 200
    assert "19.99 GBP" in text
    assert str(payment.operations[0].gateway_reference) in text
    assert "What the gateway owes us" in text
    assert "tok_visa" not in text
    assert 'name="_save"' not in text


def test_the_list_costs_the_same_however_long_it_is(
    finance: Client, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        payments.authorised_payment(now)

    with django_assert_max_num_queries(8):
        assert finance.get(reverse(LIST)).status_code == 200


def test_the_staff_queue_lists_what_needs_attention(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    fine = payments.authorised_payment(now)
    stuck = payments.authorised_payment(now)
    gateway.refusal = "already_captured"
    run(finance, "void", stuck)

    text = finance.get(reverse(LIST), {"needs_attention": "yes"}).content.decode()

    assert stuck.reference in text
    assert fine.reference not in text


@pytest.mark.parametrize(
    ("action", "status", "message"),
    [("capture", "CAPTURED", "Captured"), ("void", "VOIDED", "Voided")],
)
def test_money_moves_after_a_second_look(
    finance: Client, now: datetime, action: str, status: str, message: str
) -> None:
    payment = payments.authorised_payment(now)

    page = run(finance, action, payment, confirmed=False)
    assert page.status_code == 200
    assert f"{payment.reference}: AUTHORISED, 19.99 GBP" in page.content.decode()
    assert status_of(payment) == "AUTHORISED"

    answer = run(finance, action, payment)
    assert status_of(payment) == status
    assert told(answer) == [("success", f"{payment.reference}: {message}.")]


def test_refusals_are_shown_as_messages(finance: Client, now: datetime) -> None:
    payment = payments.captured_payment(now)

    assert told(run(finance, "void", payment)) == [
        ("error", f"{payment.reference}: Payment {payment.reference} is CAPTURED.")
    ]
    assert told(run(finance, "capture", payment))[1:] == [
        ("error", f"{payment.reference}: Payment {payment.reference} is captured in full.")
    ]
    assert status_of(payment) == "CAPTURED"


def test_a_gateways_refusal_is_shown_as_a_message(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "expired"

    run(finance, "capture", payment)
    assert (
        told(run(finance, "void", payment))
        == [("error", f"{payment.reference}: The gateway refused: expired.")] * 2
    )


def test_staff_can_have_the_gateway_asked_again(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    gateway.is_silent = True
    payment = payments.authorised_payment(now)
    gateway.is_silent = False

    answer = run(finance, "ask_gateway", payment)

    assert told(answer) == [("success", f"{payment.reference}: Authorised.")]
    assert status_of(payment) == "AUTHORISED"


def test_support_looks_and_does_not_touch(now: datetime) -> None:
    support = users.admin_client_of(users.staff("support"))
    payment = payments.authorised_payment(now)

    assert support.get(reverse(LIST)).status_code == 200
    for action in ("capture", "void", "ask_gateway"):
        run(support, action, payment)
    assert status_of(payment) == "AUTHORISED"


def test_nobody_adds_changes_or_deletes_a_payment_by_hand(finance: Client, now: datetime) -> None:
    payment = payments.authorised_payment(now)

    assert finance.get(reverse("admin:payments_payment_add")).status_code == 403
    for page in ("change", "delete"):
        url = reverse(f"admin:payments_payment_{page}", args=[payment.id])
        assert finance.post(url, {"status": "VOIDED", "post": "yes"}).status_code == 403
    assert status_of(payment) == "AUTHORISED"


def test_a_refund_keeps_its_reason_and_who_asked(finance: Client, now: datetime) -> None:
    payment = payments.captured_payment(now)
    body = {"action": "refund", "_selected_action": [str(payment.id)]}

    asked = finance.post(reverse(LIST), body)
    done = finance.post(reverse(LIST), {**body, "confirmed": "yes", "reason": "sent back"})

    assert "Give back all the money" in asked.content.decode()
    assert told(done) == [("success", f"{payment}: Refunded.")]
    refund = Payment.objects.whole(payment.id).operations[-1]
    assert (refund.kind, refund.reason, refund.amount_minor) == ("REFUND", "sent back", 1_999)
    assert str(refund.actor_id) == finance.session["_auth_user_id"]


@pytest.fixture
def difference(now: datetime) -> ReconciliationDifference:
    found = ReconciliationDifference(
        gateway="simulated",
        kind="MISSING_HERE",
        subject="REFUND ref_9",
        operation_kind="REFUND",
        gateway_reference="ref_9",
        authorisation="auth_9",
        their_state="SUCCEEDED",
        their_amount_minor=700,
        their_currency="GBP",
        at=now,
        last_seen_at=now,
    )
    ReconciliationDifference.objects.report(found)
    return ReconciliationDifference.objects.get()


def settle(client: Client, action: str, difference: ReconciliationDifference, **more: str) -> Any:
    body = {"action": action, "_selected_action": [str(difference.id)], **more}
    return client.post(reverse("admin:payments_reconciliationdifference_changelist"), body)


@pytest.mark.django_db
def test_staff_sees_differences_and_closes_them_with_a_reason(
    finance: Client, difference: ReconciliationDifference
) -> None:
    page = finance.get(reverse("admin:payments_reconciliationdifference_changelist") + "?is=open")
    assert "SUCCEEDED 7.00 GBP" in page.content.decode()

    question = settle(finance, "close", difference).content.decode()
    assert "Are these settled, and how?" in question
    assert "Missing here: REFUND REFUND ref_9 (nothing here, SUCCEEDED 7.00 GBP there)" in question
    answer = settle(finance, "close", difference, confirmed="yes", reason="paid by cheque")

    assert told(answer) == [("success", f"{difference}: closed.")]
    difference.refresh_from_db()
    assert difference.resolution == "paid by cheque"
    assert difference.closed_by is not None


@pytest.mark.django_db
def test_staff_compares_a_difference_again(
    finance: Client, difference: ReconciliationDifference
) -> None:
    answer = settle(finance, "compare_again", difference)

    assert told(answer) == [("success", f"{difference}: still there.")]


@pytest.mark.django_db
def test_support_settles_no_differences(difference: ReconciliationDifference) -> None:
    support = users.admin_client_of(users.staff("support"))

    settle(support, "close", difference, confirmed="yes", reason="x")

    difference.refresh_from_db()
    assert difference.closed_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["operation", "journalentry"])
def test_operations_and_the_journal_are_listed(finance: Client, now: datetime, model: str) -> None:
    payment = payments.captured_payment(now)

    page = finance.get(reverse(f"admin:payments_{model}_changelist")).content.decode()

    assert str(payment) in page
    assert "19.99 GBP" in page


@pytest.mark.django_db
def test_what_staff_has_to_look_at_is_a_metric(
    now: datetime, difference: ReconciliationDifference
) -> None:
    told_by = {
        (sample.name, *sample.labels.values()): sample.value
        for family in PaymentsCollector().collect()
        for sample in family.samples
    }

    assert told_by == {
        ("kontor_payment_differences", "simulated", "missing_here"): 1,
        ("kontor_payments_needing_attention",): 0,
    }


def test_one_person_does_not_refund_much_here(
    finance: Client, now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1_998}
    payment = payments.captured_payment(now)

    ((level, message),) = told(run(finance, "refund", payment))

    assert (level, status_of(payment)) == ("error", "CAPTURED")
    assert "refund it by its order" in message
