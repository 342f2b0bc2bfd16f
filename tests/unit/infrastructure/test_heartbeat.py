from __future__ import annotations

from pathlib import Path

import pytest

from infrastructure.observability import heartbeat
from infrastructure.observability.heartbeat import Heartbeat


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_the_file_is_touched_while_every_member_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(heartbeat, "time", clock)
    file = tmp_path / "alive"
    beats = Heartbeat(str(file), silence_seconds=30)
    one, other = beats.member("one"), beats.member("other")

    assert beats.touch()
    assert file.exists()

    file.unlink()
    clock.now += 31
    one()
    assert not beats.touch()
    assert not file.exists()

    other()
    assert beats.touch()
    assert file.exists()
