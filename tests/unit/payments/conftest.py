from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domains.payments.gateways.stripe import StripeGateway
from tests.support.fake_stripe import SECRET, FakeStripe


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    server = FakeStripe()
    yield server
    server.close()


@pytest.fixture
def gateway(settings: Any, fake: FakeStripe) -> Iterator[StripeGateway]:
    settings.STRIPE_SECRET_KEY = "sk_test_123"
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    settings.STRIPE_API_BASE = fake.url
    # Patient however slow the machine; tests of silence say how long.
    settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT = settings.PAYMENT_GATEWAY_READ_TIMEOUT = 30
    connected = StripeGateway()
    yield connected
    connected.close()
