"""Order numbers, drawn in blocks."""

from __future__ import annotations

import threading

from django.conf import settings

from domains.orders.rules.numbers import order_number
from infrastructure.database.contexts import connection_of

# So many numbers are drawn at once, so that an order does not cost a round trip for its number.
# A process that ends leaves the rest of its block unused.
NUMBER_BLOCK = 50


class _Numbers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = self._end = 0

    def next(self) -> int:
        with self._lock:
            if self._next == self._end:
                with connection_of("orders").cursor() as cursor:
                    cursor.execute("SELECT nextval('orders_number_block')")
                    block = cursor.fetchone()[0]
                self._next, self._end = block * NUMBER_BLOCK, (block + 1) * NUMBER_BLOCK
            number = self._next
            self._next += 1
            return number


_numbers = _Numbers()


def next_number() -> str:
    """An order number that nobody had before."""
    return order_number(_numbers.next(), key=settings.ORDER_NUMBER_KEY)
