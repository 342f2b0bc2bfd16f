"""The shop against the gateway as it runs: an HTTP process that is slow, silent, or killed."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devstack.gateway.ledger import Authorise, Ledger
from domains.payments import public, services
from domains.payments.gateways import port
from domains.payments.gateways.port import NoAnswer
from domains.payments.gateways.simulated import SimulatedGateway
from domains.payments.models import Payment
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess, giving_up_soon
from tests.support.factories import payments


@pytest.mark.django_db
def test_the_whole_life_of_a_payment(now: datetime, gateway_process: GatewayProcess) -> None:
    captured = payments.captured_payment(now)
    voided = payments.voided_payment(now)
    declined = payments.authorised_payment(now, token="tok_insufficient_funds")
    unknown_card = payments.authorised_payment(now, token="tok_nobody_knows")
    services.refund(payment_id=captured.id, amount=Money(500, "GBP"), reason="broken", now=now)

    assert (captured.status, voided.status) == ("CAPTURED", "VOIDED")
    assert (declined.status, declined.decline_code) == ("DECLINED", "insufficient_funds")
    assert unknown_card.decline_code == "invalid_token"
    assert [
        (a["reference"], a["captured_minor"], a["refunded_minor"], a["is_voided"])
        for a in gateway_process.authorisations()
    ] == [(captured.reference, 1_999, 500, False), (voided.reference, 0, 0, True)]


@pytest.mark.django_db
def test_a_timeout_after_success_is_unknown_and_then_authorised_once(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    asked = payments.request(now, token="tok_timeout")

    with giving_up_soon():
        outcome = public.authorise(**asked)

    assert outcome.status == "UNKNOWN"
    assert len(gateway_process.authorisations()) == 1
    assert services.resolve(payment_id=asked["payment_id"], now=now).status == "AUTHORISED"
    assert len(gateway_process.authorisations()) == 1


@pytest.mark.django_db
def test_any_share_of_requests_can_time_out_after_success(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    gateway_process.change(timeout_after_success_rate=1)
    with giving_up_soon():
        payment = payments.authorised_payment(now)
    assert payment.status == "UNKNOWN"

    assert services.resolve(payment_id=payment.id, now=now).status == "AUTHORISED"
    with giving_up_soon():
        _, capture = services.capture(payment_id=payment.id, now=now)
    assert capture.state == "UNKNOWN"
    assert services.resolve(payment_id=payment.id, now=now).status == "CAPTURED"
    assert [a["captured_minor"] for a in gateway_process.authorisations()] == [1_999]


@pytest.mark.django_db
def test_a_gateway_that_is_too_slow_does_not_hold_the_shop(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    gateway_process.change(latency_ms=60_000)

    started = time.monotonic()
    with giving_up_soon():
        payment = payments.authorised_payment(now)

    assert payment.status == "UNKNOWN"
    assert time.monotonic() - started < 50
    # Nor does it carry the request out in the middle of another test.
    gateway_process.kill()
    gateway_process.start()


@pytest.mark.django_db
def test_declines_at_random_can_be_switched_on_and_off(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    gateway_process.change(decline_rate=1)
    assert payments.authorised_payment(now).decline_code == "card_declined"
    gateway_process.change(decline_rate=0)
    assert payments.authorised_payment(now).status == "AUTHORISED"


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_are_one_authorisation_at_the_gateway(
    now: datetime,
    gateway_process: GatewayProcess,
    in_threads: Callable[..., list[Any]],
) -> None:
    gateway_process.change(latency_ms=50)
    asked = payments.request(now)

    outcomes = in_threads(*[lambda: public.authorise(**asked)] * 20)

    assert {outcome.status for outcome in outcomes} == {"AUTHORISED"}
    assert len(gateway_process.authorisations()) == 1


@pytest.mark.django_db
def test_what_the_gateway_acknowledged_survives_its_death(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    before = payments.authorised_payment(now)

    gateway_process.kill()
    meanwhile = payments.authorised_payment(now)
    gateway_process.start()

    assert (before.status, meanwhile.status) == ("AUTHORISED", "UNKNOWN")
    assert services.resolve(payment_id=meanwhile.id, now=now).status == "AUTHORISED"
    assert [a["reference"] for a in gateway_process.authorisations()] == [
        before.reference,
        meanwhile.reference,
    ]
    assert services.capture(payment_id=before.id, now=now)[0].status == "CAPTURED"


@pytest.mark.django_db
@pytest.mark.faults
@pytest.mark.parametrize("is_decided", [False, True])
def test_a_gateway_killed_in_the_middle_of_a_call_is_asked_again(
    now: datetime, gateway_process: GatewayProcess, is_decided: bool
) -> None:
    """Before it has decided, which it does after half of its time, and after."""
    payments.authorised_payment(now)  # the connection is open
    gateway_process.change(latency_ms=3_000)

    def kill() -> None:
        if is_decided:
            gateway_process.until(lambda: len(gateway_process.authorisations()) == 2)
        gateway_process.kill()

    killer = threading.Timer(0.3, kill)
    killer.start()

    payment = payments.authorised_payment(now)
    killer.join()
    gateway_process.start()

    assert payment.status == "UNKNOWN"
    assert services.resolve_unfinished(now=now + timedelta(minutes=1)) == 1
    assert Payment.objects.get(pk=payment.id).status == "AUTHORISED"
    assert len(gateway_process.authorisations()) == 2


def authorise(gateway: GatewayProcess, key: str, **changes: Any) -> Any:
    body = {"amount_minor": 100, "currency": "GBP", "token": "tok_visa", "reference": "K-1"}
    return gateway.command("/authorisations", key=key, **body | changes)


def test_the_gateway_carries_out_a_key_once(gateway_process: GatewayProcess) -> None:
    key = str(new_id())

    first, again = authorise(gateway_process, key), authorise(gateway_process, key)
    other = authorise(gateway_process, key, amount_minor=200)
    looked_up = gateway_process.get(f"/operations/{key}")
    unknown = gateway_process.get(f"/operations/{new_id()}")

    assert first.json() == again.json() == looked_up.json()
    assert (first.json()["status"], first.json()["kind"]) == ("succeeded", "authorise")
    assert (other.status_code, other.json()) == (409, {"error": "key_reused"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "unknown_key"})
    assert len(gateway_process.authorisations()) == 1


def test_the_gateway_refuses_what_makes_no_sense(gateway_process: GatewayProcess) -> None:
    held = authorise(gateway_process, str(new_id())).json()["id"]

    def outcome(path: str, **body: Any) -> tuple[str, str]:
        answer = gateway_process.command(path, key=str(new_id()), **body).json()
        return answer["status"], answer["code"]

    def capture(authorisation: str, amount_minor: int) -> tuple[str, str]:
        return outcome("/captures", authorisation=authorisation, amount_minor=amount_minor)

    assert capture("none", 1) == ("refused", "unknown_authorisation")
    assert capture(held, 101) == ("refused", "amount_too_large")
    assert capture(held, 60) == ("succeeded", "")
    assert outcome("/voids", authorisation=held) == ("refused", "already_captured")
    other = authorise(gateway_process, str(new_id())).json()["id"]
    assert outcome("/voids", authorisation=other) == ("succeeded", "")
    assert capture(other, 1) == ("refused", "already_voided")
    assert outcome("/voids", authorisation=other) == ("refused", "already_voided")


def test_the_gateway_listens_to_signed_requests_only(gateway_process: GatewayProcess) -> None:
    answer = authorise(gateway_process, "k", secret="wrong")

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_signature"})
    assert gateway_process.authorisations() == []


@pytest.mark.parametrize("wrong", [{"amount_minor": -1}, {"amount_minor": "9"}, {"more": 1}])
def test_the_gateway_refuses_a_malformed_request(
    gateway_process: GatewayProcess, wrong: dict[str, Any]
) -> None:
    assert authorise(gateway_process, str(new_id()), **wrong).status_code == 400
    assert gateway_process.authorisations() == []


def test_the_gateway_forgets_nothing_when_it_is_killed(gateway_process: GatewayProcess) -> None:
    keys = [str(new_id()) for _ in range(20)]
    answers = [authorise(gateway_process, key).json() for key in keys]

    gateway_process.kill()
    gateway_process.start()

    assert [authorise(gateway_process, key).json() for key in keys] == answers
    assert [a["key"] for a in gateway_process.authorisations(since=15, limit=3)] == keys[15:18]


def test_a_line_cut_by_a_crash_does_not_spoil_the_journal(tmp_path: Path) -> None:
    def request(key: str) -> Authorise:
        return Authorise(
            key=key, amount_minor=100, currency="GBP", token="tok_visa", reference="K-1"
        )

    journal = tmp_path / "journal.jsonl"
    ledger = Ledger(journal)
    first, _ = ledger.carry_out(request("a"))
    ledger.close()
    with journal.open("ab") as file:
        file.write(b'{"sequence":2,"key":"b"')

    for _ in range(2):
        ledger = Ledger(journal)
        assert ledger.carry_out(request("a")) == (first, False)
        assert ledger.carry_out(request("c"))[0].sequence == 2
        ledger.close()


def test_settings_that_make_no_sense_are_refused(gateway_process: GatewayProcess) -> None:
    for wrong in ({"decline_rate": 2}, {"latency_ms": -1}, {"speed": 1}, []):
        assert gateway_process.put("/settings", wrong).status_code == 400
    unchanged = gateway_process.get("/settings").json()
    assert unchanged["decline_rate"] == unchanged["latency_ms"] == 0


@pytest.mark.django_db(transaction=True)
def test_notifications_arrive_signed_twice_and_late(
    now: datetime,
    gateway_process: GatewayProcess,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[bool] = []
    receive = services.receive_notification
    monkeypatch.setattr(
        services, "receive_notification", lambda **told: taken.append(receive(**told)) or True
    )
    gateway_process.change(
        webhook_url=f"{live_server.url}/api/v1/payments/webhooks/simulated", duplicate_rate=1
    )
    # Nobody gets the answer, so that only a notification can have told.
    asked = payments.request(now, token="tok_timeout")
    with giving_up_soon():
        public.authorise(**asked)

    states = public.payment_states
    gateway_process.until(
        lambda: states([asked["payment_id"]])[asked["payment_id"]].status == "AUTHORISED"
    )
    version = Payment.objects.get(pk=asked["payment_id"]).version
    voided = services.void(payment_id=asked["payment_id"], now=now)
    gateway_process.until(lambda: len(taken) == 4)  # of both, and a late copy of each

    stored = Payment.objects.get(pk=asked["payment_id"])
    assert (stored.status, stored.version) == ("VOIDED", voided.version)
    assert version < stored.version


def answering(*chunks: bytes, pause: float = 0) -> str:
    """The address of a server that takes one connection and answers it with these bytes."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server, server.accept()[0] as connection:
            request = b""
            while not request.endswith(b"}" if request.startswith(b"POST") else b"\r\n\r\n"):
                request += connection.recv(65_536)
            for chunk in chunks:
                time.sleep(pause)
                try:
                    connection.sendall(chunk)
                except OSError:
                    return

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("chunks", "pause", "patience", "reason"),
    [
        ([b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"], 0, 30, "The gateway answered 500."),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"], 0, 30, "cannot be read"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x" * 99_999], 0, 30, "too long"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", *[b"x"] * 50], 0.1, 1.5, "too slow"),
        ([b"nonsense\r\n\r\n"], 0, 30, "BadStatusLine"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"], 0, 30, "cut short"),
        ([b""], 0, 30, "RemoteDisconnected"),
        ([b"HTTP/1.1 200 OK\r\n"], 3, 0.4, "TimeoutError"),
    ],
)
def test_what_cannot_be_understood_is_no_answer(
    settings: Any, chunks: list[bytes], pause: float, patience: float, reason: str
) -> None:
    settings.PAYMENT_GATEWAY_URL = answering(*chunks, pause=pause)
    settings.PAYMENT_GATEWAY_READ_TIMEOUT = patience
    gateway = SimulatedGateway()

    with pytest.raises(NoAnswer, match=reason):
        gateway.send(
            port.Authorise(
                key=new_id(), amount_minor=1, currency="GBP", reference="K-1", token="tok_visa"
            )
        )
    gateway.close()


def test_an_answer_to_another_question_is_no_answer(settings: Any) -> None:
    told = json.dumps(
        {"id": "a", "key": str(new_id()), "kind": "void", "status": "succeeded", "code": ""}
        | {"authorisation": "b", "amount_minor": 0, "currency": "GBP", "at": 0.0}
    ).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told)
    settings.PAYMENT_GATEWAY_URL = answering(head + told)
    gateway = SimulatedGateway()

    with pytest.raises(NoAnswer, match="answered another question"):
        gateway.lookup(port.Void(key=new_id(), authorisation="auth_1"))
    gateway.close()
