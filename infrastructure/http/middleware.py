"""The edge of the application: what every request and every answer goes through."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import generate_latest

from infrastructure.auth.actor import Actor
from infrastructure.errors import DomainError
from infrastructure.http import errors, health
from infrastructure.http.problems import MEDIA_TYPE, problem
from infrastructure.observability import correlation
from infrastructure.observability.logging import log_request
from infrastructure.observability.metrics import ASKED, request_finished

GetResponse = Callable[[HttpRequest], HttpResponseBase]
Probe = Callable[[HttpRequest], HttpResponse]

_SAFE = ("GET", "HEAD")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{16,64}")

_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' {media} data:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
_STATUS_ERRORS: Mapping[int, type[DomainError]] = {
    400: errors.BadRequest,
    403: errors.Forbidden,
    404: errors.NotFound,
    413: errors.BodyTooLarge,
    500: errors.InternalError,
}


class Edge:
    """First in MIDDLEWARE. Names the request, answers probes, checks the host, turns whatever
    error page comes from inside into a problem, sets the security headers, measures and logs."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._probes: dict[str, Probe] = {
            "/health/live": health.live,
            "/health/ready": health.ready,
            "/metrics": _metrics,
        }
        self._pages = (settings.ADMIN_PATH, settings.API_DOCS_PATH)
        media = urlsplit(settings.MEDIA_PUBLIC_URL)
        self._page_policy = _PAGE_POLICY.format(media=f"{media.scheme}://{media.netloc}")
        self._headers = security_headers()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = self._probes.get(request.path_info)
        if probe is not None and (probe is not _metrics or _may_scrape(request)):
            return self._finished(request, _probed(request, probe))
        started = time.perf_counter()
        identity = _identity(request.META)
        token = correlation.enter(identity)
        try:
            response = self._finished(request, self._answer(request))
            response.headers["X-Request-ID"] = identity.request_id or ""
            self._note(request, response, time.perf_counter() - started)
            return response
        finally:
            correlation.leave(token)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            return problem(request, errors.BadRequest("The Host header names no host of ours."))
        if settings.HTTPS_ONLY and not request.is_secure():
            return problem(request, errors.Forbidden("Nothing is served over plain HTTP."))
        if "\x00" in request.path_info:
            return problem(request, errors.NotFound())
        response = self._get_response(request)
        if response.status_code >= 400 and not request.path_info.startswith(settings.ADMIN_PATH):
            return _as_problem(request, response)
        return response

    def _finished(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        headers = response.headers
        for name, value in self._headers.items():
            headers[name] = value
        if "Content-Security-Policy" not in headers:
            page = request.path_info.startswith(self._pages)
            headers["Content-Security-Policy"] = self._page_policy if page else API_POLICY
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        return response

    def _note(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        match = request.resolver_match
        route = f"/{match.route}" if match is not None else "(none)"
        method = request.method or ""
        request_finished(method, route, response.status_code, seconds)
        # Only what dispatch put there: Django's own user is lazy, and would ask the database.
        user = request.__dict__.get("user")
        log_request(
            method=method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            actor=str(user.id) if isinstance(user, Actor) else None,
        )


def security_headers() -> dict[str, str]:
    """The headers of every answer, whoever gives it."""
    headers = dict(_EVERYWHERE)
    if settings.SECURE_HSTS_SECONDS:
        headers["Strict-Transport-Security"] = (
            f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains"
        )
    return headers


def request_id_of(meta: Mapping[str, str], traceparent: str) -> str:
    """The id that the caller gave to the request, or that of its trace."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    return given if _REQUEST_ID.fullmatch(given) else traceparent[3:35]


def _identity(meta: Mapping[str, str]) -> correlation.Correlation:
    traceparent = correlation.next_traceparent(meta.get("HTTP_TRACEPARENT"))
    request_id = request_id_of(meta, traceparent)
    return correlation.Correlation(
        request_id=request_id, correlation_id=request_id, traceparent=traceparent
    )


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Django's own error pages, and those of views that are not ours, in our form."""
    status = response.status_code
    if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        return response
    if status == 405:
        error: DomainError = errors.MethodNotAllowed(
            request.method or "", response.headers.get("Allow", "")
        )
    elif status in _STATUS_ERRORS:
        error = _STATUS_ERRORS[status]()
    else:
        return response
    return problem(request, error)


def _probed(request: HttpRequest, probe: Probe) -> HttpResponse:
    if request.method not in _SAFE:
        return problem(request, errors.MethodNotAllowed(request.method or "", "GET, HEAD"))
    return probe(request)


def _may_scrape(request: HttpRequest) -> bool:
    """Metrics are for a scraper inside; for anybody else there is nothing at their address.

    A request that came through a proxy came from outside, whatever address the proxy has.
    """
    meta = request.META
    if "HTTP_X_FORWARDED_FOR" in meta or "HTTP_FORWARDED" in meta:
        return False
    try:
        address = ip_address(meta.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in network for network in _networks(tuple(settings.METRICS_NETWORKS)))


def _metrics(request: HttpRequest) -> HttpResponse:
    found: HttpResponse = ExportToDjangoView(request)
    found.content += generate_latest(ASKED)
    return found


@cache
def _networks(texts: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(text) for text in texts]


class _StaffPagesOnly:
    """The API needs neither sessions nor cookies, so it does not pay for them."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(settings.ADMIN_PATH):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)  # type: ignore[attr-defined]


class StaffSession(_StaffPagesOnly, SessionMiddleware):
    pass


class StaffAuthentication(_StaffPagesOnly, AuthenticationMiddleware):
    pass


class StaffMessages(_StaffPagesOnly, MessageMiddleware):
    pass


class StaffCsrf(_StaffPagesOnly, CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: object) -> HttpResponse | None:  # type: ignore[override]
        if request.path_info.startswith(settings.ADMIN_PATH):
            return super().process_view(request, *args)  # type: ignore[arg-type]
        return None
