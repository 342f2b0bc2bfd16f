"""Answers that are the same for everybody in the same audience, kept in the cache.

    return answer_cached(
        self,
        context="products",
        audience=audience_of(request, currency=currency, locale=locale, channel=channel),
        build=lambda: Built(value=..., tags=[...], changes_at=...),
    )

A view that has no audience to name cannot call it: the audience is a part of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import ResponseHeaders

from infrastructure.auth.actor import Actor
from infrastructure.cache.entries import Entry, Loaded, new_entry
from infrastructure.cache.installed import installed
from infrastructure.cache.local import Place
from infrastructure.cache.tiers import Read
from infrastructure.database.consistency import position, recent_position
from infrastructure.database.contexts import alias_of
from infrastructure.database.replicas import on_primary
from infrastructure.http.canonical import plain_url, url_of
from infrastructure.http.representations import PRIVATE, public, represent
from infrastructure.http.requests import JSON
from infrastructure.http.views import APIView

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """What a body depends on beside its URL. Made by `audience_of`."""

    currency: str
    locale: str
    channel: str | None
    customer_group: str | None

    def key_at(self, url: str) -> str:
        # As JSON, so that nothing in one value can be mistaken for the next.
        parts = (url, self.currency, self.locale, self.channel, self.customer_group)
        return _encode(parts).decode()


def audience_of(
    request: HttpRequest, *, currency: str, locale: str, channel: str | None
) -> Audience:
    """The audience of a request: what the view read from it, and the caller's customer group."""
    return Audience(
        currency=currency, locale=locale, channel=channel, customer_group=_group_of(request)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a view built: the value to be shown as JSON, and what decides how long.

    tags: whatever the value shows or depends on. changes_at: when it becomes untrue by itself.
    version: of the resource, where If-Match is answered. headers: that depend on the value alone.
    """

    value: Any
    tags: Iterable[str]
    version: int | None = None
    changes_at: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def answer_cached(
    view: APIView, *, context: str, audience: Audience, build: Callable[[], Built]
) -> HttpResponse:
    """Answer a GET from the cache, or from what `build` returns, and keep that.

    context: whose database `build` reads. To whoever holds a scope of `view.sees_more`, such as
    staff who see drafts, nothing kept is shown, and nothing shown to them is kept.
    Raises what `build` raises; refusals are not kept.
    """
    request = view.request
    if audience.customer_group != _group_of(request):
        raise ValueError("The audience is not that of the caller.")
    if sees_more(request.user, view.sees_more):  # type: ignore[arg-type]
        entry = _unkept(_loaded(build()), installed().now())
        return answer_of(entry, request, "no-store")
    entry, now = _entry(view, context, audience, build)
    shown_to_all = request.user is None and view.positions is None
    return answer_of(entry, request, public(entry, now) if shown_to_all else PRIVATE)


def sees_more(actor: Actor | None, scopes: frozenset[str]) -> bool:
    """Whether the caller holds one of the scopes that change an answer."""
    return actor is not None and not scopes.isdisjoint(actor.scopes)


def answer_of(entry: Entry, request: HttpRequest, cache_control: str) -> HttpResponse:
    found = represent(entry, request.META, cache_control=cache_control)
    response = HttpResponse(found.body, status=found.status, content_type=JSON)
    if found.status != 200:
        del response.headers["Content-Type"]
    # Checked when they were built; Django would check them again, at half the cost of the answer.
    response.headers._store.update({name.lower(): (name, value) for name, value in found.headers})
    return response


def _entry(
    view: APIView, context: str, audience: Audience, build: Callable[[], Built]
) -> tuple[Entry, float]:
    cache = installed()
    now = cache.now()
    request = view.request
    url = url_of(request.META)
    if url is None or not settings.CACHE_ENABLED:
        return _unkept(_loaded(build()), now), now

    def load() -> Loaded:
        # It is kept for others, so a standby that is a moment behind will not do.
        with on_primary():
            return _loaded(build())

    alias = alias_of(context)
    needed = (view.positions or {}).get(alias, 0)
    read = Read(
        key=audience.key_at(url),
        load=load,
        place=_place(view, audience),
        # Who shows no token learns nothing by a position that is a moment higher.
        position=lambda: position(alias) if needed else recent_position(alias),
        needed=needed,
    )
    return cache.read(read), now


def _loaded(built: Built) -> Loaded:
    return Loaded(
        body=_encode(built.value),
        tags=frozenset(built.tags),
        version=built.version,
        changes_at=built.changes_at.timestamp() if built.changes_at else None,
        # Raises BadHeaderError for what would break out of a header.
        headers=tuple(ResponseHeaders(built.headers).items()),
    )


def _place(view: APIView, audience: Audience) -> Place | None:
    url = plain_url(view.request.META)
    if url is None:
        return None
    return Place(
        url=url,
        group=audience.customer_group,
        match=view.request.resolver_match,
        sees_more=view.sees_more,
    )


def _unkept(loaded: Loaded, now: float) -> Entry:
    return new_entry(
        "", loaded, loaded_at=now, seconds=0, refresh_after=1, mark=None, position=None
    )


def _group_of(request: HttpRequest) -> str | None:
    actor: Actor | None = request.user  # type: ignore[assignment]
    return None if actor is None else actor.customer_group
