"""Refusals about operations."""

from __future__ import annotations

from infrastructure.errors import DomainError


class OperationNotFound(DomainError):
    """There is no such operation, or none that the caller may see."""

    code, status, title = "operation_not_found", 404, "Operation not found"


class OperationFinished(DomainError):
    """The operation is over, so there is nothing left to cancel."""

    code, status, title = "operation_finished", 409, "The operation is finished"


class NoResult(DomainError):
    """The operation has made no file, or not yet."""

    code, status, title = "no_result", 404, "There is no result to download"
