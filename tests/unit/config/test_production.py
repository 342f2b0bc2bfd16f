"""Production starts with a complete environment, and with no lesser one."""

from __future__ import annotations

import json
import subprocess
import sys

from devstack import production_check
from devstack.layout import ROOT

REQUIRED = [name for name in production_check.environment() if name != "DJANGO_SETTINGS_MODULE"]


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The settings in a fresh interpreter that knows nothing but these variables."""
    return subprocess.run(
        [sys.executable, "-c", "import config.settings.production"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def problems(changes: dict[str, str]) -> list[str]:
    result = start(production_check.environment() | changes)
    assert result.returncode == 1, result.stderr
    assert "ImproperlyConfigured: The environment does not do:" in result.stderr
    return [line[4:] for line in result.stderr.splitlines() if line.startswith("  - ")]


def test_a_complete_environment_does_and_passes_the_checks_for_deployments() -> None:
    assert production_check.main() == 0


def test_everything_that_is_missing_is_named_at_once() -> None:
    result = start({})
    assert result.returncode == 1
    for name in REQUIRED:
        assert f"  - {name} (or {name}_FILE) is missing\n" in result.stderr


def test_what_is_weak_or_malformed_is_refused() -> None:
    weak = {
        "PUBLIC_URL": "http://shop.example",
        "ALLOWED_HOSTS": "shop.example,*",
        "SECRET_KEY": "s" * 49,
        "PII_INDEX_KEY": "k" * 31,
        "ORDER_NUMBER_KEY": "n" * 31,
        "PAYMENT_GATEWAY": "in_process",
        "PAYMENT_GATEWAY_SECRET": "g" * 31,
        "ACCESS_TOKEN_SECONDS": "86400",
        "RATE_LIMITS": "login=fast,logon=5/min",
    }
    assert sorted(problems(weak)) == [
        "ACCESS_TOKEN_SECONDS must be 60 to 600",
        "ALLOWED_HOSTS must name the hosts",
        "ORDER_NUMBER_KEY is shorter than 32 characters",
        "PAYMENT_GATEWAY in_process takes no money",
        "PAYMENT_GATEWAY_SECRET is shorter than 32 characters",
        "PII_INDEX_KEY is shorter than 32 characters",
        "PUBLIC_URL must begin with https://",
        "RATE_LIMITS: login is 'fast', not like '600/min'",
        "RATE_LIMITS: logon is none of anonymous, cached, cart_made, carts, checkout, coupons,"
        " default, guest_order, login, login_account, refresh, register, search, webhooks",
        "SECRET_KEY is shorter than 50 characters",
    ]


def test_one_secret_is_not_used_for_two_things() -> None:
    same = {"SECRET_KEY": "s" * 50, "PII_INDEX_KEY": "s" * 50}
    assert problems(same) == ["SECRET_KEY and PII_INDEX_KEY are the same"]


def test_locally_a_chosen_rate_limit_stands_among_wide_ones() -> None:
    script = "import json; from config.settings.local import RATE_LIMITS as r; print(json.dumps(r))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=production_check.environment() | {"RATE_LIMITS": "login=5/h,search=off"},
        capture_output=True,
        text=True,
        check=True,
    )
    limits = json.loads(result.stdout)
    assert (limits["login"], limits["search"], limits["default"]) == ("5/h", None, "1000000/min")
