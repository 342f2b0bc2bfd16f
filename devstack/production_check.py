"""Starts Django with the production settings and made-up values, and runs its checks for
deployments: `python -m devstack.production_check`. Nothing is connected to, nothing is kept."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

from devstack import variables
from devstack.layout import ROOT
from infrastructure.auth.keys import new_private_key


def environment() -> dict[str, str]:
    """All that an operator must set."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "PUBLIC_URL": "https://shop.example",
        "ALLOWED_HOSTS": "shop.example",
        "DATABASE_URL": "postgresql://kontor@postgres.invalid/kontor",
        "REDIS_URL": "redis://redis.invalid/0",
        "KAFKA_BOOTSTRAP_SERVERS": "kafka.invalid:9092",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_PRIVATE_KEY": new_private_key(),
        "PII_INDEX_KEY": secrets.token_urlsafe(48),
        "ORDER_NUMBER_KEY": secrets.token_urlsafe(48),
        "PAYMENT_GATEWAY": "simulated",
        "PAYMENT_GATEWAY_URL": "https://gateway.invalid",
        "PAYMENT_GATEWAY_SECRET": secrets.token_urlsafe(48),
        "SELLER_NAME": "Shop Ltd",
        "SELLER_ADDRESS": "1 High Street; London; GB",
    }


def main() -> int:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    inherited = variables.not_of_the_shop(os.environ)
    return subprocess.run(command, cwd=ROOT, env=inherited | environment()).returncode


if __name__ == "__main__":
    sys.exit(main())
