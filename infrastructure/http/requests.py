"""What the headers of a request say: where it comes from, what it accepts, what it prefers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.conf import settings

from infrastructure.errors import StaleVersion
from infrastructure.http.errors import InvalidHeader

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def client_address(meta: Mapping[str, Any]) -> str:
    """The address of the client of a WSGI request, as far as trusted proxies vouch for it.

    TRUSTED_PROXIES is how many proxies of ours stand in front: each appends to X-Forwarded-For
    the address it was called from, so what a client wrote in there itself is never looked at.
    """
    address: str = meta.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        hops = [hop for hop in hops if hop]
        if hops:
            address = hops[-min(settings.TRUSTED_PROXIES, len(hops))]
    return address


def client_ip(meta: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
    """The same, or None for what is no address."""
    return _parsed(client_address(meta))


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def accepts_json(accept: str) -> bool:
    """Whether an Accept header lets JSON through. The most specific range decides (RFC 9110)."""
    best = (-1, 0.0)
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        specific = {"*/*": 0, "application/*": 1, JSON: 2, "application/problem+json": 2}.get(name)
        if specific is None:
            continue
        quality = next((_quality(text) for text in parameters if text.startswith("q=")), 1.0)
        best = max(best, (specific, quality))
    return best[1] > 0


@lru_cache(maxsize=1024)
def preferred(accept: str, offered: tuple[str, ...]) -> str | None:
    """The media type that an Accept header likes best of those offered, the first of equals; None
    where it lets none through. For each the most specific range decides (RFC 9110, 12.5.1)."""
    best: tuple[float, str | None] = (0.0, None)
    for kind in offered:
        ranges = {"*/*": 0, f"{kind.partition('/')[0]}/*": 1, kind: 2}
        match = (-1, 0.0)
        for media_range in accept.split(","):
            name, *parameters = (part.strip().lower() for part in media_range.split(";"))
            if name in ranges:
                quality = next((_quality(p) for p in parameters if p.startswith("q=")), 1.0)
                match = max(match, (ranges[name], quality))
        if match[1] > best[0]:
            best = (match[1], kind)
    return best[1]


def _quality(parameter: str) -> float:
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Preference:
    """`Prefer` (RFC 7240), as far as it is honoured here."""

    respond_async: bool = False
    wait_s: int | None = None


@lru_cache(maxsize=256)
def preference(prefer: str) -> Preference:
    """Unknown preferences are ignored, as the RFC demands; the first of a name counts."""
    found: dict[str, str] = {}
    for item in prefer.split(","):
        name, _, value = item.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = found.get("wait", "")
    return Preference(
        respond_async="respond-async" in found,
        wait_s=int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None,
    )


def etag_of(version: int | str) -> str:
    """The strong entity tag of a version: `"v7"`.

    Where other aggregates show in the answer too, text that tells them apart follows the version:
    `"v7-authorised"`. All of it counts for If-None-Match, the version alone for If-Match.
    """
    return f'"v{version}"'


def none_match(header: str, etag: str) -> bool:
    """Whether If-None-Match fails for this tag, so that a GET is answered with 304."""
    if header.strip() == "*":
        return True
    opaque = etag.removeprefix("W/").strip('"')
    return any(tag == opaque for _, tag in _TAG.findall(header))


def version_of_if_match(header: str) -> int | None:
    """The version that an If-Match header names; None for `*`, which any version matches.

    Raises StaleVersion for a tag that no version of ours has, InvalidHeader for what is no list
    of tags, and for a list: a change is based on one version.
    """
    if header.strip() == "*":
        return None
    tags = [_TAG.fullmatch(tag.strip()) for tag in header.split(",")]
    if len(tags) != 1 or tags[0] is None:
        raise InvalidHeader('If-Match takes one entity tag, such as "v7".')
    weak, tag = tags[0].groups()
    ours = re.fullmatch(r"v(\d{1,10})(-[\w-]{1,64})?", tag, re.ASCII)
    if weak or ours is None:
        raise StaleVersion("The entity tag of If-Match is not the current one.")
    return int(ours.group(1))
