"""A customer of the shop: one account, one connection, and patience."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

# So long an order is sent again under its key before it counts as unanswered.
PATIENCE_SECONDS = 180.0
TIMEOUT_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 5.0
# The shop, or what stands in front of it, is away for the moment.
_AWAY = frozenset({429, 502, 503, 504})


class Stopped(Exception):
    """The replay was told to end."""


class NoAccount(Exception):
    """The shop would not let the customer in."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The code of a problem."""
        if isinstance(self.body, dict) and isinstance(self.body.get("code"), str):
            return str(self.body["code"])
        return f"http_{self.status}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order: CONFIRMED, PENDING, or the code of the refusal.

    seconds: from the first try to the answer. failed: the shop gave no answer it stands by.
    """

    result: str
    seconds: float
    retries: int
    failed: bool = False


class Customer:
    def __init__(self, api: str, *, email: str, stopping: threading.Event) -> None:
        self._url = urlsplit(api)
        self._email = email
        self._password = secrets.token_urlsafe(24)
        self._stopping = stopping
        self._connection: HTTPConnection | None = None
        self._token = ""
        self._token_ends = 0.0

    def register(self) -> None:
        """Open the account, or find it open where the first try did it unheard."""
        body = {"email": self._email, "password": self._password, "name": "Replay"}
        answer, _ = self._send_until_answered("/auth/register", body, dict)
        if answer.status != 201 and answer.status != 409:
            raise NoAccount(f"{self._email} cannot register: {answer.status} {answer.body}")

    def place(self, order: dict[str, Any], *, key: str) -> Outcome:
        """Send an order until it is answered, always under the same key. Raises Stopped."""
        started = time.monotonic()

        def headers() -> dict[str, str]:
            return {"Idempotency-Key": key, "Authorization": f"Bearer {self._access_token()}"}

        answer, retries = self._send_until_answered("/orders", order, headers)
        seconds = time.monotonic() - started
        if answer.status in (201, 202):
            return Outcome(answer.body["status"], seconds, retries)
        return Outcome(
            answer.code, seconds, retries, failed=answer.status >= 500 or answer.status in _AWAY
        )

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _access_token(self) -> str:
        if time.monotonic() > self._token_ends:
            body = {"email": self._email, "password": self._password}
            answer, _ = self._send_until_answered("/auth/token", body, dict)
            if answer.status != 200:
                raise NoAccount(f"{self._email} cannot sign in: {answer.status} {answer.body}")
            self._token = answer.body["access_token"]
            self._token_ends = time.monotonic() + answer.body["expires_in"] - 30
        return self._token

    def _send_until_answered(
        self, path: str, body: dict[str, Any], headers: Callable[[], dict[str, str]]
    ) -> tuple[Answer, int]:
        """The answer, and how often it took another try."""
        payload = json.dumps(body).encode()
        until = time.monotonic() + PATIENCE_SECONDS
        retries = 0
        while True:
            if self._stopping.is_set():
                raise Stopped
            try:
                answer = self._send(path, payload, headers())
            except (OSError, HTTPException) as error:
                self.close()
                answer = Answer(503, {"code": f"no_answer_{type(error).__name__}"}, {})
            if not self._is_passing(answer) or time.monotonic() > until:
                return answer, retries
            retries += 1
            self._stopping.wait(_pause(answer, retries))

    def _is_passing(self, answer: Answer) -> bool:
        if answer.status == 401:
            self._token_ends = 0.0
            return answer.code != "invalid_credentials"
        return answer.status in _AWAY or answer.code == "in_progress"

    def _send(self, path: str, payload: bytes, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            make = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
            self._connection = make(self._url.netloc, timeout=TIMEOUT_SECONDS)
        headers["Content-Type"] = "application/json"
        self._connection.request("POST", self._url.path + path, payload, headers)
        response = self._connection.getresponse()
        content = response.read()
        try:
            body = json.loads(content)
        except ValueError:
            body = content.decode(errors="replace")[:200]
        return Answer(response.status, body, {k.lower(): v for k, v in response.getheaders()})


def _pause(answer: Answer, retries: int) -> float:
    asked = answer.headers.get("retry-after", "")
    if asked.isdecimal():
        return min(float(asked), LONGEST_PAUSE_SECONDS)
    return min(0.1 * 2 ** min(retries, 10), LONGEST_PAUSE_SECONDS)
