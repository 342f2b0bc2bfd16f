"""Whether the shop can take on another order that nobody waits for.

An asynchronous order is promised to be decided soon. If those that were accepted have to wait for
longer than that, more of them would only make it worse: they are refused, until the consumer has
caught up. What counts is the oldest that nobody has taken up, whatever the reason: consumers that
are down, a relay that is behind, or too many orders.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from math import ceil

from django.conf import settings

from domains.orders.errors import OrdersOverloaded
from domains.orders.models import Order

# How long a process goes on with what it has found.
LOOK_SECONDS = 1.0
LONGEST_RETRY_S = 60


class Intake:
    """What this process knows of the orders that wait. One thread looks, the others go on."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at = -LOOK_SECONDS
        self._lag_s = 0.0

    def lag_s(self, now: datetime) -> float:
        """For how long the oldest accepted order has been waiting to be taken up, in seconds."""
        if self._clock() - self._looked_at >= LOOK_SECONDS and self._looking.acquire(False):
            try:
                oldest = Order.objects.oldest_accepted()
                self._lag_s = 0.0 if oldest is None else (now - oldest).total_seconds()
                self._looked_at = self._clock()
            finally:
                self._looking.release()
        return self._lag_s


_intake = Intake()


def refuse_overload(*, now: datetime) -> None:
    """Raises OrdersOverloaded while accepted orders wait for longer than ORDERS_ASYNC_PROMISE."""
    promise: float = settings.ORDERS_ASYNC_PROMISE
    lag = _intake.lag_s(now)
    if lag > promise:
        again = min(max(ceil(lag - promise), 1), LONGEST_RETRY_S)
        raise OrdersOverloaded(
            "Accepted orders wait too long to be decided.", headers={"Retry-After": str(again)}
        )


def forget() -> None:
    """Look anew at the next order."""
    global _intake
    _intake = Intake()
