"""Whether the events of every aggregate are on their topic, each once and in order."""

from __future__ import annotations

from collections.abc import Iterator


class Sequences:
    """The events of one topic, as its messages come.

    Costs about 150 bytes per aggregate: its id as 16 bytes, and the number of its last event.
    """

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._missing: dict[bytes, set[int]] = {}
        self.late: list[tuple[bytes, int]] = []
        self.messages = 0
        self.duplicates = 0

    def __len__(self) -> int:
        return len(self._last)

    def __contains__(self, key: bytes) -> bool:
        return key in self._last

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._last)

    def take(self, key: bytes, sequence: int) -> None:
        """One message. Sending one again is allowed: the first time counts."""
        self.messages += 1
        last = self._last.get(key, 0)
        if sequence == last + 1:
            self._last[key] = sequence
        elif sequence > last:
            self._missing.setdefault(key, set()).update(range(last + 1, sequence))
            self._last[key] = sequence
        elif sequence in self._missing.get(key, ()):
            self._missing[key].discard(sequence)
            self.late.append((key, sequence))
        else:
            self.duplicates += 1

    def last(self, key: bytes) -> int:
        """The number of the aggregate's last event that was seen; 0 if none was."""
        return self._last.get(key, 0)

    def gaps(self) -> Iterator[tuple[bytes, int]]:
        """(key, number) of events that were overtaken by later ones and never came."""
        for key, numbers in self._missing.items():
            for number in sorted(numbers):
                yield key, number
