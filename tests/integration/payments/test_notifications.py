"""What a gateway tells unasked: signed, early, late, twice."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from domains.payments import public, services
from domains.payments.errors import InvalidSignature
from domains.payments.gateways.simulated import SimulatedGateway, signature_of
from domains.payments.models import Payment, ReconciliationDifference
from domains.payments.rules.gateways import Reply
from infrastructure import clock
from infrastructure.ids import new_id
from tests.integration.payments.conftest import SECRET
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments

pytestmark = pytest.mark.django_db

URL = "/api/v1/payments/webhooks/simulated"


def notify(
    key: object,
    *,
    status: str = "succeeded",
    code: str = "",
    secret: str = SECRET,
    age: int = 0,
    **more: Any,
) -> Any:
    body = json.dumps(
        {"id": "auth_1", "key": str(key), "kind": "authorise", "status": status, "code": code}
        | {"authorisation": "auth_1", "amount_minor": 1_999, "currency": "GBP", "at": 0.0}
        | more
    ).encode()
    at = int(clock.now().timestamp()) - age
    signature = signature_of(body, secret=secret.encode(), at=at)
    return Client().post(
        URL, body, content_type="application/json", headers={"Gateway-Signature": signature}
    )


def test_a_notification_settles_what_the_answer_left_open(now: datetime, silent: Any) -> None:
    payment = payments.authorised_payment(now)
    assert payment.status == "UNKNOWN"

    answer = notify(payment.operations[0].id)

    assert (answer.status_code, answer.content) == (204, b"")
    stored = Payment.objects.get(pk=payment.id)
    assert (stored.status, stored.token, stored.retry_at) == ("AUTHORISED", "", None)
    assert stored.operations[0].gateway_reference == "auth_1"
    assert told(payment.id) == ["payments.payment_authorised"]


def test_a_notification_may_say_no(now: datetime, silent: Any) -> None:
    payment = payments.authorised_payment(now)

    notify(payment.operations[0].id, status="refused", code="card_declined")

    assert public.payment_states([payment.id])[payment.id].decline_code == "card_declined"
    assert told(payment.id) == ["payments.payment_declined"]


def test_a_notification_may_be_faster_than_the_answer(now: datetime, silent: Any) -> None:
    asked = payments.request(now)

    def notified() -> None:
        stored = Payment.objects.get(pk=asked["payment_id"])
        assert notify(stored.operations[0].id).status_code == 204

    silent.is_silent = False
    silent.before_answer = notified

    assert public.authorise(**asked).status == "AUTHORISED"
    assert told(asked["payment_id"]) == ["payments.payment_authorised"]


def test_late_and_repeated_notifications_change_nothing(now: datetime, silent: Any) -> None:
    silent.is_silent = False
    payment = payments.authorised_payment(now)
    voided = services.void(payment_id=payment.id, now=now)

    answers = [notify(payment.operations[0].id) for _ in range(2)]
    answers.append(notify(payment.operations[0].id, status="refused", code="card_declined"))

    assert [answer.status_code for answer in answers] == [204, 204, 202]
    stored = Payment.objects.get(pk=payment.id)
    assert (stored.status, stored.version) == ("VOIDED", voided.version)
    assert told(payment.id) == ["payments.payment_authorised", "payments.payment_voided"]


def test_a_gateway_that_declines_after_its_success_is_reported_and_changes_nothing(
    now: datetime, silent: Any
) -> None:
    silent.is_silent = False
    payment = payments.authorised_payment(now)

    answers = [
        notify(payment.operations[0].id, status="refused", code="card_declined") for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert public.payment_states([payment.id])[payment.id].status == "AUTHORISED"
    (found,) = ReconciliationDifference.objects.all()
    assert (found.kind, found.payment_id) == ("STATE", payment.id)
    assert (found.our_state, found.their_state) == ("SUCCEEDED", "FAILED")


@pytest.mark.parametrize(
    ("other", "kind"), [({"amount_minor": 1_998}, "AMOUNT"), ({"currency": "EUR"}, "CURRENCY")]
)
def test_an_outcome_about_other_money_is_no_outcome(
    now: datetime, silent: Any, other: dict[str, Any], kind: str
) -> None:
    payment = payments.authorised_payment(now)

    assert notify(payment.operations[0].id, **other).status_code == 202

    assert public.payment_states([payment.id])[payment.id].status == "UNKNOWN"
    assert [f.kind for f in ReconciliationDifference.objects.all()] == [kind]


def test_an_authorisation_nobody_wants_any_more_is_voided_when_it_turns_up(
    now: datetime, silent: Any
) -> None:
    payment = payments.authorised_payment(now)
    public.void(payment_id=payment.id, now=now)
    silent.is_silent = False

    notify(payment.operations[0].id)

    assert public.payment_states([payment.id])[payment.id].status == "VOIDED"


def test_a_gateway_that_was_never_set_up_tells_nothing(
    now: datetime, silent: Any, settings: Any
) -> None:
    """Where another gateway is used there is no secret: a signature without one is anybody's."""
    payment = payments.authorised_payment(now)
    settings.PAYMENT_GATEWAY_SECRET = ""

    answer = notify(payment.operations[0].id, secret="")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_gateway")
    with pytest.raises(InvalidSignature, match="no secret"):
        SimulatedGateway().notification(
            body=b"{}",
            signature=signature_of(b"{}", secret=b"", at=int(now.timestamp())),
            now=now.timestamp(),
        )
    settings.STRIPE_SECRET_KEY = settings.STRIPE_WEBHOOK_SECRET = ""
    answer = Client().post(URL.replace("simulated", "stripe"), b"{}", content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_gateway")
    assert public.payment_states([payment.id])[payment.id].status == "UNKNOWN"


@pytest.mark.parametrize("age", [400, -400])
def test_an_old_notification_is_not_replayed(now: datetime, silent: Any, age: int) -> None:
    payment = payments.authorised_payment(now)

    answer = notify(payment.operations[0].id, age=age)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert public.payment_states([payment.id])[payment.id].status == "UNKNOWN"


def test_nothing_unsigned_is_read(now: datetime, silent: Any) -> None:
    payment = payments.authorised_payment(now)
    key = payment.operations[0].id

    forged = notify(key, secret="another")
    unsigned = Client().post(URL, b"\x00 not json", content_type="application/json")
    malformed = Client().post(
        URL, b"{}", content_type="application/json", headers={"Gateway-Signature": "t=1,v1=zz"}
    )

    for answer in (forged, unsigned, malformed):
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert public.payment_states([payment.id])[payment.id].status == "UNKNOWN"


def test_a_signature_covers_the_whole_body(now: datetime, silent: Any) -> None:
    payment = payments.authorised_payment(now)
    body = json.dumps({"id": "a", "key": str(payment.operations[0].id)}).encode()
    signature = signature_of(body, secret=SECRET.encode(), at=int(clock.now().timestamp()))

    answer = Client().post(
        URL,
        body + b" ",
        content_type="application/json",
        headers={"Gateway-Signature": signature},
    )

    assert answer.status_code == 401


def test_what_is_signed_and_still_wrong_is_refused(silent: Any) -> None:
    for wrong, code in (
        ({"status": "maybe"}, "invalid_notification"),
        ({"key": "not-an-id"}, "invalid_notification"),
    ):
        answer = notify(wrong.pop("key", new_id()), **wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_an_operation_that_is_not_known_here_is_kept_for_staff(now: datetime, silent: Any) -> None:
    granted = payments.authorised_payment(now, method="invoice")  # of another gateway
    keys = [new_id(), granted.operations[0].id]

    assert [notify(key).status_code for key in (*keys, *keys)] == [202] * 4

    found = ReconciliationDifference.objects.order_by("subject")
    assert [(f.kind, f.subject) for f in found] == [
        ("MISSING_HERE", str(key)) for key in sorted(keys)
    ]


def test_other_gateways_do_not_notify() -> None:
    for name, status, code in (
        ("in_process", 401, "invalid_signature"),
        ("stripes", 404, "unknown_gateway"),
    ):
        answer = Client().post(
            f"/api/v1/payments/webhooks/{name}", {}, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_reply_without_a_reason_is_still_a_refusal() -> None:
    refused = {"id": "", "key": str(new_id()), "status": "refused", "code": "", "kind": "capture"}
    facts = {"authorisation": "auth_1", "amount_minor": 1, "currency": "GBP", "at": 0.0}
    body = json.dumps(refused | facts).encode()
    at = 1_772_443_800
    told = SimulatedGateway().notification(
        body=body, signature=signature_of(body, secret=SECRET.encode(), at=at), now=at
    )

    assert told.reply == Reply(refusal="refused")
