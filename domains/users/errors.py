"""Refusals of this context."""

from __future__ import annotations

from collections.abc import Sequence

from infrastructure.errors import DomainError, FieldError

# What RFC 9110 wants in every 401.
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="kontor"'}


class EmailTaken(DomainError):
    """Somebody registered this address already."""

    code, status, title = "email_taken", 409, "The e-mail address is taken"

    def __init__(self) -> None:
        super().__init__(
            "There is an account with this e-mail address.",
            errors=[FieldError("/email", "email_taken", "There is an account with this address.")],
        )


class WeakPassword(DomainError):
    """The password is too short, too long, too common or too close to the person's own data."""

    code, status, title = "weak_password", 400, "The password is too weak"

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            " ".join(reasons),
            errors=[FieldError("/password", "weak_password", reason) for reason in reasons],
        )


class InvalidCredentials(DomainError):
    """No active account has this address and password. Never says which of the two is wrong."""

    code, status, title = "invalid_credentials", 401, "Wrong e-mail address or password"

    def __init__(self) -> None:
        super().__init__(
            "No active account has this e-mail address and password.", headers=_CHALLENGE
        )


class InvalidRefreshToken(DomainError):
    """The refresh token is unknown, used, expired, or its session has ended."""

    code, status, title = "invalid_refresh_token", 401, "Invalid refresh token"

    def __init__(self) -> None:
        super().__init__("Sign in again.", headers=_CHALLENGE)


class UserNotFound(DomainError):
    code, status, title = "user_not_found", 404, "No such user"


class AlreadyInactive(DomainError):
    code, status, title = "already_inactive", 409, "The account is inactive already"


class AlreadyActive(DomainError):
    code, status, title = "already_active", 409, "The account is active already"


class InvalidCustomerGroup(DomainError):
    """A group of customers is named by a code of small letters, digits and hyphens."""

    code, status, title = "invalid_customer_group", 400, "Not a code of a group of customers"


class UnknownRole(DomainError):
    """A role that the closed list of roles does not have."""

    code, status, title = "unknown_role", 400, "Unknown role"
