"""Which request, and which chain of causes, the running code belongs to.

One context variable holds it, so that log lines, problem documents and outbox rows name the same
ids without passing them through every call. No Django in here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Correlation:
    """`correlation_id` is shared by all that one request or job sets off; `causation_id` is the
    direct cause (the event being handled); `traceparent` is the W3C trace context to hand on."""

    request_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None


_NOTHING = Correlation()
_current: ContextVar[Correlation] = ContextVar("correlation", default=_NOTHING)


def current() -> Correlation:
    return _current.get()


@contextmanager
def bind(
    *,
    request_id: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    traceparent: str | None = None,
) -> Iterator[Correlation]:
    """Set the given ids for the block and keep the others as they are."""
    given = {
        "request_id": request_id,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
        "traceparent": traceparent,
    }
    bound = replace(_current.get(), **{name: value for name, value in given.items() if value})
    token = _current.set(bound)
    try:
        yield bound
    finally:
        _current.reset(token)


def enter(correlation: Correlation) -> Token[Correlation]:
    """The cheap form of `bind`, for the HTTP edge: replaces everything until `leave(token)`."""
    return _current.set(correlation)


def leave(token: Token[Correlation]) -> None:
    _current.reset(token)


@contextmanager
def entered(correlation: Correlation) -> Iterator[None]:
    """`enter` and `leave` as a block: for work that is done later, or in another thread."""
    token = enter(correlation)
    try:
        yield
    finally:
        leave(token)


def next_traceparent(incoming: str | None) -> str:
    """The trace context of work done under `incoming`: a new span of its trace, or a new trace."""
    span = os.urandom(8).hex()
    if incoming and _TRACEPARENT.fullmatch(incoming):
        return f"{incoming[:36]}{span}{incoming[52:]}"
    return f"00-{os.urandom(16).hex()}-{span}-00"
