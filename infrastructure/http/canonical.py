"""The one name of a read, however its URL was written, and whether a request is an ordinary one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

# Cursors are the longest parameters there are.
LONGEST = 2_000
MOST_PARAMETERS = 50


def url_of(meta: Mapping[str, Any]) -> str | None:
    """The canonical URL of a WSGI request: parameters in the order of their names, encoded in one
    way. Repeated ones stay in their order. None for what is too long or malformed to be kept."""
    return canonical(meta.get("PATH_INFO", ""), meta.get("QUERY_STRING", ""))


def plain_url(meta: Mapping[str, Any]) -> str | None:
    """The canonical URL of an ordinary GET or HEAD, of somebody signed in or not; None for all
    other requests."""
    if meta["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return None
    # Somebody's own, or to be newer than what may be kept.
    if meta.get("HTTP_COOKIE") or "HTTP_CONSISTENCY_TOKEN" in meta:
        return None
    if meta.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in meta:
        return None
    return url_of(meta)


@lru_cache(maxsize=4096)
def canonical(path: str, query: str) -> str | None:
    if len(path) + len(query) > LONGEST or not path.isascii() or not query.isascii():
        return None
    if not query:
        return path
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        return None
    return f"{path}?{urlencode(sorted(pairs, key=lambda pair: pair[0]))}"
