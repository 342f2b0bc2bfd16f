"""Rate limits as the settings write them: `600/min` under the name of a policy."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

_WINDOWS_S = {"s": 1, "min": 60, "h": 3600, "day": 86_400}
_LIMIT = re.compile(r"([1-9]\d{0,8})/(s|min|h|day)")


@dataclass(frozen=True, slots=True)
class Policy:
    name: str
    limit: int
    window_s: int

    @classmethod
    def written(cls, name: str, limit: str) -> Policy:
        """Raises ValueError for what is not like `600/min`."""
        match = _LIMIT.fullmatch(limit)
        if match is None:
            raise ValueError(f"RATE_LIMITS: {name} is {limit!r}, not like '600/min'")
        return cls(name, int(match[1]), _WINDOWS_S[match[2]])

    @property
    def interval_us(self) -> int:
        return max(self.window_s * 1_000_000 // self.limit, 1)

    @property
    def header(self) -> str:
        return f'"{self.name}";q={self.limit};w={self.window_s}'


def faults_in(limits: Mapping[str, str | None], known: Collection[str]) -> Iterator[str]:
    """A sentence for each limit, None being none, that is malformed or of no known policy."""
    for name, limit in limits.items():
        if name not in known:
            yield f"RATE_LIMITS: {name} is none of {', '.join(sorted(known))}"
        elif limit is not None:
            try:
                Policy.written(name, limit)
            except ValueError as error:
                yield str(error)
