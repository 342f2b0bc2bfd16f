"""Settings of orders: their numbers, what guests read them with, and how long they wait."""

from __future__ import annotations

import hmac

from config.settings.environment import env

# Makes order numbers of a sequence; with another key, old and new numbers could meet.
ORDER_NUMBER_KEY = env.text("ORDER_NUMBER_KEY").encode()
# What guests read their orders with is derived from a key that serves nothing else.
ORDER_TOKEN_KEY = hmac.digest(ORDER_NUMBER_KEY, b"tokens of guests' orders", "sha256")
# How long an order whose payment was declined waits for another try, where its customer asked.
PAYMENT_RETRY_MINUTES = env.integer("PAYMENT_RETRY_MINUTES", 30)

# Above what a refund takes a second person, in minor units: `GBP=20000,JPY=50000`; 500.00 of every
# other currency.
_approval_above = env.mapping("REFUND_APPROVAL_ABOVE", {})
env.require(
    all(limit.isdecimal() for limit in _approval_above.values()),
    "REFUND_APPROVAL_ABOVE takes amounts in minor units",
)
REFUND_APPROVAL_ABOVE = {
    currency: int(limit) for currency, limit in _approval_above.items() if limit.isdecimal()
}
# For how many seconds an asynchronous order may wait to be taken up. Past that no more of them are
# accepted. Below 15 s also those count that a silent gateway keeps waiting.
ORDERS_ASYNC_PROMISE = env.number("ORDERS_ASYNC_PROMISE", 30.0)
env.require(ORDERS_ASYNC_PROMISE > 0, "ORDERS_ASYNC_PROMISE must be above 0")
