"""The load: orders, or requests of a script, over kept connections, as fast as the server answers.

One process, one thread, raw sockets: it shall cost little beside the server on the same machine.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import selectors
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Protocol
from uuid import uuid4

HOST = "127.0.0.1"


class Source(Protocol):
    def next(self) -> bytes: ...


class Requests:
    """Builds orders of so many lines: one SKU out of each part of the catalogue, of as many parts;
    the first is always the same if hot."""

    def __init__(
        self,
        *,
        port: int,
        token: str,
        skus: int,
        hot: bool,
        lines: int = 3,
        asynchronous: bool = False,
    ) -> None:
        names = [f"%(s{number})s" for number in range(lines)]
        body = self._body(names).replace("%", "%%").replace("%%(", "%(")
        length = len(self._body([sku_of(0)] * lines))
        prefer = "Prefer: respond-async\r\n" if asynchronous else ""
        self._text = (
            "POST /api/v1/orders HTTP/1.1\r\n"
            f"Host: {HOST}:{port}\r\n"
            f"Authorization: Bearer {token}\r\n"
            f"Idempotency-Key: %(key)s\r\n{prefer}"
            "Content-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n{body}"
        )
        self._lines, self._part, self._hot = lines, skus // lines, hot
        self._prefix, self._number = str(uuid4())[:24], 0

    def next(self) -> bytes:
        self._number += 1
        chosen = [
            number * self._part + random.randrange(self._part) for number in range(self._lines)
        ]
        if self._hot:
            chosen[0] = 0
        values = {f"s{number}": sku_of(each) for number, each in enumerate(chosen)}
        return (self._text % {"key": f"{self._prefix}{self._number:012d}", **values}).encode()

    @staticmethod
    def _body(skus: list[str]) -> str:
        return json.dumps(
            {
                "lines": [{"sku": sku, "quantity": 1} for sku in skus],
                "shipping_address": {
                    "name": "Ada Lovelace",
                    "line1": "12 St James's Square",
                    "city": "London",
                    "postcode": "SW1Y 4JH",
                    "country": "GB",
                },
                "payment": {"method": "card", "token": "tok_visa"},
            }
        )


class Script:
    """The same requests over and over, in turn: [method, path, body or null] each."""

    def __init__(self, script: list[list[str | None]], *, port: int) -> None:
        self._requests = itertools.cycle([self._request(*each, port=port) for each in script])

    def next(self) -> bytes:
        return next(self._requests)

    @staticmethod
    def _request(method: str | None, path: str | None, body: str | None, *, port: int) -> bytes:
        said = (
            ""
            if body is None
            else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        return f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n{said}\r\n{body or ''}".encode()


def sku_of(number: int) -> str:
    return f"S{number:05d}"


class Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.started = 0.0

    def send(self, request: bytes) -> None:
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """The status and body of the answer, once it is complete."""
        read = self.socket.recv(65536)
        if not read:
            raise ConnectionError("The server closed the connection.")
        self._buffer += read
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        length_text = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if not length_text:
            raise ConnectionError(f"An answer of unknown length: {self._buffer[:400]!r}")
        length = int(length_text)
        if len(body) < length:
            return None
        self._buffer = b""
        return int(head[9:12]), body


def run(
    requests: Source, *, port: int, concurrency: int, seconds: float
) -> tuple[list[float], Counter[int], float]:
    """Latencies in seconds, answers by status, and the seconds that it took."""
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    started = time.perf_counter()
    until = started + seconds
    for _ in range(concurrency):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(requests.next())
    waiting = concurrency
    while waiting:
        for key, _ in selector.select():
            connection = key.data
            answer = connection.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            latencies.append(now - connection.started)
            status, body = answer
            if status >= 300 and not statuses[status]:
                print(f"{status}: {body[:400]!r}", file=sys.stderr)
            statuses[status] += 1
            if now < until:
                connection.send(requests.next())
            else:
                waiting -= 1
                selector.unregister(connection.socket)
                connection.socket.close()
    return latencies, statuses, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--skus", type=int)
    parser.add_argument("--lines", type=int, default=3, help="of each order")
    parser.add_argument("--asynchronous", action="store_true")
    parser.add_argument("--script", type=Path, help="requests in the place of orders, as JSON")
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--hot", action="store_true")
    chosen = parser.parse_args()
    if chosen.script is not None:
        requests: Source = Script(json.loads(chosen.script.read_text()), port=chosen.port)
    else:
        requests = Requests(
            port=chosen.port,
            token=sys.stdin.readline().strip(),
            skus=chosen.skus,
            hot=chosen.hot,
            lines=chosen.lines,
            asynchronous=chosen.asynchronous,
        )
    latencies, statuses, seconds = run(
        requests, port=chosen.port, concurrency=chosen.concurrency, seconds=chosen.seconds
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    json.dump(
        {
            "seconds": seconds,
            "statuses": statuses,
            "latencies": latencies,
            "cpu_seconds": used.ru_utime + used.ru_stime,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
