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
