"""What an installation is told of payments, checked when it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from domains.payments import gateways
from domains.payments.rules.methods import METHODS
from infrastructure.auth.keys import new_private_key

SETTINGS = {
    "ALLOWED_HOSTS": "shop.example",
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "JWT_PRIVATE_KEY": new_private_key(),
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ORDER_NUMBER_KEY": "o" * 32,
    "PAYMENT_GATEWAY": "simulated",
    "PAYMENT_GATEWAY_SECRET": "g" * 32,
    "PAYMENT_GATEWAY_URL": "https://gateway.example",
    "PII_INDEX_KEY": "i" * 32,
    "PUBLIC_URL": "https://shop.example",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "s" * 50,
    "SELLER_ADDRESS": "1 High Street; London; GB",
    "SELLER_NAME": "Shop Ltd",
}

STRIPE = {"STRIPE_SECRET_KEY": "sk_test_123", "STRIPE_WEBHOOK_SECRET": "whsec_123"}


def started(kind: str, **changed: str) -> subprocess.CompletedProcess[str]:
    look = f"from config.settings import {kind} as s; print(s.PAYMENT_GATEWAY, s.PAYMENT_METHODS)"
    return subprocess.run(
        [sys.executable, "-c", look],
        env=SETTINGS | changed,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_offers_nothing_on_account_unasked() -> None:
    assert started("production").stdout == "simulated ['card', 'free']\n"
    asked = started("production", PAYMENT_METHODS="card,invoice")
    assert asked.stdout == "simulated ['card', 'invoice']\n"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"PAYMENT_GATEWAY": ""}, "PAYMENT_GATEWAY (or PAYMENT_GATEWAY_FILE) is missing"),
        ({"PAYMENT_GATEWAY": "none"}, "PAYMENT_GATEWAY must be simulated, in_process or stripe"),
        ({"PAYMENT_GATEWAY": "in_process"}, "PAYMENT_GATEWAY in_process takes no money"),
        (
            {"PAYMENT_GATEWAY_SECRET": "g" * 31},
            "PAYMENT_GATEWAY_SECRET is shorter than 32 characters",
        ),
        ({"ORDER_NUMBER_KEY": "o" * 31}, "ORDER_NUMBER_KEY is shorter than 32 characters"),
        ({"PAYMENTS_DOWN": "ignore"}, "PAYMENTS_DOWN must be refuse or accept"),
        (
            {"PAYMENT_METHODS": "cheque"},
            "PAYMENT_METHODS must be of bank_transfer, card, free and invoice",
        ),
    ],
)
def test_production_does_not_start_on_weak_or_missing_settings(
    changed: dict[str, str], problem: str
) -> None:
    refused = started("production", **changed)

    assert refused.returncode == 1
    assert f"  - {problem}\n" in refused.stderr


@pytest.mark.parametrize("name", sorted({*gateways.ADAPTERS} - {gateways.NO_GATEWAY}))
def test_every_adapter_but_none_can_be_chosen(name: str) -> None:
    chosen = started("local", PAYMENT_GATEWAY=name, **STRIPE)

    assert chosen.stdout == f"{name} ['bank_transfer', 'card', 'free', 'invoice']\n"


def test_stripe_needs_its_own_settings_and_no_others() -> None:
    without = {"PAYMENT_GATEWAY_SECRET": "", "PAYMENT_GATEWAY_URL": ""}

    assert started("production", PAYMENT_GATEWAY="stripe", **STRIPE, **without).returncode == 0
    refused = started(
        "production",
        PAYMENT_GATEWAY="stripe",
        STRIPE_WEBHOOK_SECRET="secret",
        STRIPE_API_BASE="http://127.0.0.1:12111",
    ).stderr
    assert "  - STRIPE_SECRET_KEY (or STRIPE_SECRET_KEY_FILE) is missing\n" in refused
    assert "  - STRIPE_WEBHOOK_SECRET must begin with whsec_\n" in refused
    assert "  - STRIPE_API_BASE must begin with https://\n" in refused


def test_the_way_back_from_the_bank_is_a_page() -> None:
    refused = started("production", PAYMENT_RETURN_URL="shop.example/paid").stderr

    assert "  - PAYMENT_RETURN_URL must begin with https:// or http://\n" in refused
    assert started("production", PAYMENT_RETURN_URL="https://shop.example/paid").returncode == 0


def test_every_method_can_be_offered() -> None:
    offered = started("production", PAYMENT_METHODS=",".join(METHODS))

    assert offered.stdout == f"simulated {list(METHODS)}\n"
