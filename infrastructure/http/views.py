"""The base of every view of the API.

It is a Django REST framework view to those who look at it (the schema generator), and answers
requests by a shorter path: nothing is negotiated, since JSON is all there is, and msgspec reads and
writes it. A view says what it demands and what it takes; dispatch refuses the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from rest_framework.views import APIView as RestFrameworkView

from infrastructure.auth.actor import Actor
from infrastructure.auth.authentication import authenticate
from infrastructure.auth.permissions import PUBLIC, Requirement, authorise
from infrastructure.database import consistency, replicas
from infrastructure.database.contexts import noting_writes
from infrastructure.http import idempotency, limits
from infrastructure.http.decoding import InvalidBody, InvalidJson, decode_body, decode_query
from infrastructure.http.errors import (
    IdempotencyKeyRequired,
    IfMatchRequired,
    InvalidHeader,
    LengthRequired,
    MethodNotAllowed,
    NotAcceptable,
    UnsupportedMediaType,
)
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.openapi.operations import Schema
from infrastructure.http.operation import Operation, operation
from infrastructure.http.pagination import Page
from infrastructure.http.problems import answer_refusal
from infrastructure.http.requests import (
    JSON,
    MERGE_PATCH,
    Preference,
    accepts_json,
    etag_of,
    media_type,
    none_match,
    preference,
    version_of_if_match,
)
from infrastructure.http.types import Body, PageOf, Query
from infrastructure.http.uploads import Upload, read_form

__all__ = ["APIView", "operation"]

T = TypeVar("T")

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_encode = msgspec.json.Encoder().encode


class _NoBody(Body, frozen=True, kw_only=True):
    """Of an operation that takes none; `{}` is let through, since some clients always send it."""


class _NoQuery(Query, frozen=True, kw_only=True):
    pass


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One method of a view, with all that dispatch needs to know looked up beforehand."""

    call: Callable[..., HttpResponse]
    operation: Operation
    requirement: Requirement
    rates: tuple[str, ...]
    rates_of_strangers: tuple[str, ...]
    is_read: bool


