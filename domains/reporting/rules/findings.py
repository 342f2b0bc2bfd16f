"""What an audit finds, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One row that does not agree with another one.

    subject names the row, always in the same way. in_flight: it is on its way, and is no
    difference as long as it arrives.
    """

    subject: str
    detail: str
    in_flight: bool = False


@dataclass(kw_only=True, slots=True)
class Check:
    """The result of one comparison. `reason`: why it could not be made, empty if it was."""

    name: str
    about: str
    rows: int = 0
    in_flight: int = 0
    differences: list[Finding] = field(default_factory=list)
    note: str = ""
    reason: str = ""

    def count(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted as they pass."""
        for row in rows:
            self.rows += 1
            yield row

    def take(self, finding: Finding) -> None:
        if finding.in_flight:
            self.in_flight += 1
        else:
            self.differences.append(finding)

    def take_all(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.take(finding)


def confirmed(before: Iterable[Check], after: Iterable[Check]) -> list[Check]:
    """The later results, with only those differences that were there before as well.

    What moved while it was being read differs once. A difference that stays is one.
    """
    known = {check.name: {finding.subject for finding in check.differences} for check in before}
    result = []
    for check in after:
        stayed = [f for f in check.differences if f.subject in known[check.name]]
        check.in_flight += len(check.differences) - len(stayed)
        check.differences = stayed
        result.append(check)
    return result
