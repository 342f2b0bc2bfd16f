"""The gateway's HTTP side: one process, one thread, any number of slow answers at once."""

from __future__ import annotations

import asyncio
import html
import random
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from devstack.gateway import signatures
from devstack.gateway.ledger import (
    SILENT_TOKEN,
    Amount,
    Authorise,
    Capture,
    KeyReused,
    Ledger,
    Operation,
    Refund,
    Request,
    Void,
)
from devstack.gateway.webhooks import Webhooks

_COMMANDS = {
    "/authorisations": Authorise,
    "/captures": Capture,
    "/voids": Void,
    "/refunds": Refund,
}
_LARGEST_BODY = 64 * 1024
_LARGEST_PAGE = 10_000
_OPERATIONS_PER_PAGE = 100
# How long a call that "times out" is kept open: longer than any client waits.
_SILENCE_SECONDS = 120

Answer = tuple[HTTPStatus, object]


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the gateway behaves. Rates are shares of requests, from 0 to 1."""

    latency_ms: float = 0
    decline_rate: float = 0
    timeout_after_success_rate: float = 0
    duplicate_rate: float = 0
    # Answered 500, with nothing done.
    error_rate: float = 0
    webhook_url: str = ""

    def __post_init__(self) -> None:
        rates = (
            self.decline_rate,
            self.timeout_after_success_rate,
            self.duplicate_rate,
            self.error_rate,
        )
        if self.latency_ms < 0 or not all(0 <= rate <= 1 for rate in rates):
            raise ValueError("A latency is not negative, and a rate lies between 0 and 1.")


class Page(msgspec.Struct, frozen=True):
    """What a customer's browser gets: HTML, or where to go on to."""

    html: str = ""
    location: str = ""