class APIView(RestFrameworkView):
    """Subclasses declare `scopes` for every method they have, decorate it with `@operation`, and
    may name its rate policy in `rate`.

    scopes: method -> a scope, AUTHENTICATED or PUBLIC; a method without one is an error at import.
    rate: method -> a policy of settings.RATE_LIMITS, or several; where nothing is named `default`,
        and `anonymous` for callers without a token.
    ignores_credentials: for routes that a caller with a dead token must be able to use.
    """

    scopes: ClassVar[Mapping[str, Requirement]] = {}
    rate: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    ignores_credentials: ClassVar[bool] = False

    shows_in_caches: ClassVar[bool] = False
    """Whether it is a view of a context whose reads are cached."""
    changes_what_is_shown: ClassVar[bool] = False
    """Whether writes may answer with a Consistency-Token; for the documentation."""
    is_cached: ClassVar[bool] = False
    """Whether its reads go through `answer_cached`, which loads from the primary."""
    sees_more: ClassVar[frozenset[str]] = frozenset()
    """Scopes whose holders are shown more than everybody else; what they read is never kept."""
    positions: consistency.Positions | None = None
    """What a read must show at least, from the caller's Consistency-Token."""

    schema = Schema()
    endpoints: ClassVar[dict[str, _Endpoint]] = {}
    allow: ClassVar[str] = "OPTIONS"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        found = {m: getattr(cls, m.lower()) for m in _METHODS if hasattr(cls, m.lower())}
        cls.endpoints = {method: cls._endpoint(method, call) for method, call in found.items()}
        names = tuple(f"domains.{context}." for context in settings.CACHED_CONTEXTS)
        cls.shows_in_caches = cls.__module__.startswith(names)
        cls.changes_what_is_shown |= cls.shows_in_caches
        allowed = [*found, "OPTIONS"]
        if "GET" in found:
            cls.endpoints["HEAD"] = cls.endpoints["GET"]
            allowed.insert(1, "HEAD")
        cls.allow = ", ".join(allowed)

    @classmethod
    def _endpoint(cls, method: str, call: Callable[..., HttpResponse]) -> _Endpoint:
        if method not in cls.scopes:
            raise ImproperlyConfigured(f"{cls.__qualname__} names no scope for {method}.")
        declared = getattr(call, "operation", None)
        if declared is None:
            raise ImproperlyConfigured(f"{cls.__qualname__}.{method.lower()} lacks @operation.")
        rates = cls.rate.get(method, "default")
        rates = (rates,) if isinstance(rates, str) else tuple(rates)
        for name in rates:
            if name not in settings.RATE_LIMITS:
                raise ImproperlyConfigured(f"{name!r} is no policy of RATE_LIMITS.")
        strangers = tuple("anonymous" if name == "default" else name for name in rates)
        return _Endpoint(call, declared, cls.scopes[method], rates, strangers, method == "GET")

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return cls(**initkwargs).dispatch(request, *args, **kwargs)

        view.cls = view.view_class = cls  # type: ignore[attr-defined]
        view.initkwargs = view.view_initkwargs = initkwargs  # type: ignore[attr-defined]
        # Callers send a token in a header, never a cookie, so nobody can ride on a session.
        view.csrf_exempt = True  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.request = request  # type: ignore[assignment]
        try:
            response = self._answer(request, args, kwargs)
        except Exception as error:
            refused = answer_refusal(request, error)
            if refused is None:
                raise
            response = refused
        return response

    def _answer(self, request: HttpRequest, args: Any, kwargs: Any) -> HttpResponse:
        method = request.method or ""
        endpoint = self.endpoints.get(method)
        if endpoint is None:
            if method == "OPTIONS":
                return _without_body(204, {"Allow": self.allow})
            raise MethodNotAllowed(method, self.allow)
        meta = request.META
        # Whoever downloads a file gets it as it is, and problems always come as JSON.
        if not endpoint.operation.downloads and not accepts_json(meta.get("HTTP_ACCEPT") or "*/*"):
            raise NotAcceptable("Only application/json is served.")
        actor = None if self.ignores_credentials else authenticate(request)
        request.user = actor  # type: ignore[assignment]
        authorise(actor, endpoint.requirement)
        rates = endpoint.rates if actor is not None else endpoint.rates_of_strangers
        decision = limits.charge(limits.identity_of(actor, meta), *rates)
        self.operation = endpoint.operation
        if endpoint.operation.query is None and meta.get("QUERY_STRING"):
            self.query(_NoQuery)
        declared = endpoint.operation
        takes_body = declared.body or declared.form or declared.uploads
        if not takes_body and not endpoint.is_read and _has_body(request):
            self.body(_NoBody)
        if endpoint.is_read:
            response = self._read(endpoint, request, args, kwargs)
        else:
            response = self._write(endpoint, request, args, kwargs)
        # What caches may hand on to others says nothing about one caller's budget.
        if decision is not None and not _is_public(response):
            for name, value in decision.headers.items():
                response.headers[name] = value
        return response

    def _read(
        self, endpoint: _Endpoint, request: HttpRequest, args: Any, kwargs: Any
    ) -> HttpResponse:
        """Answer a read, from a standby where that knows all that the caller must see.

        Without a token it is the public's view of what is public: whoever has just placed an
        order, or edited a product, finds it.
        """
        self.positions = positions = _positions(request)
        actor = self.actor
        is_for_all = endpoint.requirement is PUBLIC and not (actor and actor.is_staff)
        kept = self.is_cached and settings.CACHE_ENABLED
        if not settings.REPLICAS or kept or (positions is None and not is_for_all):
            return endpoint.call(self, request, *args, **kwargs)
        try:
            with replicas.reading(positions or {}) as standbys:
                return endpoint.call(self, request, *args, **kwargs)
        except (OperationalError, InterfaceError):
            # Connections and cancelled statements; any other error the primary would have too.
            if not standbys:
                raise
        for standby in standbys:
            replicas.suspect(standby)
        return endpoint.call(self, request, *args, **kwargs)

    def _write(
        self, endpoint: _Endpoint, request: HttpRequest, args: Any, kwargs: Any
    ) -> HttpResponse:
        """Answer a write, with a token where a read may be answered by somebody who knows less.

        Without standbys only cached pages are: then a write of another context gets one only where
        it changed what these show. An order takes the last of something once, and not each time.
        """
        with noting_writes() as noted:
            response = endpoint.call(self, request, *args, **kwargs)
        everything = settings.REPLICAS or self.shows_in_caches
        written = noted.written if everything else noted.shown
        # What was committed stays so, even if its position cannot be asked for any more.
        with suppress(DatabaseError, InterfaceError):
            if written:
                response.headers[consistency.HEADER] = consistency.token_of(written)
        return response

    # Reading a request

    @property
    def actor(self) -> Actor:
        """Who calls. Only for methods that are not PUBLIC: dispatch has refused strangers."""
        actor: Actor = self.request.user  # type: ignore[assignment]
        return actor

    def body(self, body_type: type[T]) -> T:
        """The decoded body. Raises InvalidJson, InvalidBody, UnsupportedMediaType, BodyTooLarge."""
        request = self.request
        if not request.META.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in request.META:
            raise LengthRequired("Send the body with a Content-Length.")
        if not _has_body(request):
            raise InvalidJson("The body is empty.")
        sent = media_type(request.META.get("CONTENT_TYPE", ""))
        if sent != JSON and not (sent == MERGE_PATCH and request.method == "PATCH"):
            patch = request.method == "PATCH"
            headers = {"Accept-Patch": f"{JSON}, {MERGE_PATCH}"} if patch else {"Accept": JSON}
            raise UnsupportedMediaType(f"Send {JSON}.", headers=headers)
        return decode_body(request.body, body_type)

    def form(self, form_type: type[T], *, max_bytes: int) -> tuple[T, Upload]:
        """The fields and the file of a multipart form. Raises as `uploads.read_form`."""
        return read_form(self.request, form_type, max_bytes=max_bytes)

    def upload(self) -> HttpRequest:
        """The body as a file: a stream with `read(size)`, of one of the operation's `uploads`.

        It is not held in memory, and has no limit but the caller's. Raises UnsupportedMediaType,
        LengthRequired, InvalidBody for an empty one.
        """
        request: HttpRequest = self.request
        sent, wanted = media_type(request.META.get("CONTENT_TYPE", "")), self.operation.uploads
        if sent not in wanted:
            names = ", ".join(wanted)
            raise UnsupportedMediaType(f"Send one of {names}.", headers={"Accept": names})
        if not request.META.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in request.META:
            raise LengthRequired("Send the body with a Content-Length.")
        if not _has_body(request):
            raise InvalidBody("The body is empty.")
        return request

    def query(self, query_type: type[T]) -> T:
        """The decoded query parameters. Raises InvalidParameters."""
        return decode_query(dict(self.request.GET.lists()), query_type)

    def idempotency(self, request: HttpRequest, body: object) -> IdempotencyKey | None:
        """The Idempotency-Key of the request, for `idempotency.find` and `key.record`.

        Raises IdempotencyKeyRequired where the operation demands one, InvalidHeader for a bad one.
        """
        header = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if header is None:
            if self.operation.idempotency == "required":
                raise IdempotencyKeyRequired("Send a key that is new for every new request.")
            return None
        match = request.resolver_match
        return IdempotencyKey(
            client=limits.identity_of(request.user, request.META),  # type: ignore[arg-type]
            route=f"{request.method} {match.route if match else request.path}",
            key=idempotency.key_of(header),
            fingerprint=idempotency.fingerprint_of((body, match.kwargs if match else {})),
        )

    def if_match(self, request: HttpRequest) -> int | None:
        """The version that the change is based on; None where the caller does not mind.

        Raises IfMatchRequired (428) where the operation demands it and StaleVersion (412) for a tag
        that cannot be current. Whether it is current, the save decides.
        """
        header = request.META.get("HTTP_IF_MATCH")
        if header is not None:
            return version_of_if_match(header)
        if self.operation.if_match == "required":
            raise IfMatchRequired("Send the ETag of the version that the change is based on.")
        return None

    def charge(self, *names: str) -> None:
        """Charge the caller for what a body asks, besides the rate of the route: RateLimited."""
        user: Actor | None = self.request.user  # type: ignore[assignment]
        limits.charge(limits.identity_of(user, self.request.META), *names)

    def prefer(self, request: HttpRequest) -> Preference:
        return preference(request.META.get("HTTP_PREFER", ""))

    # Answering

    def answer(
        self,
        value: Any = None,
        *,
        status: int = 200,
        etag: int | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """JSON of a value; without a value an answer without a body.

        etag: the version of the resource. A GET whose If-None-Match names it gets 304.
        """
        given = dict(headers or {})
        if etag is not None:
            given["ETag"] = tag = etag_of(etag)
            condition = self.request.META.get("HTTP_IF_NONE_MATCH")
            if condition and self.request.method in ("GET", "HEAD") and none_match(condition, tag):
                return _without_body(304, given)
        if value is None:
            return _without_body(status, given)
        content = _encode(value)
        response = HttpResponse(content, status=status, headers=given, content_type=JSON)
        response.headers["Content-Length"] = str(len(content))
        return response

    def answer_page(
        self,
        page: Page[Any],
        render: Callable[[Any], Any],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """A page as `{"items": [...], "next": cursor}`, with a Link to the next one (RFC 8288)."""
        given = {**self.link_to(page), **(headers or {})}
        return self.answer(
            PageOf(items=[render(item) for item in page.items], next=page.next), headers=given
        )

    def link_to(self, page: Page[Any]) -> dict[str, str]:
        """The header that links to the next page, where there is one."""
        if page.next is None:
            return {}
        parameters = {**dict(self.request.GET.lists()), "cursor": [page.next]}
        return {"Link": f'<{self.request.path}?{urlencode(parameters, doseq=True)}>; rel="next"'}


def _positions(request: HttpRequest) -> consistency.Positions | None:
    """Raises InvalidHeader."""
    token = request.META.get("HTTP_CONSISTENCY_TOKEN")
    if token is None:
        return None
    try:
        return consistency.positions_of(token)
    except ValueError as error:
        raise InvalidHeader(str(error)) from error


def _has_body(request: HttpRequest) -> bool:
    meta = request.META
    return meta.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in meta


def _is_public(response: HttpResponse) -> bool:
    return response.headers.get("Cache-Control", "").startswith("public")


def _without_body(status: int, headers: Mapping[str, str]) -> HttpResponse:
    response = HttpResponse(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
