"""Signed notifications, delivered at least once while the process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

import httpx
import msgspec

from devstack.gateway import signatures
from devstack.gateway.ledger import Operation

logger = logging.getLogger(__name__)

# Pauses before the second and every later attempt.
_PAUSES = (0.5, 2, 5, 15, 60)
# A second copy comes this many seconds late: behind those of later operations.
_DELAY_OF_COPY = 1.0


class Webhooks:
    def __init__(self, *, secret: bytes, told: Callable[[Operation], dict[str, object]]) -> None:
        """told: what is said of an operation."""
        self._secret, self._told = secret, told
        self._client = httpx.AsyncClient(timeout=5, follow_redirects=False, trust_env=False)
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, operation: Operation, *, url: str, twice: bool) -> None:
        """Notify in the background, if `twice` with a second copy that arrives late."""
        self._start(self._deliver(operation, url, delay=0))
        if twice:
            self._start(self._deliver(operation, url, delay=_DELAY_OF_COPY))

    def _start(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(delivery)
        self._under_way.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, operation: Operation, url: str, *, delay: float) -> None:
        body = msgspec.json.encode(self._told(operation))
        for pause in (delay, *_PAUSES):
            await asyncio.sleep(pause)
            headers = {
                "Content-Type": "application/json",
                signatures.HEADER: signatures.sign(body, secret=self._secret),
            }
            try:
                answer = await self._client.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                continue
            if answer.is_success:
                return
        logger.warning("Gave up notifying %s of %s", url, operation.key)
