"""Logs: one JSON object per line on standard output, or `key=value` for a developer's eyes.

What happened has a name in snake_case, its values are keys beside it: `log.warning("hint_lost",
task=task)`, by structlog; the standard library's lines are those of others.

Every line carries the ids of the request or event it belongs to. Values of keys that name secrets
or personal data are replaced, and so are e-mail addresses and tokens inside texts: a log is read by
more people, and kept in more places, than the shop's data. No Django in here: settings name
`configure`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog

from infrastructure.encoding import encode_any
from infrastructure.observability.correlation import current

Line = MutableMapping[str, Any]

REDACTED = "[redacted]"

_PERSONAL = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|credential|api_?key|private_?key|session_?key"
    r"|card|cvv|cvc|iban|e_?mail|phone|address|postcode|line[12]$|(first|last|full|display)_?name",
    re.IGNORECASE,
)
# What gives a text away at little cost, the pattern to be sure, and what takes its place.
_INSIDE_TEXT = (
    ("://", re.compile(r"(\w+://[^\s:/@]*):[^\s/@]+@"), rf"\1:{REDACTED}@"),
    ("@", re.compile(r"[^\s@<>\"'(),;:=\[\]]+@[^\s@<>\"'(),;:=\[\]]+"), REDACTED),
    ("earer", re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]{8,}"), rf"\1 {REDACTED}"),
    ("asic", re.compile(r"(?i)\b(basic)\s+[\w+/=-]{8,}"), rf"\1 {REDACTED}"),
    ("eyJ", re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), REDACTED),
    ("_", re.compile(r"\b(?:rt|shop_live|whsec|tok)_[\w-]{16,}"), REDACTED),
    # Postgres repeats the values of a violated constraint.
    ("Key (", re.compile(r"(Key \([^)]*\))=\(.*\)"), rf"\1=({REDACTED})"),
    ("Failing row", re.compile(r"(Failing row contains) \(.*\)"), rf"\1 ({REDACTED})"),
)
# The list itself is kept: loggers that were used before the last `configure` hold it.
_processors: list[Any] = []

_CARD_NUMBER = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-])")


def configure(options: Mapping[str, Any]) -> None:
    """Send structlog and the standard library's loggers through one chain.

    options: `level`; `readable` for `key=value` instead of JSON; `fields` that every line carries,
    such as the service, its version and the environment. (Django calls it with `LOGGING` when
    `LOGGING_CONFIG` names it.)
    """
    _form.level = level = logging.getLevelNamesMapping()[options.get("level", "INFO")]
    _form.render = render = _readable if options.get("readable") else _json
    _form.fields = dict(options.get("fields", {}))

    chain: list[Any] = [
        structlog.processors.format_exc_info,
        redact,
        _add_fields,
        _add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        add_correlation,
    ]
    _processors[:] = [*chain, render]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_StandardOutput,
        cache_logger_on_first_use=True,
    )
    handler = _Lines()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                _add_logger_name,
                _drop_request,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *chain, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Each request has its own line already, with more in it.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    # A line for every call to another system: callers say what matters about them.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Several lines for every periodic task that found nothing to do. Failures are louder.
    for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("django", "django.server", "celery", "_granian"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True


def log_request(*, method: str, route: str, status: int, ms: float, actor: str | None) -> None:
    """The line of an answered request. Its values come from closed sets, so it goes past the chain
    that looks for personal data, which would cost as much as reading the request did."""
    if _form.level > logging.INFO:
        return
    line: Line = {
        "method": method,
        "route": route,
        "status": status,
        "ms": ms,
        "actor": actor,
        "event": "request",
        "logger": "access",
        "level": "info",
        "ts": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        **_form.fields,
    }
    _StandardOutput().msg(_form.render(None, "info", add_correlation(None, "info", line)))


def add_correlation(_logger: Any, _method: str, line: Line) -> Line:
    correlation = current()
    for name in ("request_id", "correlation_id", "causation_id"):
        value = getattr(correlation, name)
        if value:
            line.setdefault(name, value)
    if correlation.traceparent:
        line.setdefault("trace_id", correlation.traceparent[3:35])
    return line


def redact(_logger: Any, _method: str, line: Line) -> Line:
    for name, value in line.items():
        line[name] = _redacted(name, value)
    return line


def _redacted(name: str, value: Any) -> Any:
    if is_personal(name):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: _redacted(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", item) for item in value]
    if isinstance(value, BaseException):
        return scrub(f"{type(value).__name__}: {value}")
    return value


@lru_cache(maxsize=4096)
def is_personal(name: str) -> bool:
    """Whether values under this key stay out of logs."""
    return _PERSONAL.search(name) is not None


def scrub(text: str) -> str:
    """The text without e-mail addresses, tokens, card numbers and repeated column values."""
    for sign, pattern, replacement in _INSIDE_TEXT:
        if sign in text:
            text = pattern.sub(replacement, text)
    return _CARD_NUMBER.sub(REDACTED, text) if len(text) > 12 else text


def _add_fields(_logger: Any, _method: str, line: Line) -> Line:
    return {**_form.fields, **line}


def _add_logger_name(logger: Any, _method: str, line: Line) -> Line:
    record = line.get("_record")
    if record is not None:
        line["logger"] = record.name
    elif logger is not None:
        line["logger"] = logger.name
    return line


def _drop_request(_logger: Any, _method: str, line: Line) -> Line:
    """Django hands whole requests to its loggers; their text has the query string in it."""
    line.pop("request", None)
    return line


def _json(_logger: Any, _method: str, line: Line) -> str:
    return encode_any(line).decode()


_CONTEXT = ("service", "env", "version", "logger", "correlation_id", "causation_id", "trace_id")


def _readable(_logger: Any, _method: str, line: Line) -> str:
    at, level = line.pop("ts", "")[11:23], line.pop("level", "info").upper()
    event, trace = line.pop("event", ""), line.pop("exception", None)
    for name in _CONTEXT:
        line.pop(name, None)
    pairs = " ".join(f"{name}={value}" for name, value in line.items())
    text = f"{at} {level:<7} {event}{' ' if pairs else ''}{pairs}"
    text += f"\n{trace}" if trace else ""
    return text.encode(errors="replace").decode()


@dataclass(slots=True)
class _Form:
    """How lines look, as `configure` was told."""

    level: int = logging.INFO
    render: Callable[[Any, str, Line], str] = _json
    fields: dict[str, Any] = field(default_factory=dict)


_form = _Form()


class _StandardOutput:
    """Writes each line whole, with a single write: several processes share the stream."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, text: str) -> None:
        # A reader that went away, or a full disk, must not fail what is being logged.
        with suppress(OSError):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class _Lines(logging.Handler):
    """The standard library's way to the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _StandardOutput().msg(self.format(record))
        except Exception:
            self.handleError(record)
