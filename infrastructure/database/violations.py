"""Which constraint a refused write has violated."""

from __future__ import annotations

from django.db import IntegrityError


def constraint_of(error: IntegrityError) -> str | None:
    """The name of the violated constraint or unique index; None where the database named none, as
    for a NULL that is not allowed."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None)
