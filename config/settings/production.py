"""Production: nothing has a default that an operator must choose, and nothing weak is accepted."""

from config.settings.base import *  # noqa: F403
from config.settings.base import (
    ALLOWED_HOSTS,
    LOGGING,
    ORDER_NUMBER_KEY,
    PAYMENT_GATEWAY,
    PAYMENT_GATEWAY_SECRET,
    PII_INDEX_KEY,
    SECRET_KEY,
    SILENCED_SYSTEM_CHECKS,
    STRIPE_API_BASE,
)
from config.settings.environment import PUBLIC_URL, env

ENVIRONMENT = "production"
LOGGING["fields"]["env"] = ENVIRONMENT

# TLS ends at the proxy in front, which says so in this header.
HTTPS_ONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SESSION_COOKIE_NAME = "__Host-session"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_COOKIE_SECURE = True
# Django asks for its own middlewares by name. Their headers and the refusal of plain HTTP are the
# work of `Edge`, their CSRF check that of `StaffCsrf`, a subclass.
SILENCED_SYSTEM_CHECKS = [
    *SILENCED_SYSTEM_CHECKS,
    *["security.W001", "security.W002", "security.W003"],
]

env.require(len(SECRET_KEY) >= 50, "SECRET_KEY is shorter than 50 characters")
env.require("*" not in ALLOWED_HOSTS, "ALLOWED_HOSTS must name the hosts")
env.require(PUBLIC_URL.startswith("https://"), "PUBLIC_URL must begin with https://")
env.require(len(PII_INDEX_KEY) >= 32, "PII_INDEX_KEY is shorter than 32 characters")
env.require(SECRET_KEY.encode() != PII_INDEX_KEY, "SECRET_KEY and PII_INDEX_KEY are the same")
env.require(len(ORDER_NUMBER_KEY) >= 32, "ORDER_NUMBER_KEY is shorter than 32 characters")
env.require(
    PAYMENT_GATEWAY == "stripe" or len(PAYMENT_GATEWAY_SECRET) >= 32,
    "PAYMENT_GATEWAY_SECRET is shorter than 32 characters",
)
env.require(
    not STRIPE_API_BASE or STRIPE_API_BASE.startswith("https://"),
    "STRIPE_API_BASE must begin with https://",
)
env.require(PAYMENT_GATEWAY != "in_process", "PAYMENT_GATEWAY in_process takes no money")
# Without a default here: invoices must say who sells.
for _name in ("SELLER_NAME", "SELLER_ADDRESS"):
    env.text(_name)
env.check()
