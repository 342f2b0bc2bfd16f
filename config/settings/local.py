"""The embedded local stack, and compose: wide limits, readable logs, plain HTTP."""

from config.settings.base import *  # noqa: F403
from config.settings.base import env

ENVIRONMENT = "local"

env.check()
