from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import override_settings

from devstack.gateway.signatures import sign
from devstack.ports import free_port
from domains.payments import gateways
from domains.payments.gateways.guarded import GuardedGateway
from domains.payments.gateways.port import (
    Authorise,
    Capabilities,
    Listed,
    NoAnswer,
    Notification,
    Request,
)
from domains.payments.gateways.simulated import SimulatedGateway
from domains.payments.rules.gateways import Reply

SECRET = "test-gateway-secret"


class ScriptedGateway:
    """Answers each key once and for all, as told beforehand; keeps what it was asked."""

    capabilities = Capabilities(three_d_secure=True)

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.lookups = 0
        self.is_silent = self.is_undecided = False
        self.refusal = ""
        self.action_url = ""
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
            else Reply(
                gateway_reference=f"ref_{len(self._answers) + 1}",
                action_url=self.action_url if isinstance(request, Authorise) else "",
            ),
        )
        if self.is_silent or self.is_undecided:
            raise NoAnswer("told to be so", is_silence=self.is_silent)
        return reply

    def lookup(self, request: Request) -> Reply | None:
        self.lookups += 1
        return None if self.is_silent else self._answers.get(request.key)

    def forget(self) -> None:
        self._answers.clear()

    def decide(self, key: Any, reply: Reply) -> None:
        """What the customer did, where they had to confirm it."""
        self._answers[key] = reply

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification:
        raise AssertionError("The scripted gateway does not notify.")

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        raise AssertionError("The scripted gateway lists nothing.")

    @property
    def authorisations(self) -> int:
        """How many authorisations it has carried out."""
        return len({r.key for r in self.sent if isinstance(r, Authorise)})


def connect_anew(name: str) -> GuardedGateway:
    """A gateway as these settings have it; its circuit is closed as one would by hand."""
    gateways.disconnect()
    with redis.Redis.from_url(settings.REDIS_CACHE_URL) as client:
        client.delete(f"{settings.CACHE_PREFIX}:circuit:gateway:{name}")
    return guarded(name)


@contextmanager
def giving_up_soon() -> Iterator[None]:
    """For calls of the simulated gateway that get no answer within half a second."""
    with override_settings(PAYMENT_GATEWAY_READ_TIMEOUT=0.5):
        connect_anew("simulated").close()
        yield
    connect_anew("simulated").close()


def guarded(name: str) -> GuardedGateway:
    connected = gateways.gateway_named(name)
    assert isinstance(connected, GuardedGateway)
    return connected


@pytest.fixture
def gateway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedGateway]:
    """A gateway in this process that the test directs."""
    scripted = ScriptedGateway()
    monkeypatch.setitem(gateways.ADAPTERS, "scripted", lambda: scripted)
    settings.PAYMENT_GATEWAY = "scripted"
    settings.PAYMENT_CIRCUIT_FAILURES = 1_000_000  # the circuit has tests of its own
    connect_anew("scripted")
    yield scripted
    gateways.disconnect()


class GatewayProcess:
    """The simulated gateway as it runs beside the shop, as one test sees it."""

    def __init__(self, state_file: Path) -> None:
        self._state_file = state_file
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "devstack.gateway", "--port", str(port)]
        self._command += ["--state-file", str(state_file)]
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=60)
        self._before = 0
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, "PAYMENT_GATEWAY_SECRET": SECRET},
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                assert self.get("/health").json() == {"status": "ok"}
                return
            except httpx.TransportError:
                code = self._process.poll()
                assert code is None, f"the gateway ended with code {code}"
                assert time.monotonic() < deadline, "the gateway did not start"
                time.sleep(0.02)

    def begin_test(self) -> None:
        """Well-behaved again, and what earlier tests left there is not seen."""
        if self._process.poll() is not None:
            self.start()
        self.change(
            latency_ms=0,
            decline_rate=0,
            timeout_after_success_rate=0,
            duplicate_rate=0,
            error_rate=0,
            webhook_url="",
        )
        self._before += len(self.authorisations())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)

    def close(self) -> None:
        self.kill()
        self._client.close()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what a notification brings about."""
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, "the notification did not arrive"
            time.sleep(0.02)

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def post(self, path: str) -> httpx.Response:
        return self._client.post(path)

    def put(self, path: str, body: Any) -> httpx.Response:
        return self._client.put(path, json=body)

    def command(self, path: str, *, secret: str = SECRET, **body: Any) -> httpx.Response:
        content = json.dumps(body).encode()
        headers = {"Gateway-Signature": sign(content, secret=secret.encode())}
        return self._client.post(path, content=content, headers=headers)

    def change(self, **behaviour: Any) -> None:
        self.put("/settings", behaviour).raise_for_status()

    def authorisations(self, *, since: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Those of this test, after its `since`th."""
        page = self.get(f"/authorisations?since={self._before + since}&limit={limit}").json()
        items: list[dict[str, Any]] = page["items"]
        assert page["next"] == (items[-1]["sequence"] if items else None)
        return items


@pytest.fixture(scope="session")
def running_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway") / "journal.jsonl")
    yield process
    process.close()


@pytest.fixture
def gateway_process(settings: Any, running_gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    running_gateway.begin_test()
    settings.PAYMENT_GATEWAY = "simulated"
    settings.PAYMENT_GATEWAY_URL = running_gateway.url
    settings.PAYMENT_GATEWAY_SECRET = SECRET
    # Patient however slow the machine; see `giving_up_soon`.
    settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT = settings.PAYMENT_GATEWAY_READ_TIMEOUT = 30
    connect_anew("simulated").close()
    yield running_gateway
    guarded("simulated").close()
    gateways.disconnect()


@pytest.fixture
def in_threads() -> Callable[..., list[Any]]:
    """Call functions at the same time; the results, or the errors they raised, in their order."""

    def run(*calls: Callable[[], Any]) -> list[Any]:
        together = Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            try:
                together.wait(60)
                return call()
            except Exception as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    return run


@pytest.fixture
def silent(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """The simulated gateway's name and signature over a scripted connection that is silent."""
    scripted = gateway
    scripted.is_silent = True
    scripted.notification = SimulatedGateway().notification  # type: ignore[method-assign]
    monkeypatch.setitem(gateways.ADAPTERS, "simulated", lambda: scripted)
    settings.PAYMENT_GATEWAY = "simulated"
    gateways.disconnect()
    return scripted
