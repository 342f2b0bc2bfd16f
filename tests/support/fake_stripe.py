"""Stripe's side of a conversation: a server that answers as told, and shapes as its documentation
records them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from domains.payments.gateways.port import Authorise, Capture, Refund, Void

KEY = UUID("0193b3a0-0000-7000-8000-000000000001")
VOID_KEY = UUID("0193b3a0-0000-7000-8000-000000000002")
SECRET = "whsec_test"


class FakeStripe:
    """An HTTP server that answers in turn as the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.before_answer: Callable[[], None] = lambda: None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                fake.asked.append((f"{self.command} {self.path.partition('?')[0]}", body, ""))
                fake.keys.append(self.headers.get("Idempotency-Key", ""))
                fake.before_answer()
                status, answer, headers = fake.answers.pop(0)
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, *args: object) -> None:
                pass

        self.keys: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def will_answer(
        self, answer: dict[str, Any], *, status: int = 200, replayed: bool = False
    ) -> None:
        self.answers.append((status, answer, {"Idempotent-Replayed": "true"} if replayed else {}))

    def will_refuse(self, status: int, **error: Any) -> None:
        self.will_answer({"error": error}, status=status)

    @property
    def requests(self) -> list[str]:
        return [what for what, _, _ in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def authorise(**changes: Any) -> Authorise:
    asked = {"amount_minor": 1_999, "currency": "GBP", "reference": "K-1", "token": "pm_card_visa"}
    return Authorise(key=KEY, **asked | changes)


CAPTURE = Capture(key=KEY, authorisation="pi_1", amount_minor=500, currency="GBP")
REFUND = Refund(key=KEY, authorisation="pi_1", amount_minor=500, currency="GBP")
VOID = Void(key=VOID_KEY, authorisation="pi_1")
REST = Void(key=VOID_KEY, authorisation="pi_1", rest=True)


def intent(status: str = "requires_capture", **changes: Any) -> dict[str, Any]:
    told = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": status,
        "amount": 1_999,
        "amount_received": 0,
        "currency": "gbp",
        "customer": None,
        "payment_method": "pm_1",
        "latest_charge": "ch_1",
        "next_action": None,
        "last_payment_error": None,
        "cancellation_reason": None,
        "setup_future_usage": None,
        "metadata": {"operation": str(KEY), "reference": "K-1"},
    }
    return told | changes


def refund(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    told = {
        "id": "re_1",
        "object": "refund",
        "status": status,
        "amount": 500,
        "currency": "gbp",
        "payment_intent": "pi_1",
        "failure_reason": None,
        "metadata": {"operation": str(KEY)},
    }
    return told | changes


def event(kind: str, told: dict[str, Any], *, key: object = None) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_772_443_800,
        "request": {"id": "req_1", "idempotency_key": key and str(key)},
        "data": {"object": told},
    }


REDIRECT = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds"}}
