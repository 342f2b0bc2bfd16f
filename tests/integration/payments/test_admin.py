from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from domains.payments import services
from domains.payments.models import Payment, ReconciliationDifference
from domains.payments.queries.metrics import PaymentsCollector
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway
from tests.support.admin_pages import filled
from tests.support.factories import payments, users

pytestmark = pytest.mark.django_db

LIST = "admin:payments_payment_changelist"


@pytest.fixture
def finance() -> Client:
    return users.admin_client_of(users.staff("finance"))


def run(client: Client, action: str, *selected: Payment, confirmed: bool = True) -> Any:
    body = {"action": action, "_selected_action": [str(payment.id) for payment in selected]}
    if confirmed and action != "ask_gateway":
        return agree(client, body, "sent back")
    return client.post(reverse(LIST), body)


def agree(client: Client, body: dict[str, Any], reason: str) -> Any:
    """Confirm an action as it is shown."""
    shown = filled(client.post(reverse(LIST), body)).get("shown", [])
    return client.post(
        reverse(LIST), {**body, "confirmed": "yes", "reason": reason, "shown": shown}
    )


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
    assert told(run(finance, "capture", payment)) == [
        ("error", f"{payment.reference}: Payment {payment.reference} is captured in full.")
    ]
    assert status_of(payment) == "CAPTURED"


def test_a_gateways_refusal_is_shown_as_a_message(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    payment = payments.authorised_payment(now)
    gateway.refusal = "expired"

    for action in ("capture", "void"):
        assert told(run(finance, action, payment)) == [
            ("error", f"{payment.reference}: The gateway refused: expired.")
        ]


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
    done = agree(finance, body, "sent back")

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
def test_a_difference_is_not_closed_for_blanks(
    finance: Client, difference: ReconciliationDifference
) -> None:
    asked_again = settle(finance, "close", difference, confirmed="yes", reason="  ")

    assert "Say why." in asked_again.content.decode()
    difference.refresh_from_db()
    assert difference.closed_at is None


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


def test_a_capture_and_a_void_keep_their_reasons_and_who_asked(
    finance: Client, now: datetime
) -> None:
    taken, let_go = payments.authorised_payment(now), payments.authorised_payment(now)
    for action, payment in (("capture", taken), ("void", let_go)):
        body = {"action": action, "_selected_action": [str(payment.id)]}
        assert 'name="reason"' in finance.post(reverse(LIST), body).content.decode()
        agree(finance, body, f"{action} it")

    for kind, payment in (("CAPTURE", taken), ("VOID", let_go)):
        found = Payment.objects.whole(payment.id)
        assert found is not None
        last = found.operations[-1]
        assert (last.kind, last.reason) == (kind, f"{kind.lower()} it")
        assert str(last.actor_id) == finance.session["_auth_user_id"]


def test_a_void_that_has_to_wait_keeps_its_reason(
    finance: Client, now: datetime, gateway: ScriptedGateway
) -> None:
    gateway.is_silent = True
    payment = payments.authorised_payment(now)
    body = {"action": "void", "_selected_action": [str(payment.id)]}
    agree(finance, body, "fraud")
    gateway.is_silent = False
    services.resolve(payment_id=payment.id, now=now)

    found = Payment.objects.whole(payment.id)
    assert found is not None
    assert [(o.kind, o.state, o.reason) for o in found.operations] == [
        ("AUTHORISE", "SUCCEEDED", ""),
        ("VOID", "SUCCEEDED", "fraud"),
    ]


@pytest.fixture
def transfer(now: datetime) -> Payment:
    return services.authorise(**payments.request(now, method="bank_transfer"))


def receipt_page(payment: Payment) -> str:
    return reverse("admin:payments_payment_receipt", args=[payment.id])


SAID = {"amount": "9.99", "reference": "tx-1", "received_on": "2026-03-01"}


def test_a_receipt_is_looked_at_and_then_written_down_once(
    finance: Client, transfer: Payment
) -> None:
    page = receipt_page(transfer)
    change = reverse("admin:payments_payment_change", args=[transfer.id])
    assert page in finance.get(change).content.decode()

    shown = finance.post(page, SAID)
    assert "9.99 GBP are written down. Then 9.99 GBP of 19.99 GBP are there." in (
        shown.content.decode()
    )
    assert Payment.objects.get(pk=transfer.id).captured_minor == 0
    agreed = shown.context["agreed"]
    other = finance.post(page, SAID | {"amount": "19.99", "agreed": agreed})
    assert other.status_code == 200
    assert Payment.objects.get(pk=transfer.id).captured_minor == 0

    for _ in range(2):
        done = finance.post(page, SAID | {"agreed": agreed})
        assert (done.status_code, done.headers["Location"]) == (302, change)

    found = Payment.objects.whole(transfer.id)
    assert found is not None
    (receipt,) = [o for o in found.operations if o.kind == "RECEIPT"]
    assert (receipt.amount_minor, receipt.gateway_reference) == (999, "tx-1")
    assert receipt.sent_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert str(receipt.actor_id) == finance.session["_auth_user_id"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"amount": "lots"}, "lots"),
        ({"amount": "0"}, "More than nothing."),
        ({"amount": "-1.00"}, "More than nothing."),
        ({"received_on": "2999-01-01"}, "No money can have come in the future."),
        ({"reference": ""}, "This field is required."),
    ],
)
def test_a_receipt_that_cannot_be_is_refused(
    finance: Client, transfer: Payment, said: dict[str, str], why: str
) -> None:
    page = receipt_page(transfer)
    shown = finance.post(page, SAID | said)
    again = finance.post(page, SAID | said | {"agreed": shown.context["agreed"]})

    assert again.status_code == 200
    assert why in again.content.decode()
    assert Payment.objects.get(pk=transfer.id).captured_minor == 0


