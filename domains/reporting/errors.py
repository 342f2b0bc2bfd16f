"""The refusals that reporting can give."""

from __future__ import annotations


class UnknownStatus(Exception):
    """A row has a status whose meaning the audit was not told; no comparison may guess it."""
