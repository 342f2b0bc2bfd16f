"""The WSGI application with the cache in front, asked as a server asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote

# What cannot be the same twice.
VOLATILE = {"X-Request-ID"}


@dataclass(frozen=True)
class Answer:
    status: str
    headers: dict[str, str]
    body: bytes

    @property
    def lasting(self) -> tuple[str, dict[str, str], bytes]:
        kept = {name: value for name, value in self.headers.items() if name not in VOLATILE}
        return self.status, kept, self.body


class Caller:
    """Calls a WSGI application as a server does, without the help of Django's test client."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application

    def __call__(self, target: str, method: str = "GET", **environ: str) -> Answer:
        path, _, query = target.partition("?")
        said: list[Any] = []
        given = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "testserver",
            "REMOTE_ADDR": "10.1.2.3",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            **environ,
        }
        found = self._application(given, lambda *line: said.extend(line))
        body = b"".join(found)
        # The server withholds it from HEAD, whatever the application says.
        return Answer(said[0], dict(said[1]), b"" if method == "HEAD" else body)