def test_receipts_are_for_who_may_record_them_and_for_what_is_paid_by_bank(
    finance: Client, transfer: Payment, now: datetime
) -> None:
    support = users.admin_client_of(users.staff("support"))
    assert support.get(receipt_page(transfer)).status_code == 403
    card = payments.authorised_payment(now)
    assert finance.get(receipt_page(card)).status_code == 404


def shown(client: Client, action: str, *selected: Payment) -> str:
    """The page that asks once more."""
    return str(run(client, action, *selected, confirmed=False).content.decode())


def test_the_page_before_says_what_each_comes_to_and_all_together(
    finance: Client, now: datetime
) -> None:
    held, taken = payments.authorised_payment(now), payments.captured_payment(now)
    also = payments.authorised_payment(now)

    page = shown(finance, "capture", held, taken, also)
    assert f"{held.reference}: AUTHORISED, 19.99 GBP: 19.99 GBP captured" in page
    assert f"would be refused: Payment {taken.reference} is captured in full." in page
    assert "In all: 39.98 GBP captured, 1 of 3 refused." in page

    page = shown(finance, "refund", held, taken)
    assert f"would be refused: Payment {held.reference} is AUTHORISED." in page
    assert f"{taken.reference}: CAPTURED, 19.99 GBP: 19.99 GBP given back" in page
    assert "In all: 19.99 GBP given back, 1 of 2 refused." in page

    page = shown(finance, "void", held, taken)
    assert "In all: 19.99 GBP let go, 1 of 2 refused." in page
    assert [status_of(one) for one in (held, taken, also)] == [
        *("AUTHORISED", "CAPTURED", "AUTHORISED")
    ]


def test_what_takes_a_second_person_is_said_before(
    finance: Client, now: datetime, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"GBP": 1000}
    page = shown(finance, "refund", payments.captured_payment(now))
    assert "would be refused: 19.99 GBP in all is more than one person gives back alone" in page
    assert "In all: 1 of 1 refused." in page


def test_what_only_the_rest_is_left_of_comes_to_that(finance: Client, now: datetime) -> None:
    payment = payments.authorised_payment(now)
    services.capture(payment_id=payment.id, amount=Money(999, "GBP"), now=now)
    assert "In all: 10.00 GBP captured." in shown(finance, "capture", payment)
    assert "In all: 10.00 GBP let go." in shown(finance, "void", payment)
    assert "In all: 9.99 GBP given back." in shown(finance, "refund", payment)
    run(finance, "void", payment)
    assert f"{payment.reference}: PARTIALLY_CAPTURED, 19.99 GBP: nothing changes" in shown(
        finance, "void", payment
    )


def test_what_waits_for_money_is_given_up_with_nothing_held(finance: Client, now: datetime) -> None:
    payment = payments.authorised_payment(now, method="bank_transfer")
    assert "given up, with nothing held yet" in shown(finance, "void", payment)


@pytest.mark.parametrize(
    ("reason", "told_of"),
    [
        ("", "Say why."),
        ("  ", "Say why."),
        ("sent\x07back", "One line, without control characters."),
        ("x" * 61, "at most 60 characters"),
    ],
)
def test_a_reason_is_a_line_that_can_be_read(
    finance: Client, now: datetime, reason: str, told_of: str
) -> None:
    payment = payments.captured_payment(now)
    form = {"action": "refund", "_selected_action": [str(payment.id)], "confirmed": "yes"}
    page = finance.post(reverse(LIST), form | {"reason": reason})
    assert page.status_code == 200
    assert told_of in page.content.decode()
    assert status_of(payment) == "CAPTURED"


def test_a_payment_that_is_not_as_it_was_shown_is_left_out_and_said_so(
    finance: Client, now: datetime
) -> None:
    same, other = payments.captured_payment(now), payments.captured_payment(now)
    body = {"action": "refund", "_selected_action": [str(same.id), str(other.id)]}
    form = filled(finance.post(reverse(LIST), body)) | {"reason": "sent back"}
    services.refund(payment_id=other.id, amount=Money(999, "GBP"), reason="one broke", now=now)

    answer = finance.post(reverse(LIST), form)

    page = reverse("admin:payments_payment_change", args=[other.id])
    assert sorted(told(answer)) == [
        ("success", f"{same}: Refunded."),
        (
            "warning",
            f"{other}: left out, since it is not what was shown. By now: 10.00 GBP given back."
            f' <a href="{page}">Look at it</a>.',
        ),
    ]
    assert (status_of(same), status_of(other)) == ("REFUNDED", "PARTIALLY_REFUNDED")


def test_nothing_is_done_that_was_not_shown(finance: Client, now: datetime) -> None:
    payment = payments.captured_payment(now)
    body = {"action": "refund", "_selected_action": [str(payment.id)]}
    unseen = {**body, "confirmed": "yes", "reason": "sent back"}
    [(level, message)] = told(finance.post(reverse(LIST), unseen))
    assert (level, "left out" in message, status_of(payment)) == ("warning", True, "CAPTURED")
