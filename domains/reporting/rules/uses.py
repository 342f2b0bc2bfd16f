"""Compares the counters of what has a limit with the redemptions in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domains.reporting.rules.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """How often something with a limit is in use: the counter, and the redemptions in it."""

    subject: str
    counted: int
    kept: int


def use_findings(uses: Iterable[Uses]) -> Iterator[Finding]:
    for one in uses:
        if one.counted != one.kept:
            yield Finding(
                subject=one.subject,
                detail=f"counted {one.counted} uses, of which redemptions keep {one.kept}",
            )
