"""Answers reads of people who are signed in from memory, before the URL is resolved.

What the front is for anonymous callers, with all that a caller who says who they are is owed: the
token is verified, the person looked up, the limits charged, the request logged. Whoever holds a
scope for which the view has more to show goes on to it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from infrastructure.auth.authentication import authenticate
from infrastructure.cache.installed import installed
from infrastructure.errors import DomainError
from infrastructure.http import limits
from infrastructure.http.cached import answer_of, sees_more
from infrastructure.http.canonical import plain_url
from infrastructure.http.problems import problem
from infrastructure.http.representations import PRIVATE
from infrastructure.http.requests import accepts_json


class CachedReads:
    """Second in MIDDLEWARE, behind the edge."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._kept(request) or self._get_response(request)

    def _kept(self, request: HttpRequest) -> HttpResponse | None:
        meta = request.META
        if "HTTP_AUTHORIZATION" not in meta or not settings.CACHE_ENABLED:
            return None
        url = plain_url(meta)
        if url is None or not accepts_json(meta.get("HTTP_ACCEPT") or "*/*"):
            return None
        try:
            actor = authenticate(request)
        except DomainError:
            # The view says what is wrong with the token.
            return None
        if actor is None:
            return None
        local = installed().local
        held = local.at(url, actor.customer_group)
        if held is None or held.place is None or local.needs_refresh(held):
            return None
        if sees_more(actor, held.place.sees_more):
            return None
        request.user = actor  # type: ignore[assignment]
        request.resolver_match = held.place.match
        try:
            decision = limits.charge(limits.identity_of(request, actor), *held.place.rates)
        except DomainError as error:
            return problem(request, error)
        response = answer_of(held.entry, request, PRIVATE)
        if decision is not None:
            for name, value in decision.headers.items():
                response.headers[name] = value
        return response
