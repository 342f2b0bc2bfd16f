"""Captures and refunds under the caller's key: once each, whatever happens and who else comes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from domains.payments import public, services
from domains.payments.errors import PaymentMismatch
from domains.payments.gateways.port import Capabilities, Capture, Refund, Void
from domains.payments.models import JournalEntry, Operation, Payment
from infrastructure.database.contexts import alias_of, connection_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess, ScriptedGateway, connect_anew
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments

PROCESSED, REFUNDED = "payments.payment_processed", "payments.payment_refunded"


def capture(payment_id: UUID, minor: int, now: datetime, key: UUID | None = None) -> Any:
    amount = Money(minor, "GBP")
    return public.capture(payment_id=payment_id, key=key or new_id(), amount=amount, now=now)


def refund(payment_id: UUID, minor: int, now: datetime, key: UUID | None = None) -> Any:
    return public.refund(
        payment_id=payment_id,
        key=key or new_id(),
        amount=Money(minor, "GBP"),
        reason="broken",
        now=now,
    )


def moved(payment_id: UUID) -> tuple[int, int]:
    state = public.payment_states([payment_id])[payment_id]
    return state.captured_minor, state.refunded_minor


@pytest.mark.django_db
def test_a_key_is_one_capture_and_one_refund(now: datetime, gateway: ScriptedGateway) -> None:
    payment_id = payments.authorised_payment(now).id
    taken, back = new_id(), new_id()

    outcomes = [capture(payment_id, 900, now, taken) for _ in range(3)]
    outcomes += [refund(payment_id, 400, now, back) for _ in range(3)]

    assert {(outcome.state, outcome.code) for outcome in outcomes} == {("SUCCEEDED", None)}
    assert moved(payment_id) == (900, 400)
    assert [r.key for r in gateway.sent if isinstance(r, Capture | Refund)] == [taken, back]


@pytest.mark.django_db
def test_parts_are_taken_and_given_back_up_to_the_whole(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = payments.authorised_payment(now).id

    taken = [capture(payment_id, minor, now) for minor in (900, 900, 199, 1)]
    back = [refund(payment_id, minor, now) for minor in (1_000, 999, 1)]

    assert [(o.state, o.code) for o in taken] == [("SUCCEEDED", None)] * 3 + [
        ("FAILED", "payment_already_captured")
    ]
    assert [(o.state, o.code) for o in back] == [("SUCCEEDED", None)] * 2 + [
        ("FAILED", "refund_too_large")
    ]
    assert public.payment_states([payment_id])[payment_id].status == "REFUNDED"
    assert list(public.journal_differences()) == []


@pytest.mark.django_db
def test_a_key_of_something_else_is_a_mistake(now: datetime, gateway: ScriptedGateway) -> None:
    payment_id = payments.authorised_payment(now).id
    key = new_id()
    capture(payment_id, 900, now, key)

    with pytest.raises(PaymentMismatch):
        capture(payment_id, 901, now, key)
    with pytest.raises(PaymentMismatch):
        refund(payment_id, 900, now, key)


@pytest.mark.django_db
def test_what_cannot_be_is_an_outcome_and_no_error(now: datetime, gateway: ScriptedGateway) -> None:
    authorised = payments.authorised_payment(now).id
    voided = payments.voided_payment(now).id

    assert [
        capture(authorised, 2_000, now).code,
        refund(authorised, 1, now).code,
        capture(voided, 1, now).code,
        capture(new_id(), 1, now).code,
    ] == [
        "capture_too_large",
        "payment_not_captured",
        "payment_not_authorised",
        "payment_not_found",
    ]


@pytest.mark.django_db
def test_the_gateways_no_is_remembered_under_the_key(
    now: datetime, gateway: ScriptedGateway
) -> None:
    payment_id = payments.authorised_payment(now).id
    gateway.refusal = "expired"
    key = new_id()

    first = capture(payment_id, 900, now, key)
    gateway.refusal = ""

    assert (first.state, first.code) == ("FAILED", "expired")
    assert capture(payment_id, 900, now, key) == first
    assert capture(payment_id, 900, now).state == "SUCCEEDED"


@pytest.mark.django_db
@pytest.mark.parametrize("move", ["capture", "refund"])
def test_an_answer_that_comes_after_our_time_out_is_found_under_the_key(
    now: datetime, gateway: ScriptedGateway, move: str
) -> None:
    payment_id = payments.authorised_payment(now).id
    if move == "refund":
        capture(payment_id, 1_999, now)
    act = {"capture": capture, "refund": refund}[move]
    gateway.is_silent = True
    key = new_id()

    assert act(payment_id, 500, now, key).state == "UNKNOWN"
    other = act(payment_id, 500, now)
    assert other.state == "IN_PROGRESS"
    gateway.is_silent = False

    assert act(payment_id, 500, now, key).state == "SUCCEEDED"
    assert moved(payment_id) == ((500, 0) if move == "capture" else (1_999, 500))


@pytest.mark.django_db
def test_capabilities_are_respected(now: datetime, gateway: ScriptedGateway) -> None:
    gateway.capabilities = Capabilities(partial_capture=False, partial_refund=False)
    connect_anew("scripted")
    whole = payments.authorised_payment(now).id
    assert capture(whole, 900, now).code == "not_supported_by_gateway"
    assert capture(whole, 1_999, now).state == "SUCCEEDED"
    assert refund(whole, 900, now).code == "not_supported_by_gateway"
    assert refund(whole, 1_999, now).state == "SUCCEEDED"

    gateway.capabilities = Capabilities(multiple_captures=False)
    connect_anew("scripted")
    once = payments.authorised_payment(now).id
    assert capture(once, 900, now).state == "SUCCEEDED"
    assert capture(once, 900, now).code == "not_supported_by_gateway"


@pytest.mark.django_db(transaction=True)
def test_the_same_capture_many_times_at_once_takes_once(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment_id = payments.authorised_payment(now).id
    key = new_id()

    outcomes = in_threads(*[lambda: capture(payment_id, 1_999, now, key)] * 8)

    assert {o.state for o in outcomes} <= {"SUCCEEDED", "UNKNOWN", "IN_PROGRESS"}
    assert capture(payment_id, 1_999, now, key).state == "SUCCEEDED"
    assert moved(payment_id) == (1_999, 0)
    assert told(payment_id).count(PROCESSED) == 1


@pytest.mark.django_db(transaction=True)
def test_refunds_at_once_never_give_back_more_than_was_taken(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    payment_id = payments.captured_payment(now).id
    keys = [new_id() for _ in range(8)]

    in_threads(*[lambda key=key: refund(payment_id, 600, now, key) for key in keys])
    outcomes = [refund(payment_id, 600, now, key) for key in keys]

    assert (
        sorted((o.state, o.code) for o in outcomes)
        == [("FAILED", "refund_too_large")] * 5 + [("SUCCEEDED", None)] * 3
    )
    assert moved(payment_id) == (1_999, 1_800)
    assert len({r.key for r in gateway.sent if isinstance(r, Refund)}) == 3
    assert told(payment_id).count(REFUNDED) == 3
    assert list(public.journal_differences()) == []


@pytest.mark.django_db(transaction=True)
def test_of_a_capture_and_a_void_at_once_one_wins(
    now: datetime, gateway: ScriptedGateway, in_threads: Callable[..., list[Any]]
) -> None:
    for _ in range(6):
        payment_id = payments.authorised_payment(now).id

        in_threads(
            lambda key=payment_id: capture(key, 1_999, now),
            lambda key=payment_id: public.void(payment_id=key, now=now),
        )

        payment = Payment.objects.whole(payment_id)
        assert payment is not None
        assert (payment.status, payment.captured_minor) in (("CAPTURED", 1_999), ("VOIDED", 0))
        succeeded = [o.kind for o in payment.operations if o.state == "SUCCEEDED"]
        assert len(succeeded) == 2
        asked = {type(r) for r in gateway.sent if getattr(r, "authorisation", "") != ""}
        assert asked <= {Capture, Void}


# Carries a command out like a worker, up to the moment that the gateway's answer arrives.
KILLED = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from uuid import UUID
from domains.payments import public
from domains.payments.gateways.simulated import SimulatedGateway
from infrastructure.money import Money
when, move, payment_id, key, now = sys.argv[1:]
send = SimulatedGateway.send
def send_and_die(self, request):
    if when == "after":
        send(self, request)
    os.kill(os.getpid(), signal.SIGKILL)
SimulatedGateway.send = send_and_die
more = {"reason": "broken"} if move == "refund" else {}
getattr(public, move)(
    payment_id=UUID(payment_id), key=UUID(key), amount=Money(700, "GBP"),
    now=datetime.fromisoformat(now), **more,
)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("when", "move"),
    [
        ("after", "capture"),
        pytest.param("before", "capture", marks=pytest.mark.long),
        pytest.param("before", "refund", marks=pytest.mark.long),
        pytest.param("after", "refund", marks=pytest.mark.long),
    ],
)
def test_a_process_killed_in_the_middle_of_a_move_leaves_it_to_recovery(
    now: datetime, gateway_process: GatewayProcess, settings: Any, move: str, when: str
) -> None:
    payment_id = payments.authorised_payment(now).id
    if move == "refund":
        capture(payment_id, 1_999, now)
    key = new_id()
    database = connection_of("payments").settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    environment = {
        "DATABASE_URL": url,
        "PAYMENT_GATEWAY": "simulated",
        "PAYMENT_GATEWAY_URL": settings.PAYMENT_GATEWAY_URL,
        "PAYMENT_GATEWAY_SECRET": settings.PAYMENT_GATEWAY_SECRET,
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, when, move, str(payment_id), str(key), now.isoformat()],
        env={**os.environ, **environment},
        check=False,
    )
    assert killed.returncode == -9
    assert Operation.objects.get(pk=key).state == "SENT"

    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 1

    assert moved(payment_id) == ((700, 0) if move == "capture" else (1_999, 700))
    act = {"capture": capture, "refund": refund}[move]
    assert act(payment_id, 700, now, key).state == "SUCCEEDED"
    (there,) = gateway_process.authorisations()
    assert (there["captured_minor"], there["refunded_minor"]) == moved(payment_id)
    assert JournalEntry.objects.filter(operation_id=key).count() == 1
    connections[alias_of("payments")].close()
