"""Who belongs to whom among the processes, and the pauses between restarts."""

from __future__ import annotations

import pytest

from devstack.processes import Child, Sighting, family
from devstack.supervisor import Kept


def seen(pid: int, parent: int, session: int) -> Sighting:
    return Sighting(pid=pid, parent=parent, session=session, created=float(pid))


def test_a_family_is_its_leader_with_descendants_and_everyone_in_its_session() -> None:
    processes = [
        seen(10, 1, 10),
        seen(11, 10, 10),
        seen(12, 11, 12),  # a child that made a session of its own
        seen(13, 12, 12),
        seen(14, 1, 10),  # an orphan, adopted by init
        seen(20, 1, 20),
    ]
    assert [one.pid for one in family(10, processes)] == [10, 11, 12, 13, 14]


def test_orphans_are_found_after_their_leader_has_gone() -> None:
    assert [one.pid for one in family(10, [seen(11, 1, 10), seen(20, 1, 20)])] == [11]


@pytest.fixture
def kept(tmp_path: object) -> Kept:
    child = Child.__new__(Child)
    child.started_at = 100.0
    return Kept("web", child, lambda: None)


def test_pauses_grow_to_five_seconds_and_shrink_again_after_a_steady_run(kept: Kept) -> None:
    assert [kept.plan_restart(101.0) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert kept.plan_restart(130.0) == 1.0


def test_it_starts_again_when_the_pause_is_over_and_once(kept: Kept) -> None:
    kept.plan_restart(101.0)
    assert not kept.restart_if_due(101.9)
    assert kept.restart_if_due(102.0)
    assert not kept.restart_if_due(103.0)
