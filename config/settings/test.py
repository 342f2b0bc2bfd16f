"""The test suite: real servers from the environment, secrets made up here."""

import os
import tempfile
from urllib.parse import urlsplit

from infrastructure.auth.keys import new_private_key

# Tests in several processes have a Redis database each, and so queues of their own. Processes that
# a test starts come here too, and find the same one.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    number = int(worker.removeprefix("gw")) + 1
    url = urlsplit(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
    os.environ["REDIS_URL"] = url._replace(path=f"/{number}").geturl()

os.environ.setdefault(
    "SECRET_KEY", "test-secret-key-that-is-long-enough-for-every-check-0123456789"
)
os.environ.setdefault("ALLOWED_HOSTS", "testserver,localhost,127.0.0.1")
os.environ.setdefault("PUBLIC_URL", "http://testserver")
os.environ.setdefault("JWT_PRIVATE_KEY", new_private_key())
os.environ.setdefault("PII_INDEX_KEY", "test-index-key-that-is-long-enough-for-every-check")
os.environ.setdefault("ORDER_NUMBER_KEY", "test-order-number-key")
os.environ.setdefault("PAYMENT_GATEWAY", "in_process")
os.environ.setdefault("PAYMENT_GATEWAY_URL", "http://127.0.0.1:9")
os.environ.setdefault("PAYMENT_GATEWAY_SECRET", "test-gateway-secret")
# However slow the machine: tests of what is too slow set their own.
os.environ.setdefault("PAYMENT_GATEWAY_MAX_WAIT_SECONDS", "60")
os.environ.setdefault("CARTS_TIMEOUT_SECONDS", "30")
os.environ.setdefault("CACHE_REDIS_TIMEOUT_SECONDS", "30")
os.environ.setdefault("DATABASE_CONNECT_TIMEOUT_SECONDS", "60")
os.environ.setdefault("PAYMENT_METHODS", "bank_transfer,card,free,invoice")
os.environ.setdefault("KAFKA_REPLICATION_FACTOR", "1")
# As everywhere, but for the time-outs: a test is one transaction, in which cases are thought up for
# longer than any request takes, and a busy machine makes databases slowly.
os.environ.setdefault(
    "DATABASE_SESSION_OPTIONS",
    "-c plan_cache_mode=force_generic_plan -c jit=off -c statement_timeout=120s"
    " -c idle_in_transaction_session_timeout=0",
)
os.environ.setdefault("KAFKA_TOPIC_PREFIX", "test.")
os.environ.setdefault("FILES_DIR", f"{tempfile.gettempdir()}/kontor-test-files")

from config.settings.base import *  # noqa: F403
from config.settings.base import LOGGING, RATE_LIMITS
from config.settings.environment import env

ENVIRONMENT = "test"
LOGGING["fields"]["env"] = ENVIRONMENT
# Argon2 is slow on purpose; its own tests ask for it by name.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Files of the admin are looked up when they are asked for, not all of them for each test's client.
WHITENOISE_AUTOREFRESH = True

# Tests of rate limits switch on those that they are about.
RATE_LIMITS = dict.fromkeys(RATE_LIMITS)

# Tests are rolled back, and what is cached is not. Those of the cache have one each.
CACHE_ENABLED = False
# So are the terms of quotes.
PRICING_TERMS_SECONDS = 0.0

env.check()

INSTALLED_APPS = [*INSTALLED_APPS, "demo", "tests.support.sample"]  # noqa: F405
CONTEXT_OF_APP = {**CONTEXT_OF_APP, "sample": "orders"}  # noqa: F405
