"""The gateway's books against ours, in each way in which they can differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from domains.payments import public, services, tasks
from domains.payments.errors import DifferenceNotFound, NotSupportedByGateway
from domains.payments.models import Comparison, Operation, ReconciliationDifference
from domains.payments.queries import operations as queries
from domains.payments.rules.gateways import Capabilities, Reply
from infrastructure import clock
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import (
    GatewayProcess,
    ScriptedGateway,
    connect_anew,
    giving_up_soon,
    guarded,
)
from tests.integration.payments.test_authorise import told
from tests.support.factories import payments
from tests.support.reconciling import authorisation_of, captured, damage, found, reconcile

pytestmark = pytest.mark.django_db(transaction=True)

REFUNDED, VOIDED = "payments.payment_refunded", "payments.payment_voided"


@pytest.fixture
def since(gateway_process: GatewayProcess, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Other tests' operations are at the gateway as well: they were before this."""
    monkeypatch.setattr(services.reconciling, "_SKEW", timedelta(0))
    return clock.now()


def test_books_that_agree_have_no_difference(since: datetime) -> None:
    payment = captured()
    services.refund(payment_id=payment.id, amount=Money(5, "GBP"), reason="broken", now=clock.now())
    payments.voided_payment(clock.now())
    payments.authorised_payment(clock.now(), token="tok_declined")

    result = reconcile(since)

    assert (result.compared, result.repaired, result.different) == (6, 0, 0)
    assert found() == []


