"""Answers what this process has in memory, before Django wakes up.

Only for a GET or HEAD, for an entry that is fresh, of a host of ours; everything else, and whatever
is unusual, goes to Django, which would give the same answer: bytes, headers, tags. So does who is
signed in with a token that this process has not verified, or has not looked up in the last seconds,
and whoever holds a scope for which the view has more to show. The front refuses nothing but more
requests of one caller than the policy `cached` allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from math import ceil
from random import getrandbits
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from prometheus_client import Counter

from infrastructure.auth.actor import Actor
from infrastructure.auth.authentication import known_actor
from infrastructure.cache.installed import installed
from infrastructure.cache.local import Answer, Held
from infrastructure.http import limits
from infrastructure.http.cached import sees_more
from infrastructure.http.canonical import plain_url
from infrastructure.http.middleware import API_POLICY, request_id_of, security_headers
from infrastructure.http.policies import Policy
from infrastructure.http.problems import MEDIA_TYPE, document
from infrastructure.http.representations import (
    PRIVATE,
    accepts_gzip,
    changes_late,
    public,
    represented,
)
from infrastructure.http.requests import accepts_json
from infrastructure.observability.correlation import next_traceparent
from infrastructure.observability.metrics import rate_limit_decision

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

POLICY = "cached"

_ANSWERS = Counter(
    "http_front_answers_total", "Requests answered before Django, by route.", ["route", "code"]
)


def fronted(application: Application) -> Application:
    """The application behind the front, or as it is where CACHE_FRONT is off."""
    return Front(application) if settings.CACHE_ENABLED and settings.CACHE_FRONT else application


class Front:
    def __init__(self, application: Application) -> None:
        self._application = application
        self._headers = [
            *security_headers().items(),
            ("Content-Security-Policy", API_POLICY),
        ]
        self._is_ours = lru_cache(maxsize=256)(_is_ours)
        self._budgets = _Budgets()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        url = plain_url(environ)
        if url is None:
            return self._application(environ, start_response)
        header = environ.get("HTTP_AUTHORIZATION")
        actor = known_actor(header) if header else None
        if actor is None and header is not None:
            return self._application(environ, start_response)
        cache = installed()
        held = cache.local.at(url, None if actor is None else actor.customer_group)
        if (
            held is None
            or cache.local.needs_refresh(held)
            or (actor is not None and not _is_for(actor, held))
            or not self._is_ours(environ.get("HTTP_HOST", ""))
            or not accepts_json(environ.get("HTTP_ACCEPT") or "*/*")
            or (settings.HTTPS_ONLY and not _is_secure(environ))
        ):
            return self._application(environ, start_response)
        given = environ.get("HTTP_X_REQUEST_ID") or environ.get("HTTP_TRACEPARENT")
        request_id = _request_id(environ) if given else f"{getrandbits(128):032x}"
        policy = limits.policy_named(POLICY)
        if policy is not None:
            refused = self._budgets.charge(limits.identity_of(actor, environ), policy)
            if refused is not None:
                return self._refuse(refused, environ, request_id, start_response)
        status, headers, body = self._answer(
            held, environ, cache.now(), signed_in=actor is not None
        )
        start_response(status, [*headers, ("X-Request-ID", request_id)])
        _answers(held.route, status[:3]).inc()
        return body if environ["REQUEST_METHOD"] == "GET" else []

    def _answer(self, held: Held, environ: Environ, now: float, *, signed_in: bool) -> Answer:
        zipped = accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        condition = environ.get("HTTP_IF_NONE_MATCH")
        # What is the caller's alone says nothing of how long anybody may keep it.
        lasts = signed_in or changes_late(held.entry, now)
        if condition is None and lasts:
            answer = held.answers.get((zipped, signed_in))
            if answer is not None:
                return answer
        found = represented(
            held.entry,
            zipped=zipped,
            condition=condition,
            cache_control=PRIVATE if signed_in else public(held.entry, now),
        )
        status = f"{found.status} {HTTPStatus(found.status).phrase}"
        answer = (status, [*found.headers, *self._headers], [found.body])
        if condition is None and lasts:
            held.answers[zipped, signed_in] = answer
        return answer

    def _refuse(
        self,
        decision: limits.Decision,
        environ: Environ,
        request_id: str,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        rate_limit_decision(POLICY, "refused")
        error = limits.refusal(decision)
        body = document(error, instance=environ["PATH_INFO"], trace_id=request_id)
        headers = [
            ("Content-Type", MEDIA_TYPE),
            *error.headers.items(),
            ("Cache-Control", "no-store"),
            *self._headers,
            ("X-Request-ID", request_id),
        ]
        start_response("429 Too Many Requests", headers)
        return [body] if environ["REQUEST_METHOD"] == "GET" else []


class _Budgets:
    """The limiter of this process, cut down to one policy and no lock: two threads that charge one
    caller at the same moment may charge it once."""

    MOST_CALLERS = 10_000

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}

    def charge(self, identity: str, policy: Policy) -> limits.Decision | None:
        """None where it fits; else the decision that it does not."""
        now = time.monotonic()
        before = max(self._full_at.get(identity, 0.0), now)
        interval = policy.window_s / policy.limit
        spare = policy.window_s - interval - (before - now)
        if spare >= 0:
            if len(self._full_at) >= self.MOST_CALLERS:
                self._full_at = {k: at for k, at in tuple(self._full_at.items()) if at > now}
            self._full_at[identity] = before + interval
            return None
        return limits.Decision(
            policy, remaining=0, reset_s=ceil(before - now), retry_after_s=max(ceil(-spare), 1)
        )


def _is_for(actor: Actor, held: Held) -> bool:
    return held.place is not None and not sees_more(actor, held.place.sees_more)


def _request_id(environ: Environ) -> str:
    return request_id_of(environ, next_traceparent(environ.get("HTTP_TRACEPARENT")))


def _is_ours(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _is_secure(environ: Mapping[str, Any]) -> bool:
    """As Django's `request.is_secure()`."""
    if settings.SECURE_PROXY_SSL_HEADER:
        name, wanted = settings.SECURE_PROXY_SSL_HEADER
        given = environ.get(name)
        if given is not None:
            return bool(given.split(",", 1)[0].strip() == wanted)
    return bool(environ.get("wsgi.url_scheme") == "https")


@lru_cache(maxsize=256)
def _answers(route: str, code: str) -> Counter:
    return _ANSWERS.labels(route, code)
