"""An entry of the cache as an HTTP answer: one function for the front and for the views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from infrastructure.cache.entries import Entry, compressed
from infrastructure.http.requests import JSON, none_match

# Of what anybody may be shown. Nobody can tell a CDN or a browser that something changed, so they
# keep it for seconds: RFC 9111, and RFC 5861 for the last.
MAX_AGE, SHARED_MAX_AGE, WHILE_REVALIDATE = 5, 10, 30
# Of what depends on who asks: kept by the caller alone, and never used unasked.
PRIVATE = "private, no-cache"
# An answer to anybody must not be given to somebody with other prices, or who wrote meanwhile.
VARY = "Accept-Encoding, Authorization, Consistency-Token"

_ALWAYS = f"public, max-age={MAX_AGE}, s-maxage={SHARED_MAX_AGE}"
_PUBLIC = f"{_ALWAYS}, stale-while-revalidate={WHILE_REVALIDATE}"


@dataclass(frozen=True, slots=True)
class Representation:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def represent(entry: Entry, meta: Mapping[str, Any], *, cache_control: str) -> Representation:
    """The answer to a request: gzip where it is accepted, 304 where the caller has it already.

    Each encoding has a strong entity tag of its own, as RFC 9110 (8.8.3.3) demands.
    """
    zipped = accepts_gzip(meta.get("HTTP_ACCEPT_ENCODING", ""))
    condition = meta.get("HTTP_IF_NONE_MATCH")
    return represented(entry, zipped=zipped, condition=condition, cache_control=cache_control)


def represented(
    entry: Entry, *, zipped: bool, condition: str | None, cache_control: str
) -> Representation:
    body = compressed(entry) if zipped else None
    etag = f'"{entry.tag}"' if body is None else f'"{entry.tag}-gzip"'
    headers = [("ETag", etag), ("Cache-Control", cache_control), ("Vary", VARY)]
    if condition is not None and none_match(condition, etag):
        return Representation(304, headers, b"")
    if body is not None:
        headers.append(("Content-Encoding", "gzip"))
    else:
        body = entry.body
    headers += [("Content-Type", JSON), ("Content-Length", str(len(body))), *entry.headers]
    return Representation(200, headers, body)


def public(entry: Entry, now: float) -> str:
    """The Cache-Control of what anybody may be shown: never beyond the moment when the body
    becomes untrue. now: seconds since 1970."""
    if changes_late(entry, now):
        return _PUBLIC
    assert entry.changes_at is not None
    left = max(int(entry.changes_at - now), 0)
    kept = min(SHARED_MAX_AGE, left)
    text = f"public, max-age={min(MAX_AGE, left)}, s-maxage={kept}"
    return f"{text}, stale-while-revalidate={left - kept}" if left > kept else text


def changes_late(entry: Entry, now: float) -> bool:
    """Whether a CDN may keep it as long as anything."""
    return entry.changes_at is None or entry.changes_at - now >= SHARED_MAX_AGE + WHILE_REVALIDATE


@lru_cache(maxsize=1024)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header lets gzip through; the name itself comes before `*`."""
    found: dict[str, bool] = {}
    for item in accept_encoding.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((text[2:].strip() for text in parameters if text.startswith("q=")), "1")
        try:
            found[name] = float(quality) > 0
        except ValueError:
            found[name] = False
    return found.get("gzip", found.get("x-gzip", found.get("*", False)))
