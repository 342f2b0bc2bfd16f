"""Tells the relay that there is something to fetch: a hint that may be lost, never a fact."""

from __future__ import annotations


def after_commit(alias: str) -> None:
    """Wake the relay once the running transaction, if any, has committed."""
