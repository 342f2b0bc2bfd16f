"""A gateway behind its guards: left alone when it is away, and nothing written meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from domains.payments import gateways, public, services
from domains.payments.errors import PaymentsUnavailable
from domains.payments.gateways.port import NoAnswer
from domains.payments.models import Operation, Payment
from domains.payments.rules.gateways import Reply
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess, ScriptedGateway, connect_anew
from tests.support.factories import payments
from tests.support.factories.users import client_of, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def guarded(gateway: ScriptedGateway, settings: Any) -> Iterator[ScriptedGateway]:
    """The scripted gateway behind a circuit that opens after two silences, for a minute."""
    settings.PAYMENT_CIRCUIT_FAILURES = 2
    settings.PAYMENT_CIRCUIT_REST_SECONDS = 60
    connect_anew("scripted")
    yield gateway
    connect_anew("scripted")


def break_it(gateway: ScriptedGateway, now: datetime) -> None:
    gateway.is_silent = True
    for _ in range(2):
        payments.authorised_payment(now)
    gateway.sent.clear()


def mend(gateway: ScriptedGateway) -> None:
    gateway.is_silent = False
    connect_anew("scripted")


def test_a_gateway_that_is_left_alone_is_never_an_outcome(
    now: datetime, guarded: ScriptedGateway
) -> None:
    break_it(guarded, now)
    rows = Operation.objects.count()

    outcome = public.authorise(**payments.request(now))

    assert (outcome.status, outcome.has_begun) == ("PENDING", False)
    assert (Operation.objects.count(), Payment.objects.count()) == (rows, 2)
    assert guarded.sent == []


def test_what_is_decided_is_told_whether_the_gateway_is_there_or_not(
    now: datetime, guarded: ScriptedGateway
) -> None:
    asked = payments.request(now)
    public.authorise(**asked)
    break_it(guarded, now)

    again = public.authorise(**asked)

    assert (again.status, again.has_begun) == ("AUTHORISED", True)


def test_captures_and_refunds_are_refused_and_nothing_is_written(
    now: datetime, guarded: ScriptedGateway
) -> None:
    held, taken = payments.authorised_payment(now), payments.captured_payment(now)
    break_it(guarded, now)
    rows = Operation.objects.count()

    with pytest.raises(PaymentsUnavailable) as refused:
        services.capture(payment_id=held.id, now=now)
    with pytest.raises(PaymentsUnavailable):
        services.refund(payment_id=taken.id, reason="broken", now=now)
    keyed = public.capture(payment_id=held.id, key=held.id, amount=Money(5, "GBP"), now=now)

    assert 1 <= refused.value.retry_after_s <= 60
    assert keyed.state == "IN_PROGRESS"
    assert Operation.objects.count() == rows
    mend(guarded)
    assert services.capture(payment_id=held.id, now=now)[0].status == "CAPTURED"


def test_a_void_is_remembered_and_follows(now: datetime, guarded: ScriptedGateway) -> None:
    held = payments.authorised_payment(now)
    break_it(guarded, now)

    outcome = public.void(payment_id=held.id, now=now)

    assert outcome.status == "PENDING"
    assert Operation.objects.filter(payment_id=held.id).count() == 1
    mend(guarded)
    services.resolve_unfinished(now=now + timedelta(minutes=1))
    assert Payment.objects.get(pk=held.id).status == "VOIDED"


def test_recovery_leaves_it_alone_and_finds_it_well_again(
    now: datetime, guarded: ScriptedGateway
) -> None:
    break_it(guarded, now)

    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 0
    assert guarded.sent == []
    mend(guarded)
    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 2


def test_a_gateway_that_has_not_decided_yet_is_well(
    now: datetime, guarded: ScriptedGateway
) -> None:
    """Refunds that take a day at the bank open no circuit, and end no round of the recovery."""
    taken = [payments.captured_payment(now) for _ in range(5)]
    guarded.is_undecided = True
    for payment in taken:
        services.refund(payment_id=payment.id, reason="broken", now=now)
    assert public.availability("card") == public.Available()

    guarded.sent.clear()
    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 0

    assert len(guarded.sent) == 5
    assert public.availability("card") == public.Available()
    guarded.is_undecided = False
    assert services.resolve_unfinished(now=now + timedelta(minutes=9)) == 5


@pytest.fixture
def other_gateway(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ScriptedGateway]:
    """A second one, as after a change of PAYMENT_GATEWAY."""
    other = ScriptedGateway()
    monkeypatch.setitem(gateways.ADAPTERS, "other", lambda: other)
    connect_anew("other")
    yield other
    gateways.disconnect()


@pytest.mark.parametrize("failures", [2, 1_000_000])
def test_a_gateway_that_is_away_keeps_no_other_from_recovery(
    now: datetime,
    gateway: ScriptedGateway,
    other_gateway: ScriptedGateway,
    settings: Any,
    failures: int,
) -> None:
    """Whether its circuit opens, or it is silent; however many of its payments are due first."""
    gateway.is_silent = other_gateway.is_silent = True
    for _ in range(6):
        payments.authorised_payment(now)
    settings.PAYMENT_GATEWAY = "other"
    late = payments.authorised_payment(now + timedelta(seconds=1))
    settings.PAYMENT_CIRCUIT_FAILURES = failures
    connect_anew("scripted")
    other_gateway.is_silent = False

    assert services.resolve_unfinished(now=now + timedelta(minutes=1), limit=4) == 1

    assert Payment.objects.get(pk=late.id).status == "AUTHORISED"


def test_a_bulkhead_that_is_full_refuses_before_anything_is_written(
    now: datetime, gateway: ScriptedGateway, settings: Any
) -> None:
    settings.PAYMENT_GATEWAY_CONCURRENCY = 1
    settings.PAYMENT_GATEWAY_MAX_WAIT_SECONDS = 0
    connect_anew("scripted")
    inside, leave = threading.Event(), threading.Event()

    def occupy() -> None:
        with gateways.admitted("scripted"):
            inside.set()
            leave.wait(30)

    occupant = threading.Thread(target=occupy)
    occupant.start()
    assert inside.wait(30)
    try:
        outcome = public.authorise(**payments.request(now))
    finally:
        leave.set()
        occupant.join()

    assert (outcome.status, outcome.has_begun) == ("PENDING", False)
    assert not Payment.objects.exists()
    assert public.authorise(**payments.request(now)).status == "AUTHORISED"


def test_what_passes_is_sent_again_under_its_key(
    now: datetime, guarded: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [NoAnswer("reset", is_passing=True)] * 2
    send = guarded.send

    def flaky(request: Any) -> Reply:
        reply = send(request)
        if faults:
            raise faults.pop()
        return reply

    monkeypatch.setattr(guarded, "send", flaky)

    assert payments.authorised_payment(now).status == "AUTHORISED"
    assert len(guarded.sent) == 3
    assert guarded.authorisations == 1


def test_availability_costs_nothing_and_follows_the_setting(
    now: datetime,
    guarded: ScriptedGateway,
    settings: Any,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    assert public.availability("card") == public.Available()
    break_it(guarded, now)

    with django_assert_num_queries(0):
        seen = public.availability("card")
        on_account = public.availability("invoice")
        settings.PAYMENTS_DOWN = "accept"
        accepted = public.availability("card")

    assert isinstance(seen, public.Unavailable)
    assert 1 <= seen.retry_after_s <= 60
    assert seen.refusal().status == 503
    assert on_account == accepted == public.Available()
    assert guarded.sent == []


def test_over_http_it_is_a_503_with_retry_after(now: datetime, guarded: ScriptedGateway) -> None:
    held = payments.authorised_payment(now)
    break_it(guarded, now)

    answer = client_of(staff("finance")).post(
        f"/api/v1/payments/{held.id}/capture",
        {},
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    assert (answer.status_code, answer.json()["code"]) == (503, "payments_unavailable")
    assert 1 <= int(answer["Retry-After"]) <= 60


@pytest.mark.faults
@pytest.mark.parametrize("how", ["killed", "silent", "failing"])
def test_a_gateway_that_comes_back_finishes_what_was_begun(
    now: datetime, gateway_process: GatewayProcess, settings: Any, how: str
) -> None:
    """Killed, slower than our patience, or answering 500: then well again."""
    settings.PAYMENT_CIRCUIT_FAILURES = 3
    connect_anew("simulated")
    if how == "killed":
        gateway_process.kill()
    elif how == "silent":
        gateway_process.change(latency_ms=2_000)
        settings.PAYMENT_GATEWAY_READ_TIMEOUT = 0.2
        connect_anew("simulated")
    else:
        gateway_process.change(error_rate=1)

    asked = [payments.request(now) for _ in range(6)]
    begun = [public.authorise(**each).has_begun for each in asked]
    assert begun[:3] == [True] * 3
    assert not all(begun)

    if how == "killed":
        gateway_process.start()
    gateway_process.change(latency_ms=0, error_rate=0)
    settings.PAYMENT_GATEWAY_READ_TIMEOUT = 30
    connect_anew("simulated")
    services.resolve_unfinished(now=now + timedelta(minutes=5))
    assert {public.authorise(**each).status for each in asked} == {"AUTHORISED"}
    assert len(gateway_process.authorisations()) == 6
    assert list(public.journal_differences()) == []
