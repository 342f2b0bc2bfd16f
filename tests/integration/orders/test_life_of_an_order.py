"""Carts, orders, payments and stock beside a model of them in plain Python: whatever is done, in
whatever order and whatever the bank says, both say the same, and the books agree at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from domains.payments import gateways
from domains.pricing.queries import terms as pricing_terms
from tests.integration.payments.conftest import connect_anew
from tests.support.factories import pricing as prices
from tests.support.life.bank import Bank
from tests.support.life.machine import NOW, SHIPPING
from tests.support.life.orders import LifeOfOrders
from tests.support.life.placed import APPROVAL_ABOVE, RETRY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _shop(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    bank = Bank()
    monkeypatch.setitem(gateways.ADAPTERS, "bank", lambda: bank)
    settings.PAYMENT_GATEWAY = "bank"
    settings.PAYMENT_CIRCUIT_FAILURES = 1_000_000  # the circuit has tests of its own
    settings.PAYMENT_RETRY_MINUTES = RETRY.total_seconds() / 60
    settings.ORDERS_ASYNC_PROMISE = 1e9
    settings.REFUND_APPROVAL_ABOVE = {"GBP": APPROVAL_ABOVE}
    connect_anew("bank")
    prices.tax_rate("20", now=NOW)
    prices.shipping_method("express", now=NOW, price_minor=SHIPPING)
    pricing_terms.forget()
    LifeOfOrders.bank, LifeOfOrders.settings = bank, settings
    yield
    gateways.disconnect()
    pricing_terms.forget()


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        LifeOfOrders,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Examples leave rows behind that no other one reads; shrinking would take an hour.
            phases=[Phase.explicit, Phase.generate],
            report_multiple_bugs=False,
        ),
    )


@pytest.mark.timeout(400)
def test_the_shop_does_what_its_model_does() -> None:
    run(12, 12)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_shop_does_what_its_model_does_a_thousand_times() -> None:
    run(1000, 30)
