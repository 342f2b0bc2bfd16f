"""The rest of a payment that was let go, here or there, is let go in both books."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domains.payments import public, services
from domains.payments.models import Payment
from infrastructure import clock
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess, connect_anew
from tests.support.factories import payments
from tests.support.reconciling import authorisation_of, found, reconcile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def since(gateway_process: GatewayProcess, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Other tests' operations are at the gateway as well: they were before this."""
    monkeypatch.setattr(services.reconciling, "_SKEW", timedelta(0))
    return clock.now()


def part_captured() -> Payment:
    payment = payments.authorised_payment(clock.now(), amount_minor=1_000)
    part = Money(300, "GBP")
    return services.capture(payment_id=payment.id, amount=part, now=clock.now())[0]


def test_the_rest_that_we_let_go_is_let_go_there(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payment = part_captured()

    assert not public.release_rest(payment_id=payment.id, now=clock.now()).holds_rest

    (there,) = gateway_process.authorisations()
    assert (there["captured_minor"], there["is_voided"]) == (300, True)
    result = reconcile(since)
    assert (result.compared, result.repaired, result.different) == (3, 0, 0)


def test_the_rest_that_was_let_go_there_is_let_go_here(
    since: datetime, gateway_process: GatewayProcess
) -> None:
    payment = part_captured()
    done = gateway_process.command(
        "/dashboard", kind="void", authorisation=authorisation_of(payment)
    )
    assert done.json()["status"] == "succeeded"

    assert [reconcile(since).repaired for _ in range(2)] == [1, 0]

    payment = Payment.objects.get(pk=payment.id)
    assert (payment.status, payment.captured_minor, payment.released_minor) == (
        "PARTIALLY_CAPTURED",
        300,
        700,
    )
    assert found() == []


@pytest.mark.parametrize("is_told_first", [True, False])
def test_the_rest_that_was_let_go_there_before_our_request_came_is_let_go_once(
    since: datetime, gateway_process: GatewayProcess, is_told_first: bool
) -> None:
    payment = part_captured()
    gateway_process.change(error_rate=1)
    assert public.release_rest(payment_id=payment.id, now=clock.now()).holds_rest
    gateway_process.change(error_rate=0)
    gateway_process.command("/dashboard", kind="void", authorisation=authorisation_of(payment))
    if is_told_first:
        assert reconcile(since).repaired == 1
    connect_anew("simulated")
    services.resolve_unfinished(now=clock.now() + timedelta(hours=1))

    result = reconcile(since)

    assert (result.repaired, result.different) == (0, 0)
    stored = Payment.objects.get(pk=payment.id)
    assert (stored.status, stored.captured_minor, stored.released_minor) == (
        "PARTIALLY_CAPTURED",
        300,
        700,
    )
    voids = gateway_process.command(
        "/voids", key=str(new_id()), authorisation=authorisation_of(payment), rest=True
    )
    assert (voids.json()["status"], voids.json()["code"]) == ("refused", "already_voided")
