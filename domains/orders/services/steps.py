"""Carrying out what was asked of a confirmed order, one step at a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domains.orders.services.settling import Case


def carry_on(case: Case, now: datetime) -> None:
    """Take the unfinished step of a case's order as far as it gets."""
