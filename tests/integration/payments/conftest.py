from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connections

from domains.payments import gateways
from domains.payments.gateways.port import Authorise, NoAnswer, Notification, Request
from domains.payments.rules import Reply

SECRET = "test-gateway-secret"


class ScriptedGateway:
    """Answers each key once and for all, as told beforehand; keeps what it was asked."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.lookups = 0
        self.is_silent = False
        self.refusal = ""
        self.before_answer: Callable[[], None] = lambda: None
        self._answers: dict[Any, Reply] = {}

    def send(self, request: Request) -> Reply:
        self.sent.append(request)
        before, self.before_answer = self.before_answer, lambda: None
        before()
        reply = self._answers.setdefault(
            request.key,
            Reply(refusal=self.refusal)
            if self.refusal
            else Reply(gateway_reference=f"ref_{len(self._answers) + 1}"),
        )
        if self.is_silent:
            raise NoAnswer("told to be silent")
        return reply

    def lookup(self, key: Any) -> Reply | None:
        self.lookups += 1
        return None if self.is_silent else self._answers.get(key)

    def forget(self) -> None:
        self._answers.clear()

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        raise AssertionError("The scripted gateway does not notify.")

    @property
    def authorisations(self) -> int:
        """How many authorisations it has carried out."""
        return len({r.key for r in self.sent if isinstance(r, Authorise)})


@pytest.fixture
def gateway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedGateway]:
    """A gateway in this process that the test directs."""
    scripted = ScriptedGateway()
    monkeypatch.setitem(gateways.ADAPTERS, "scripted", lambda: scripted)
    settings.PAYMENT_GATEWAY = "scripted"
    gateways.gateway_named.cache_clear()
    yield scripted
    gateways.gateway_named.cache_clear()


class GatewayProcess:
    """The simulated gateway as it runs beside the shop."""

    def __init__(self, state_file: Path) -> None:
        self._state_file = state_file
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "devstack.gateway",
                "--port",
                str(self._port),
                "--state-file",
                str(self._state_file),
            ],
            env={**os.environ, "PAYMENT_GATEWAY_SECRET": SECRET},
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                assert httpx.get(f"{self.url}/health").json() == {"status": "ok"}
                return
            except httpx.ConnectError:
                assert time.monotonic() < deadline, "the gateway did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def change(self, **behaviour: Any) -> None:
        httpx.put(f"{self.url}/settings", json=behaviour).raise_for_status()

    def authorisations(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = httpx.get(f"{self.url}/authorisations").json()["items"]
        return items


@pytest.fixture
def gateway_process(settings: Any, tmp_path: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path / "gateway.jsonl")
    settings.PAYMENT_GATEWAY = "simulated"
    settings.PAYMENT_GATEWAY_URL = process.url
    settings.PAYMENT_GATEWAY_SECRET = SECRET
    settings.PAYMENT_GATEWAY_READ_TIMEOUT = 0.4
    gateways.gateway_named.cache_clear()
    yield process
    gateways.gateway_named("simulated").close()  # type: ignore[attr-defined]
    gateways.gateway_named.cache_clear()
    process.kill()


@pytest.fixture
def in_threads() -> Callable[..., list[Any]]:
    """Call functions at the same time; the results, or the errors they raised, in their order."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    def run(*calls: Callable[[], Any]) -> list[Any]:
        together = Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            try:
                together.wait(10)
                return call()
            except Exception as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    return run
