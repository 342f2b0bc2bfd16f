"""The embedded local stack, and compose: wide limits, readable logs, plain HTTP."""

from config.settings.base import *  # noqa: F403
from config.settings.base import CHOSEN_RATE_LIMITS, INSTALLED_APPS, LOGGING, RATE_LIMITS
from config.settings.environment import env

ENVIRONMENT = "local"
INSTALLED_APPS = [*INSTALLED_APPS, "demo"]
LOGGING["fields"]["env"] = ENVIRONMENT

# Wide enough for a replay of thousands of orders from one address, and still exercised.
RATE_LIMITS = {**dict.fromkeys(RATE_LIMITS, "1000000/min"), **CHOSEN_RATE_LIMITS}

PAYMENT_METHODS = env.items("PAYMENT_METHODS", ["bank_transfer", "card", "free", "invoice"])

env.check()
