"""Render refusals and faults as problem documents (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from django.core.exceptions import (
    BadRequest as DjangoBadRequest,
)
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from msgspec import UNSET, UnsetType
from rest_framework.exceptions import APIException

from infrastructure.encoding import encode_any
from infrastructure.errors import DomainError
from infrastructure.http import errors
from infrastructure.http.types import Out
from infrastructure.observability.correlation import current

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class ProblemField(Out, frozen=True, kw_only=True):
    """One fault of the input. `pointer` is a JSON pointer into the body, or `?name` for a query
    parameter. `current`, where a comparison failed: what the value is."""

    pointer: str
    code: str
    detail: str
    current: int | str | UnsetType | None = UNSET


class Problem(Out, frozen=True, kw_only=True):
    """Why a request was refused. `code` is stable; `docs/problems.md` lists all of them."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str | None
    errors: list[ProblemField]


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    return HttpResponse(
        document(error, instance=request.path, trace_id=current().request_id),
        content_type=MEDIA_TYPE,
        status=error.status,
        headers=error.headers,
    )


def document(error: DomainError, *, instance: str, trace_id: str | None) -> bytes:
    """The body that says why the request for `instance` was refused."""
    body = Problem(
        type=f"/problems/{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        instance=instance,
        code=error.code,
        trace_id=trace_id,
        errors=[
            ProblemField(
                pointer=fault.pointer,
                code=fault.code,
                detail=fault.detail,
                current=fault.current,
            )
            for fault in error.errors
        ],
    )
    if not error.members:
        return encode_any(body)
    return encode_any(msgspec.structs.asdict(body) | error.members)


def refusal(error: Exception) -> DomainError | None:
    """What to answer for an exception, or None where it is a fault that nobody foresaw."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, Http404):
        return errors.NotFound()
    if isinstance(error, PermissionDenied):
        return errors.Forbidden()
    if isinstance(error, RequestDataTooBig):
        return errors.BodyTooLarge()
    if isinstance(error, SuspiciousOperation | DjangoBadRequest | UnreadablePostError):
        return errors.BadRequest()
    if isinstance(error, OperationalError | InterfaceError):
        # Refused connections, an exhausted pool, a statement over its time, a deadlock: all pass.
        log.error("database_unavailable", exc_info=error)
        return errors.Unavailable()
    if isinstance(error, APIException):
        return _of_rest_framework(error)
    return None


def answer_refusal(request: HttpRequest, error: Exception) -> HttpResponse | None:
    refused = refusal(error)
    return None if refused is None else problem(request, refused)


def rest_framework_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """For the views that are Django REST framework's own, such as the documentation."""
    return answer_refusal(context["request"], error)


def _of_rest_framework(error: APIException) -> DomainError:
    """The schema and documentation views are Django REST framework's own and raise its errors."""
    status = HTTPStatus(error.status_code)
    refused = DomainError(str(error.detail))
    refused.code, refused.status, refused.title = (  # type: ignore[misc]
        status.name.lower(),
        int(status),
        status.phrase,
    )
    return refused
