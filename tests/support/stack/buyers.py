"""People who buy over HTTP, as a sane client does, and keep a journal of what they were told."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.support.stack.shop import Shop

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}
PASSWORD = "correct horse battery staple"

# How long a client tries again with the same key before it asks a human.
PATIENCE_SECONDS = 90
_PAUSES = (0.1, 2.0)
# An access token lives for ten minutes at most.
_TOKEN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told of one order in the end.

    status: of HTTP, 0 if it gave up. attempts: how often it was sent. broken: how many of these
    were answered by nobody or with a server's error.
    """

    key: str
    sku: str
    quantity: int
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    attempts: int
    broken: int
    at: float

    @property
    def outcome(self) -> str:
        """The order's status, or the code of the problem."""
        return str(self.body.get("status") if self.status < 300 else self.body.get("code"))

    @property
    def codes(self) -> set[str]:
        """Of the problem: its own code, and those of what was wrong with the request."""
        faults = self.body.get("errors") or []
        return {self.outcome, *(fault["code"] for fault in faults)}

    @property
    def order_id(self) -> str:
        return str(self.body["id"])


class Account:
    """A signed-in person; may be used by many threads."""

    def __init__(self, http: httpx.Client, email: str, password: str) -> None:
        self._http = http
        self._email = email
        self._password = password
        self._lock = threading.Lock()
        self._token = ""
        self._signed_in_at = float("-inf")

    @classmethod
    def of_staff(cls, shop: Shop) -> Self:
        return cls(shop.http, "staff@kontor.example", shop.staff_password)

    @property
    def headers(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() - self._signed_in_at > _TOKEN_SECONDS:
                answer = self._http.post(
                    "/api/v1/auth/token",
                    json={"email": self._email, "password": self._password},
                )
                assert answer.status_code == 200, answer.text
                self._token = answer.json()["access_token"]
                self._signed_in_at = time.monotonic()
            return {"Authorization": f"Bearer {self._token}"}


@dataclass
class Buyer:
    """A customer, and what they were told of each of their orders.

    The account is made for this buyer, so all its orders are in this journal and no others.
    """

    shop: Shop
    account: Account
    customer_id: str
    journal: list[Told] = field(default_factory=list)

    @classmethod
    def register(cls, shop: Shop) -> Self:
        email = f"{uuid4().hex}@example.com"
        answer = shop.http.post(
            "/api/v1/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"}
        )
        assert answer.status_code == 201, answer.text
        buyer = cls(shop, Account(shop.http, email, PASSWORD), answer.json()["id"])
        assert buyer.account.headers  # signed in while nothing is broken yet
        return buyer

    def send(
        self,
        sku: str,
        *,
        key: str,
        quantity: int = 1,
        token: str = "tok_visa",
        body: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send an order once; body: what it says besides. Raises httpx.HTTPError if nobody
        answers."""
        return self.shop.http.post(
            "/api/v1/orders",
            headers={**self.account.headers, "Idempotency-Key": key, **headers},
            json={
                "lines": [{"sku": sku, "quantity": quantity}],
                "shipping_address": ADDRESS,
                "payment": {"method": "card", "token": token},
                **(body or {}),
            },
        )

    def buy(
        self,
        sku: str,
        *,
        key: str = "",
        quantity: int = 1,
        token: str = "tok_visa",
        patience: float = PATIENCE_SECONDS,
        body: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Told:
        """Place an order, sent again under its key until it has an outcome."""
        key = key or uuid4().hex
        gives_up_at = time.monotonic() + patience
        attempts = broken = 0
        pause, longest = _PAUSES
        while True:
            attempts += 1
            answer: httpx.Response | None
            try:
                answer = self.send(
                    sku, key=key, quantity=quantity, token=token, body=body, **headers
                )
            except httpx.HTTPError:
                answer = None
            broken += answer is None or answer.status_code >= 500
            if answer is not None and _is_final(answer):
                status, body, said = answer.status_code, answer.json(), answer.headers
                break
            if time.monotonic() > gives_up_at:
                status, body, said = 0, {"code": "gave up"}, httpx.Headers()
                break
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, longest)
        told = Told(
            key=key,
            sku=sku,
            quantity=quantity,
            status=status,
            body=body,
            headers=said,
            attempts=attempts,
            broken=broken,
            at=time.monotonic(),
        )
        self.journal.append(told)
        return told


def _is_final(answer: httpx.Response) -> bool:
    """5xx, "not now" and "still at it" are asked again; all else is an outcome."""
    if answer.status_code >= 500 or answer.status_code == 429:
        return False
    return not (answer.status_code == 409 and answer.json().get("code") == "in_progress")


class Load:
    """Several threads of one buyer that order one after the other, until the block ends.

    with Load(buyer, skus=[...], threads=4) as load: ...
    """

    def __init__(
        self, buyer: Buyer, *, skus: Sequence[str], threads: int = 4, pause: float = 0.05
    ) -> None:
        self.buyer = buyer
        self._skus = skus
        self._threads = threads
        self._pause = pause
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        self._running = [self._pool.submit(self._order, n) for n in range(self._threads)]
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()

    def confirmed_since(self, moment: float) -> int:
        """How many orders were answered with CONFIRMED since that moment (time.monotonic)."""
        return sum(told.at > moment and told.status == 201 for told in list(self.buyer.journal))

    def _order(self, number: int) -> None:
        # A fixed seed per thread: what fails can be run again.
        chance = random.Random(number)
        while not self._stopping.is_set():
            some = chance.random()
            token = "tok_declined" if some < 0.1 else "tok_visa"
            headers: dict[str, Any] = {"Prefer": "respond-async"} if some > 0.8 else {}
            self.buyer.buy(chance.choice(self._skus), token=token, **headers)
            self._stopping.wait(self._pause)
