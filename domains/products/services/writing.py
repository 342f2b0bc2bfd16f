"""What the commands of products share: versions, slugs and who was faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError

from infrastructure.aggregates import ConcurrentModification

T = TypeVar("T")

ATTEMPTS = 3


def expect(actual: int, expected: int | None, thing: Any) -> None:
    if expected is not None and actual != expected:
        raise ConcurrentModification(f"{thing} is at version {actual}, not {expected}.")


def again_if_taken(attempt: Callable[[], T], constraint: str) -> T:
    """Run it again when somebody else took the same unique value in the same moment."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except IntegrityError as error:
            if constraint_of(error) != constraint:
                raise
    return attempt()


def constraint_of(error: IntegrityError) -> str | None:
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
