"""Identifiers that the application makes itself."""

from __future__ import annotations

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unique without asking the database, and ordered by time, so that
    B-trees grow at their right edge."""
    return compat.uuid7()