def test_what_another_client_of_the_account_did_is_a_difference_under_its_own_key(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payments.authorised_payment(clock.now())
    asked = {"key": "till-7/2031", "amount_minor": 5, "currency": "GBP", "reference": "T-7"}
    answer = gateway_process.command("/authorisations", **asked, token="tok_visa")
    assert answer.json()["status"] == "succeeded"

    result = reconcile(since)

    assert (result.compared, result.repaired, result.different) == (2, 0, 1)
    [difference] = ReconciliationDifference.objects.all()
    assert difference.subject == f"AUTHORISE {answer.json()['id']}"


@pytest.mark.parametrize("token", ["tok_visa", "tok_declined"])
def test_an_outcome_that_was_not_heard_is_written_down(
    since: datetime, gateway_process: GatewayProcess, token: str
) -> None:
    gateway_process.change(timeout_after_success_rate=1)
    with giving_up_soon():
        payment = payments.authorised_payment(clock.now(), token=token)
    assert payment.status == "UNKNOWN"

    first, second = reconcile(since), reconcile(since)

    assert (first.repaired, first.different, second.repaired) == (1, 0, 0)
    status = public.payment_states([payment.id])[payment.id].status
    assert status == ("AUTHORISED" if token == "tok_visa" else "DECLINED")
    assert len(told(payment.id)) == 1


def test_what_was_done_in_the_gateways_dashboard_is_booked_and_told_once(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    taken, held = captured(), payments.authorised_payment(clock.now())
    for kind, payment, minor in (("refund", taken, 700), ("void", held, 0)):
        gateway_process.command(
            "/dashboard", kind=kind, authorisation=authorisation_of(payment), amount_minor=minor
        ).raise_for_status()

    results = [reconcile(since) for _ in range(2)]

    assert [(r.repaired, r.different) for r in results] == [(2, 0), (0, 0)]
    state = public.payment_states([taken.id])[taken.id]
    assert (state.status, state.refunded_minor) == ("PARTIALLY_REFUNDED", 700)
    assert public.payment_states([held.id])[held.id].status == "VOIDED"
    assert told(taken.id).count(REFUNDED) == 1
    assert told(held.id).count(VOIDED) == 1
    assert Operation.objects.filter(asked_elsewhere=True).count() == 2
    assert list(public.journal_differences()) == []


def test_money_that_is_held_for_nobody_here_is_reported(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    gateway_process.command(
        "/authorisations",
        key=str(new_id()),
        amount_minor=500,
        currency="GBP",
        reference="?",
        token="tok_visa",
    ).raise_for_status()

    for _ in range(2):
        assert reconcile(since).different == 1

    assert found() == [("MISSING_HERE", "AUTHORISE")]


def test_what_the_gateway_lost_is_reported_until_it_is_back(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payment = captured()
    gateway_process.command("/losses", key=str(payment.operations[1].id)).raise_for_status()

    assert reconcile(since).different == 1
    assert found() == [("MISSING_THERE", "CAPTURE")]
    (row,) = ReconciliationDifference.objects.all()
    assert (row.payment_id, row.our_amount_minor, row.their_amount_minor) == (
        payment.id,
        1_999,
        None,
    )

    gateway_process.kill()
    gateway_process.start()
    result = reconcile(since)
    assert (result.different, result.gone) == (0, 1)
    assert found() == []


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE payments_operation SET amount_minor = 1 WHERE id = %s", "AMOUNT"),
        (
            "UPDATE payments_operation SET state = 'FAILED' WHERE id = %s",
            "STATE",
        ),
        (
            "UPDATE payments_payment SET currency = 'EUR' WHERE id ="
            " (SELECT payment_id FROM payments_operation WHERE id = %s)",
            "CURRENCY",
        ),
    ],
)
def test_what_the_two_books_say_otherwise_is_reported_and_not_repaired(
    since: datetime, sql: str, kind: str
) -> None:
    payment = payments.authorised_payment(clock.now())
    damage(sql, payment.operations[0].id)

    assert (reconcile(since).repaired, reconcile(since).different) == (0, 1)

    assert found() == [(kind, "AUTHORISE")]
    assert ReconciliationDifference.objects.count() == 1


def test_a_refund_that_does_not_fit_is_reported_and_never_invented(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payment = captured()
    gateway_process.command(
        "/dashboard", kind="refund", authorisation=authorisation_of(payment), amount_minor=900
    ).raise_for_status()
    # We have given back more than the gateway knows of, so that what it tells cannot be.
    invoice = payments.authorised_payment(clock.now(), method="invoice")
    assert invoice.status == "AUTHORISED"
    services.refund(payment_id=payment.id, amount=Money(1_000, "GBP"), reason="x", now=clock.now())
    damage("UPDATE payments_operation SET amount_minor = 1099 WHERE kind = 'CAPTURE'")
    payments.without_guards(
        "UPDATE payments_journalentry SET amount_minor = 1099 WHERE credit_account = 'CUSTOMERS'"
    )
    payments.without_guards(
        "UPDATE payments_payment SET captured_minor = 1099 WHERE captured_minor > 0"
    )

    assert reconcile(since).repaired == 0

    assert ("MISSING_HERE", "REFUND") in found()
    assert public.payment_states([payment.id])[payment.id].refunded_minor == 1_000


def test_staff_close_a_difference_for_good(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payment = captured()
    gateway_process.command("/losses", key=str(payment.operations[1].id)).raise_for_status()
    reconcile(since)
    (row,) = ReconciliationDifference.objects.all()
    staff = new_id()

    assert not services.compare_again(difference_id=row.id, now=clock.now())
    services.close_difference(
        difference_id=row.id, reason="paid by cheque", actor_id=staff, now=clock.now()
    )
    reconcile(since)

    row.refresh_from_db()
    assert (row.resolution, row.closed_by) == ("paid by cheque", staff)
    assert found() == []
    with pytest.raises(DifferenceNotFound):
        services.compare_again(difference_id=row.id, now=clock.now())


def test_comparisons_at_the_same_time_report_and_book_once(
    since: datetime, gateway_process: GatewayProcess, in_threads: Callable[..., list[Any]]
) -> None:
    payment, lost = captured(), captured()
    gateway_process.command(
        "/dashboard", kind="refund", authorisation=authorisation_of(payment), amount_minor=700
    ).raise_for_status()
    gateway_process.command("/losses", key=str(lost.operations[1].id)).raise_for_status()

    in_threads(*[lambda: reconcile(since)] * 4)

    assert public.payment_states([payment.id])[payment.id].refunded_minor == 700
    assert told(payment.id).count(REFUNDED) == 1
    assert found() == [("MISSING_THERE", "CAPTURE")]


def test_an_authorisation_that_was_let_go_since_is_known_there(
    since: datetime, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe tells of the authorisation of a void as `canceled`: it knows it."""
    payment = payments.authorised_payment(clock.now())
    gateway.decide(payment.operations[0].id, Reply(gateway_reference="ref_1", refusal="canceled"))
    gateway.capabilities = Capabilities(listing=True)  # type: ignore[misc]
    monkeypatch.setattr(gateway, "listing", lambda since, until: iter(()))
    connect_anew("scripted")
    later = clock.now() + timedelta(hours=1)

    result = services.reconcile(gateway="scripted", since=since, until=later, now=later)

    assert (result.different, found()) == (0, [])
    services.void(payment_id=payment.id, now=clock.now())
    gateway.forget()
    result = services.reconcile(gateway="scripted", since=since, until=later, now=later)
    assert (result.different, found()) == (
        2,
        [("MISSING_THERE", "AUTHORISE"), ("MISSING_THERE", "VOID")],
    )


def test_a_comparison_that_began_earlier_and_ends_later_hides_nothing(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payment = captured()
    gateway_process.command("/losses", key=str(payment.operations[1].id)).raise_for_status()
    late, early = (clock.now() + timedelta(hours=hours) for hours in (2, 1))
    for now in (late, early):
        services.reconcile(gateway="simulated", since=since, until=now, now=now)

    (row,) = ReconciliationDifference.objects.all()
    assert row.last_seen_at == late
    gone = ReconciliationDifference.objects.close_gone(
        gateway="simulated", since=since, until=late, now=late
    )
    assert (gone, found()) == (0, [("MISSING_THERE", "CAPTURE")])


def test_every_gateway_that_was_used_is_compared_once_a_day(
    gateway_process: GatewayProcess, gateway: ScriptedGateway, settings: Any
) -> None:
    """Also the one that was used until yesterday; asked every hour, and again where it is away."""
    seen: list[datetime] = []
    gateway.capabilities = Capabilities(listing=True)  # type: ignore[misc]
    gateway.listing = lambda since, until: iter(seen.append(until) or ())  # type: ignore[method-assign, func-returns-value]
    settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT = settings.PAYMENT_GATEWAY_READ_TIMEOUT = 30
    connect_anew("scripted")
    settings.PAYMENT_GATEWAY = "simulated"
    payments.authorised_payment(clock.now())
    settings.PAYMENT_GATEWAY = "scripted"
    now = clock.now()

    def compared_at() -> dict[str, datetime]:
        return dict(Comparison.objects.values_list("gateway", "finished_at"))

    gateway_process.kill()
    services.reconcile_due(now=now)
    assert compared_at() == {"scripted": now}
    gateway_process.start()
    connect_anew("simulated")
    soon = now + timedelta(hours=1)
    services.reconcile_due(now=soon)
    assert (compared_at(), len(seen)) == ({"scripted": now, "simulated": soon}, 1)
    tomorrow = now + timedelta(hours=24)
    services.reconcile_due(now=tomorrow)
    assert (compared_at()["scripted"], len(seen)) == (tomorrow, 2)
    guarded("simulated").close()


def test_what_was_done_in_a_window_is_found_by_an_index(since: datetime) -> None:
    with connection_of("payments").cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        rows = queries._done(since)
        plan = rows.order_by().explain()
        cursor.execute("RESET enable_seqscan")
    assert "operation_done" in plan


def test_the_command_says_what_it_found(
    since: datetime, gateway_process: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = captured()
    gateway_process.command("/losses", key=str(payment.operations[1].id)).raise_for_status()
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    days = (later - since) / timedelta(days=1)
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("reconcile_payments", days=days, stdout=out)

    assert ended.value.code == 1
    assert re.fullmatch(
        r"simulated: \d+ compared, 0 repaired, 1 different, 0 gone\.\n", out.getvalue()
    )
    gateway_process.kill()
    with pytest.raises(CommandError, match="did not answer"):
        call_command("reconcile_payments", days=days, stdout=out)


def test_a_gateway_that_lists_nothing_is_not_compared(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "in_process"
    now = clock.now()

    with pytest.raises(NotSupportedByGateway):
        services.reconcile(gateway="in_process", since=now, until=now, now=now)
    tasks.reconcile()
    with pytest.raises(CommandError, match="does not list"):
        call_command("reconcile_payments")
