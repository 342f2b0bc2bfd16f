"""The refusals that reporting can give."""

from __future__ import annotations

from infrastructure.errors import DomainError


class NotWholeDays(DomainError):
    """Figures are kept by day, so they can be built anew by whole days only."""

    code, status, title = "not_whole_days", 422, "The range must begin and end at midnight UTC"


class UnknownStatus(Exception):
    """A row has a status whose meaning the audit was not told; no comparison may guess it."""
