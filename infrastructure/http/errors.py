"""Refusals that HTTP itself knows, whatever the context."""

from __future__ import annotations

from infrastructure.errors import DomainError


class BadRequest(DomainError):
    """The request is malformed: an unknown host, a bad header, a broken body."""

    code, status, title = "bad_request", 400, "The request is malformed"


class InvalidHeader(DomainError):
    """A header does not have the form that its standard asks for."""

    code, status, title = "invalid_header", 400, "The header is not valid"


class IdempotencyKeyRequired(DomainError):
    """The operation creates or moves something that must not happen twice, so it wants a key."""

    code, status, title = "idempotency_key_required", 400, "An Idempotency-Key is required"


class InvalidCursor(DomainError):
    """The cursor was not issued by this list, or for other filters."""

    code, status, title = "invalid_cursor", 400, "The cursor is not valid for this list"


class Forbidden(DomainError):
    """The caller may not do this."""

    code, status, title = "forbidden", 403, "Not allowed"


class NotFound(DomainError):
    """There is nothing at this address, or nothing that the caller may see."""

    code, status, title = "not_found", 404, "Not found"


class MethodNotAllowed(DomainError):
    """The resource does not know this method; `Allow` lists those that it knows."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method} is not one of {allowed}.", headers={"Allow": allowed})


class NotAcceptable(DomainError):
    """The `Accept` header excludes JSON, which is all there is."""

    code, status, title = "not_acceptable", 406, "No acceptable representation"


class LengthRequired(DomainError):
    """The body came without a Content-Length."""

    code, status, title = "length_required", 411, "Content-Length is required"


class BodyTooLarge(DomainError):
    """The body has more bytes than are accepted."""

    code, status, title = "body_too_large", 413, "The request body is too large"


class UnsupportedMediaType(DomainError):
    """The body is of a media type that the operation does not take."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


class IdempotencyKeyReused(DomainError):
    """The key was used before, with another body."""

    code, status, title = "idempotency_key_reused", 422, "The Idempotency-Key was used before"


class IfMatchRequired(DomainError):
    """The resource is contended, so a change must name the version that it is based on."""

    code, status, title = "if_match_required", 428, "If-Match is required"


class RateLimited(DomainError):
    """The caller's budget for this kind of request is used up; `Retry-After` says until when."""

    code, status, title = "rate_limited", 429, "Too many requests"


class InternalError(DomainError):
    """A fault of the server. `trace_id` finds it in the logs."""

    code, status, title = "internal_error", 500, "Internal error"


class Unavailable(DomainError):
    """A part that the request needs does not answer. Nothing was changed for certain or in doubt
    beyond what an Idempotency-Key resolves; try again."""

    code, status, title = "unavailable", 503, "Temporarily unavailable"

    def __init__(self, detail: str = "Try again in a moment.", *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})
