"""What an action on several objects would come to: shown first, and held to when confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infrastructure.errors import DomainError
from infrastructure.http.idempotency import fingerprint_of
from infrastructure.money import Money

# The hidden field that says what was shown of an object, once for each.
SHOWN = "shown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Would:
    """What a command would do to one object. told: in words, where figures do not say it. amounts,
    counts: of what, by its name, such as `captured`; they are added up for all objects."""

    told: str = ""
    amounts: Mapping[str, Money] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        amounts = [f"{amount} {name}" for name, amount in self.amounts.items()]
        counts = [f"{count:,} {name}" for name, count in self.counts.items()]
        return ", ".join(filter(None, [self.told, *amounts, *counts])) or "nothing changes"


# What a command would come to, with nothing written. Raises what it would refuse.
Preview = Callable[[Any], Would]


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """What is shown of one object: what a command would do to it, or why it would be refused."""

    key: object
    would: Would | None = None
    refusal: str = ""

    def __str__(self) -> str:
        return f"would be refused: {self.refusal}" if self.would is None else str(self.would)

    @property
    def mark(self) -> str:
        """What a page sends back of it: it tells whether the same would be shown again."""
        return f"{self.key} {fingerprint_of(str(self)).hex()}"


def foreseen(one: Any, preview: Preview) -> Foreseen:
    try:
        return Foreseen(key=one.pk, would=preview(one))
    except DomainError as refusal:
        return Foreseen(key=one.pk, refusal=refusal.detail)


def in_all(shown: Iterable[Foreseen]) -> Iterator[str]:
    """The totals of what would be done, by name and currency: of amounts first, then of counts."""
    amounts: Counter[tuple[str, str]] = Counter()
    counts: Counter[str] = Counter()
    for would in (one.would for one in shown if one.would is not None):
        counts.update(would.counts)
        for name, amount in would.amounts.items():
            amounts[name, amount.currency] += amount.amount_minor
    for (name, currency), minor in amounts.items():
        yield f"{Money(minor, currency)} {name}"
    for name, count in counts.items():
        yield f"{count:,} {name}"
