"""Refusals about who is calling."""

from __future__ import annotations

from infrastructure.errors import DomainError


class NotAuthenticated(DomainError):
    """The route needs a caller, and no access token came with the request."""

    code, status, title = "not_authenticated", 401, "Authentication required"

    def __init__(self, detail: str = "Send an access token as a Bearer token.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="kontor"'})


class InvalidToken(DomainError):
    """An access token came with the request and counts for nothing: forged, expired or revoked."""

    code, status, title = "invalid_token", 401, "Invalid access token"

    def __init__(self, detail: str = "The access token is not valid.") -> None:
        super().__init__(
            detail,
            headers={"WWW-Authenticate": 'Bearer realm="kontor", error="invalid_token"'},
        )


class MissingScope(DomainError):
    """The caller is known and may not do this."""

    code, status, title = "missing_scope", 403, "Not allowed"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This needs the scope {scope}.",
            headers={
                "WWW-Authenticate": (
                    f'Bearer realm="kontor", error="insufficient_scope", scope="{scope}"'
                )
            },
        )


class HashingBusy(DomainError):
    """More passwords are being checked at once than the process has memory for."""

    code, status, title = "busy", 503, "Busy"

    def __init__(self) -> None:
        super().__init__("Too many sign-ins at once.", headers={"Retry-After": "1"})
