"""The supervisor keeps a stand-in shop alive, tells where it is, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from devstack.layout import ROOT, Layout
from devstack.ports import RememberedPorts
from devstack.processes import look_around


class Shop:
    """The running stand-in and what it tells about itself."""

    def __init__(self, local: Path, worker: str = "willing") -> None:
        self.worker = worker
        self.layout = Layout(local=local, shared=local)
        self.port = RememberedPorts(local / "test-ports.json")["web"]
        self.start()

    def start(self) -> None:
        self.output = (self.layout.local / "output").open("w+")
        self.process = subprocess.Popen(
            [
                *[sys.executable, "-m", "tests.integration.devstack.stand_in"],
                *[self.local, str(self.port), self.worker],
            ],
            cwd=ROOT,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        wait_for(lambda: "The shop is open." in self.said())

    @property
    def local(self) -> str:
        return str(self.layout.local)

    def said(self) -> str:
        return Path(self.output.name).read_text()

    def access(self) -> dict[str, Any]:
        return json.loads(self.layout.access.read_text())  # type: ignore[no-any-return]

    def pids(self, name: str) -> list[int]:
        return self.access()["pids"][name]  # type: ignore[no-any-return]

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.access()["redis_url"])

    def redis_answers(self) -> bool:
        try:
            with self.redis() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def all_pids(self) -> list[int]:
        return [pid for pids in self.access()["pids"].values() for pid in pids]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(120)
        self.output.close()


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if is_living(pid)]


def is_living(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.end()


def test_it_tells_where_everything_is_to_its_owner_only(shop: Shop) -> None:
    assert stat.S_IMODE(shop.layout.access.stat().st_mode) == 0o600
    assert sorted(shop.access()["pids"]) == ["redis", "web", "worker"]
    assert len(shop.pids("web")) == 2
    assert living(shop.all_pids()) == shop.all_pids()


def test_a_killed_role_is_started_again_its_orphans_end_and_the_file_tells_the_new_ones(
    shop: Shop,
) -> None:
    killed, orphan = before = shop.pids("web")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: len(set(shop.pids("web")) - set(before)) == 2)
    assert living([killed, orphan]) == []
    assert "web was ended by SIGKILL; starting it again in 1 s." in shop.said()


def test_a_killed_server_returns_on_its_port_with_what_it_had_acknowledged(shop: Shop) -> None:
    address = shop.access()["redis_url"]
    with shop.redis() as client:
        client.set("kept", "yes")
    [killed] = shop.pids("redis")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: shop.pids("redis") not in ([], [killed]) and shop.redis_answers())
    assert shop.access()["redis_url"] == address
    with shop.redis() as client:
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(shop: Shop, number: int) -> None:
    pids = shop.all_pids()
    shop.process.send_signal(number)
    assert shop.process.wait(120) == 0
    assert living(pids) == []
    assert not shop.layout.access.exists()
    assert living([one.pid for one in look_around() if one.session in pids]) == []


def test_a_second_signal_does_not_wait_for_a_role_that_will_not_stop(tmp_path: Path) -> None:
    shop = Shop(tmp_path, worker="stubborn")
    shop.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in shop.said())
    shop.process.send_signal(signal.SIGINT)
    assert shop.process.wait(120) == 0
    assert "worker is killed." in shop.said()
    shop.end()


def test_a_role_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    shop = Shop(tmp_path, worker="stubborn")
    pids = shop.all_pids()
    shop.process.send_signal(signal.SIGINT)
    assert shop.process.wait(120) == 0
    assert "worker did not stop in time and is killed." in shop.said()
    assert living(pids) == []
    shop.end()


def test_a_start_after_the_supervisor_itself_was_killed_ends_what_it_left(shop: Shop) -> None:
    left = shop.all_pids()
    shop.process.kill()
    shop.process.wait()
    assert living(left) == left
    shop.output.close()
    shop.start()
    assert living(left) == []
    assert "Ending 4 processes of an earlier run that was killed." in shop.said()


def test_a_second_start_in_the_same_checkout_is_refused(shop: Shop) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "devstack", "reset", "--local", shop.local],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert second.returncode == 1
    assert "Another `make run (process " in second.stdout
    assert "Stop it with Ctrl-C first" in second.stdout
    assert shop.process.poll() is None
