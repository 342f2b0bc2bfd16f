"""A gateway behind its guards: circuit, bulkhead, and repetition of what passes.

Every call to a gateway in another process goes through here. Who is about to write that something
is sent enters first (`admitted`): if the gateway is not to be called, nothing was written, so an
open circuit never becomes an operation's outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import TypeVar

from domains.payments.errors import PaymentsUnavailable
from domains.payments.gateways.port import Gateway, Listed, NoAnswer, Notification, Request
from domains.payments.rules.gateways import Reply
from infrastructure.resilience.bulkhead import Bulkhead, BulkheadFull
from infrastructure.resilience.circuit import Circuit, CircuitOpen, Pass
from infrastructure.resilience.retry import Retry

T = TypeVar("T")


class GuardedGateway:
    """Raises PaymentsUnavailable, too, where nothing was sent."""

    def __init__(
        self, name: str, gateway: Gateway, *, circuit: Circuit, bulkhead: Bulkhead
    ) -> None:
        self._gateway, self._circuit, self._bulkhead = gateway, circuit, bulkhead
        self.capabilities = gateway.capabilities
        # Every request carries its key, so a second one is the first one.
        self._retry = Retry(f"gateway_{name}", when=_is_passing)
        self._thread = threading.local()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Leave to call the gateway in this block, in this thread. Raises PaymentsUnavailable."""
        if getattr(self._thread, "leave", None) is not None:
            yield
            return
        try:
            with self._bulkhead.entered():
                leave = self._thread.leave = self._circuit.enter()
                try:
                    yield
                finally:
                    self._thread.leave = None
                    leave.leave()
        except CircuitOpen as refused:
            raise PaymentsUnavailable.for_seconds(refused.retry_after_s) from refused
        except BulkheadFull as refused:
            raise PaymentsUnavailable.while_busy() from refused

    def unavailable_for_s(self) -> int:
        """Seconds until it is worth calling again, 0 for now: without calling it."""
        return ceil(self._circuit.wait_s())

    def send(self, request: Request) -> Reply:
        return self._call(lambda: self._gateway.send(request))

    def lookup(self, request: Request) -> Reply | None:
        return self._call(lambda: self._gateway.lookup(request))

    def forget(self, saved_method: str) -> None:
        self._call(lambda: self._gateway.forget(saved_method))

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        """One call for all of it, which is held in memory: a window is short."""
        return iter(self._call(lambda: list(self._gateway.listing(since, until))))

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification | None:
        return self._gateway.notification(body=body, signature=signature, now=now)

    def close(self) -> None:
        """Close kept connections, where there are any."""
        close = getattr(self._gateway, "close", None)
        if close is not None:
            close()

    def _call(self, ask: Callable[[], T]) -> T:
        with self.admitted():
            leave: Pass = self._thread.leave
            try:
                answer = self._retry.call(ask)
            except NoAnswer as answer:
                if answer.is_silence:
                    leave.failed()
                else:
                    leave.succeeded()
                raise
            leave.succeeded()
            return answer


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, NoAnswer) and error.is_passing
