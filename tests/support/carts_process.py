"""Adds to a cart, one piece at a time, as a process of its own, and prints what was acknowledged:
`python -m tests.support.carts_process <url> <cart id> <how often>`."""

from __future__ import annotations

import sys
from uuid import UUID

import django

django.setup()

from domains.carts.errors import CartsUnavailable  # noqa: E402
from domains.carts.models import CartStore  # noqa: E402
from domains.carts.models.connection import Scripts  # noqa: E402
from infrastructure import clock  # noqa: E402
from tests.support.carts import add  # noqa: E402
from tests.support.saying import say  # noqa: E402

url, cart_id, times = sys.argv[1], UUID(sys.argv[2]), int(sys.argv[3])
carts = CartStore(Scripts(url, replicas=0, timeout_s=5))
say("ready")
for number in range(times):
    try:
        carts.change(
            cart_id=cart_id,
            owner=None,
            changes=[add("A"), add(f"B{number % 50}")],
            now=clock.now(),
        )
    except CartsUnavailable:
        break
    say(number + 1)