class InDashboard(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What somebody does in the gateway's own screens."""

    kind: Literal["capture", "void", "refund"]
    authorisation: str
    amount_minor: Amount = 0


class Lose(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    key: str


class Forget(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    token: str


class Refused(Exception):
    """The request cannot be served."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Gateway:
    """What the gateway does with a request; the connection is `serve`'s business."""

    def __init__(self, *, ledger: Ledger, settings: Settings, secret: bytes, url: str) -> None:
        """url: where customers' browsers reach it."""
        self._ledger = ledger
        self._settings = settings
        self._secret = secret
        self._url = url
        self._webhooks = Webhooks(secret=secret, told=self._told)

    async def answer(self, method: str, target: str, signature: str, body: bytes) -> Answer:
        url = urlsplit(target)
        match method, url.path.split("/")[1:]:
            case "POST", [_] if url.path in _COMMANDS:
                return await self._command(url.path, signature, body)
            case "GET", ["operations", key]:
                operation = self._ledger.find(key)
                if operation is None:
                    raise Refused(HTTPStatus.NOT_FOUND, "unknown_key")
                return HTTPStatus.OK, self._told(operation)
            case "GET", ["operations"]:
                return HTTPStatus.OK, self._operations(url.query)
            case "GET", ["actions", authorisation]:
                return HTTPStatus.OK, self._page(authorisation)
            case "POST", ["actions", authorisation, ("approve" | "deny") as word]:
                return HTTPStatus.SEE_OTHER, self._confirmed(authorisation, word == "approve")
            case "POST", ["dashboard"]:
                return HTTPStatus.OK, self._in_dashboard(signature, body)
            case "POST", ["losses"]:
                self._check(signature, body)
                return HTTPStatus.OK, {"lost": self._ledger.lose(_decoded(body, Lose).key)}
            case "POST", ["forgotten-methods"]:
                self._check(signature, body)
                self._ledger.forget_method(_decoded(body, Forget).token)
                return HTTPStatus.OK, {}
            case "GET", ["authorisations"]:
                return HTTPStatus.OK, self._authorisations(url.query)
            case "GET", ["settings"]:
                return HTTPStatus.OK, self._settings
            case "PUT", ["settings"]:
                self._settings = _decoded(body, Settings, over=self._settings)
                return HTTPStatus.OK, self._settings
            case "GET", ["health"]:
                return HTTPStatus.OK, {"status": "ok"}
        raise Refused(HTTPStatus.NOT_FOUND, "unknown_address")

    async def _command(self, path: str, signature: str, body: bytes) -> Answer:
        self._check(signature, body)
        request: Request = _decoded(body, _COMMANDS[path])
        if _happens(self._settings.error_rate):
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "something_broke")
        # Half of the latency is the way here, half the way back: a kill can fall into either.
        half = self._settings.latency_ms / 2_000
        await asyncio.sleep(half)
        try:
            operation, is_new = self._ledger.carry_out(
                request, decline=_happens(self._settings.decline_rate)
            )
        except KeyReused:
            raise Refused(HTTPStatus.CONFLICT, "key_reused") from None
        if is_new:
            self._notify(operation)
            if self._falls_silent(request):
                await asyncio.sleep(_SILENCE_SECONDS)
        await asyncio.sleep(half)
        return HTTPStatus.OK, self._told(operation)

    def _check(self, signature: str, body: bytes) -> None:
        if not signatures.is_valid(signature, body, secret=self._secret):
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_signature")

    def _told(self, operation: Operation) -> dict[str, object]:
        return operation.answer(action_url=f"{self._url}/actions/{operation.id}")

    def _page(self, authorisation: str) -> Page:
        """Where a customer confirms a payment: a stand-in for their bank's page."""
        operation = self._ledger.waiting(authorisation)
        if operation is None:
            raise Refused(HTTPStatus.GONE, "nothing_to_confirm")
        amount = f"{operation.amount_minor} {html.escape(operation.currency)}"
        buttons = "".join(
            f'<form method="post" action="/actions/{authorisation}/{word}">'
            f"<button>{word.capitalize()}</button></form>"
            for word in ("approve", "deny")
        )
        return Page(
            html='<!doctype html><html lang="en"><title>Confirm the payment</title>'
            f"<h1>Confirm the payment</h1><p>{html.escape(operation.reference)}: {amount}"
            f" (minor units)</p>{buttons}</html>"
        )

    def _confirmed(self, authorisation: str, approved: bool) -> Page:
        operation = self._ledger.confirm(authorisation, approved=approved)
        if operation is None:
            raise Refused(HTTPStatus.GONE, "nothing_to_confirm")
        self._notify(operation)
        return Page(location=operation.return_url)

    def _in_dashboard(self, signature: str, body: bytes) -> dict[str, object]:
        self._check(signature, body)
        asked = _decoded(body, InDashboard)
        operation = self._ledger.in_dashboard(asked.kind, asked.authorisation, asked.amount_minor)
        self._notify(operation)
        return self._told(operation)

    def _operations(self, query: str) -> dict[str, object]:
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        try:
            since, until = float(given["since"]), float(given["until"])
            after = int(given.get("after", "0"))
        except (KeyError, ValueError):
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_parameter") from None
        found = [o for o in self._ledger.operations(since=since, until=until) if o.sequence > after]
        page = found[:_OPERATIONS_PER_PAGE]
        return {
            "items": [self._told(operation) for operation in page],
            "next": page[-1].sequence if len(found) > len(page) else None,
        }

    def _falls_silent(self, request: Request) -> bool:
        if isinstance(request, Authorise) and request.token == SILENT_TOKEN:
            return True
        return _happens(self._settings.timeout_after_success_rate)

    def _notify(self, operation: Operation) -> None:
        if self._settings.webhook_url:
            self._webhooks.send(
                operation,
                url=self._settings.webhook_url,
                twice=_happens(self._settings.duplicate_rate),
            )

    def _authorisations(self, query: str) -> dict[str, object]:
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        try:
            since, limit = int(given.get("since", "0")), int(given.get("limit", "1000"))
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_parameter") from None
        page = list(
            self._ledger.authorisations(
                since=max(since, 0), limit=min(max(limit, 1), _LARGEST_PAGE)
            )
        )
        return {"items": page, "next": page[-1].sequence if page else None}


async def serve(gateway: Gateway, *, host: str, port: int) -> asyncio.Server:
    """Listen. Raises OSError if the port is taken."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _one_request(gateway, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or does not speak HTTP
        except asyncio.CancelledError:
            pass  # the gateway is being stopped; Python 3.11 would log it for every connection
        finally:
            writer.close()

    return await asyncio.start_server(converse, host, port, backlog=512)


async def _one_request(
    gateway: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Answer one request. Returns whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    first = head[0].split(" ")
    if len(first) != 3:
        return False
    method, target, _ = first
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _LARGEST_BODY or "transfer-encoding" in headers:
        return False
    body = await reader.readexactly(int(length))
    status: HTTPStatus
    answer: object
    try:
        status, answer = await gateway.answer(
            method, target, headers.get(signatures.HEADER.lower(), ""), body
        )
    except Refused as refusal:
        status, answer = refusal.status, {"error": refusal.reason}
    kind, content, location = "application/json", b"", ""
    if isinstance(answer, Page):
        kind, content = "text/html; charset=utf-8", answer.html.encode()
        # Given by the shop; a line break in it would begin another header.
        location = f"Location: {_one_line(answer.location)}\r\n" if answer.location else ""
    else:
        content = msgspec.json.encode(answer)
    writer.write(
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {kind}\r\n{location}"
        f"Content-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    await writer.drain()
    return headers.get("connection", "").lower() != "close"


def _one_line(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c.isascii())


def _happens(rate: float) -> bool:
    return random.random() < rate  # noqa: S311 - chance, not a secret


def _decoded(body: bytes, kind: type, *, over: msgspec.Struct | None = None):  # type: ignore[no-untyped-def]
    """The body as `kind`; fields it leaves out come from `over`, if given."""
    try:
        if over is None:
            return msgspec.json.decode(body, type=kind)
        given = msgspec.json.decode(body, type=dict)
        return msgspec.convert(msgspec.structs.asdict(over) | given, kind)
    except msgspec.MsgspecError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
