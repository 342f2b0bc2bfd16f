"""By what customers pay, through whom, and what happens when nobody answers there."""

from __future__ import annotations

from config.settings.environment import env

# `simulated`: the HTTP process of devstack/gateway. `in_process`: answers by token, no network.
# `stripe`: docs/payments.md says how it is set up.
PAYMENT_GATEWAY = env.text("PAYMENT_GATEWAY")
env.require(
    PAYMENT_GATEWAY in ("simulated", "in_process", "stripe"),
    "PAYMENT_GATEWAY must be simulated, in_process or stripe",
)
_unless_stripe = "" if PAYMENT_GATEWAY == "stripe" else None
PAYMENT_GATEWAY_URL = env.text("PAYMENT_GATEWAY_URL", _unless_stripe)
# Signs what is sent to the gateway and what it notifies.
PAYMENT_GATEWAY_SECRET = env.text("PAYMENT_GATEWAY_SECRET", _unless_stripe)
PAYMENT_GATEWAY_CONNECT_TIMEOUT = env.number("PAYMENT_GATEWAY_CONNECT_TIMEOUT", 1.0)
PAYMENT_GATEWAY_READ_TIMEOUT = env.number("PAYMENT_GATEWAY_READ_TIMEOUT", 3.0)
# Calls to the gateway at a time in one process, and how many more wait for a place among them, and
# for how long, before they are left to a worker. One thread of a web process is left for everything
# else, however slow the gateway is. `devstack.web` says how many it has; without WEB_THREADS in its
# environment a web process is assumed to have two.
if env.text("ROLE", "") == "web":
    _threads = env.integer("WEB_THREADS", 2)
    _places, _waiting = max(_threads - 2, 1), int(_threads > 2)
else:
    _places, _waiting = 8, 1_000  # nobody but who came for the gateway is kept waiting
PAYMENT_GATEWAY_CONCURRENCY = env.integer("PAYMENT_GATEWAY_CONCURRENCY", _places)
PAYMENT_GATEWAY_MAX_WAITING = env.integer("PAYMENT_GATEWAY_MAX_WAITING", _waiting)
PAYMENT_GATEWAY_MAX_WAIT_SECONDS = env.number("PAYMENT_GATEWAY_MAX_WAIT_SECONDS", 0.25)
env.require(PAYMENT_GATEWAY_CONCURRENCY >= 1, "PAYMENT_GATEWAY_CONCURRENCY must be 1 or more")
env.require(PAYMENT_GATEWAY_MAX_WAITING >= 0, "PAYMENT_GATEWAY_MAX_WAITING must be 0 or more")
# So many silences in a row, of all replicas, and the gateway is left alone for this long; then one
# call at a time tries. Twice as long after each that fails.
PAYMENT_CIRCUIT_FAILURES = env.integer("PAYMENT_CIRCUIT_FAILURES", 5)
PAYMENT_CIRCUIT_REST_SECONDS = env.number("PAYMENT_CIRCUIT_REST_SECONDS", 5.0)
env.require(PAYMENT_CIRCUIT_FAILURES >= 1, "PAYMENT_CIRCUIT_FAILURES must be 1 or more")
env.require(PAYMENT_CIRCUIT_REST_SECONDS > 0, "PAYMENT_CIRCUIT_REST_SECONDS must be above 0")
# What becomes of an order while the gateway is left alone. `refuse`: 503, and nothing is written.
# `accept`: it is taken as PENDING, and paid when the gateway is back.
PAYMENTS_DOWN = env.text("PAYMENTS_DOWN", "refuse")
env.require(PAYMENTS_DOWN in ("refuse", "accept"), "PAYMENTS_DOWN must be refuse or accept")
# How long an order waits for its payment to begin, its goods held. Then it is rejected.
PAYMENTS_DOWN_SECONDS = env.integer("PAYMENTS_DOWN_SECONDS", 4 * 3600)
env.require(PAYMENTS_DOWN_SECONDS > 0, "PAYMENTS_DOWN_SECONDS must be above 0")
# Only where PAYMENT_GATEWAY is stripe.
_if_stripe = None if PAYMENT_GATEWAY == "stripe" else ""
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY", _if_stripe)
STRIPE_WEBHOOK_SECRET = env.text("STRIPE_WEBHOOK_SECRET", _if_stripe)
# Another address than Stripe's own, such as stripe-mock's.
STRIPE_API_BASE = env.text("STRIPE_API_BASE", "")
# Whether Stripe lets this account capture an authorisation in several parts.
STRIPE_MULTICAPTURE = env.flag("STRIPE_MULTICAPTURE", False)
env.require(
    not STRIPE_SECRET_KEY or STRIPE_SECRET_KEY.startswith(("sk_", "rk_")),
    "STRIPE_SECRET_KEY must begin with sk_ or rk_",
)
env.require(
    not STRIPE_WEBHOOK_SECRET or STRIPE_WEBHOOK_SECRET.startswith("whsec_"),
    "STRIPE_WEBHOOK_SECRET must begin with whsec_",
)
# What new orders may be paid by. `invoice` trusts whoever orders, so nobody is offered it unasked.
PAYMENT_METHODS = env.items("PAYMENT_METHODS", ["card", "free"])
env.require(
    set(PAYMENT_METHODS) <= {"bank_transfer", "card", "free", "invoice"},
    "PAYMENT_METHODS must be of bank_transfer, card, free and invoice",
)
# Whether guests, whom nobody knows, may order on account.
INVOICE_FOR_GUESTS = env.flag("INVOICE_FOR_GUESTS", False)
# How long the customer has: to confirm a payment with their bank, and to pay what is prepaid.
PAYMENT_ACTION_SECONDS = env.integer("PAYMENT_ACTION_SECONDS", 1800)
PAYMENT_DUE_DAYS = env.integer("PAYMENT_DUE_DAYS", 7)
env.require(PAYMENT_ACTION_SECONDS > 0, "PAYMENT_ACTION_SECONDS must be above 0")
env.require(PAYMENT_DUE_DAYS > 0, "PAYMENT_DUE_DAYS must be above 0")
# Where customers come back to from confirming a payment (3-D Secure), whose order names no page.
PAYMENT_RETURN_URL = env.text("PAYMENT_RETURN_URL", "")
env.require(
    PAYMENT_RETURN_URL.startswith(("https://", "http://")) or not PAYMENT_RETURN_URL,
    "PAYMENT_RETURN_URL must begin with https:// or http://",
)
# How many days back the daily comparison with the gateway's own books looks.
PAYMENT_RECONCILIATION_DAYS = env.integer("PAYMENT_RECONCILIATION_DAYS", 3)
env.require(PAYMENT_RECONCILIATION_DAYS > 0, "PAYMENT_RECONCILIATION_DAYS must be above 0")
