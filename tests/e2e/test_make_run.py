"""`make run` as a person uses it: one command, one Ctrl-C, and a README that does not lie."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from devstack.layout import ROOT, Layout
from devstack.options import SERVICE_VARIABLES
from devstack.ports import RememberedPorts
from devstack.processes import look_around
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(600),
]

ROLES = ("gateway", "web", "relay", "consumer", "worker", "beat")


class Run:
    """`make run` in a folder of its own, on ports of its own."""

    def __init__(self, local: Path) -> None:
        self.layout = Layout(local=local, shared=ROOT / ".local")
        self.port = RememberedPorts(local / "port.json")["web"]
        self.start()

    def start(self) -> None:
        # Settings of the test process are not those of a person's shell.
        shell = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LANG", "TMPDIR")
        }
        assert not set(shell) & set(SERVICE_VARIABLES)
        self._output = (self.layout.local / "output").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devstack", "run", "--local", str(self.layout.local)],
            cwd=ROOT,
            env={**shell, "PORT": str(self.port)},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until(self._is_open, "the shop is open", seconds=300)

    def said(self) -> str:
        return (self.layout.local / "output").read_text(errors="replace")

    def _is_open(self) -> bool:
        assert self.process.poll() is None, self.said()
        return "The shop is open." in self.said()

    def access(self) -> Any:
        return json.loads(self.layout.access.read_text())

    def pids(self) -> dict[str, list[int]]:
        return self.access()["pids"]  # type: ignore[no-any-return]

    def attached(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as `make audit` or `make replay` run it."""
        return subprocess.run(
            [
                *[sys.executable, "-m", "devstack", "attach", "--local", str(self.layout.local)],
                *["--", *command],
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    def tells(self, role: str, metric: str) -> bool:
        told = httpx.get(self.access()["metrics"][role], trust_env=False, timeout=60)
        return f"\n{metric}" in told.text

    def audit(self) -> subprocess.CompletedProcess[str]:
        return self.attached(sys.executable, "manage.py", "audit_books", "--wait", "120")

    def kill_and_see_it_return(self, role: str, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        until(
            lambda: pid not in (pids := self.pids()[role]) and pids,
            f"{role} is started again",
            seconds=180,
        )

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(240)
        self._output.close()

    def end(self) -> None:
        if self.process.poll() is None:
            self.interrupt()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.end()


def test_the_shop_opens_sells_survives_kills_and_stops(run: Run) -> None:
    assert set(ROLES) | {"postgres", "redis", "kafka"} == set(run.pids())

    for role, metric in (
        ("web", "cache_invalidation_lag_seconds_count"),
        ("relay", "kontor_outbox_backlog"),
        ("consumer", "kontor_consumer_lag"),
    ):
        until(partial(run.tells, role, metric), f"{role} tells of {metric}")

    first_order = follow_the_readme(run.port)
    assert "HTTP/1.1 201" in first_order
    order = json.loads(first_order.splitlines()[-1])
    assert (order["status"], order["payment"]["status"]) == ("CONFIRMED", "AUTHORISED")

    everybody = dict(run.pids())
    for role in ("relay", "consumer", "beat"):
        run.kill_and_see_it_return(role, everybody[role][0])
    # A web worker is granian's child: granian itself starts another.
    run.kill_and_see_it_return("web", everybody["web"][-1])
    repeated = follow_the_readme(run.port)
    assert json.loads(repeated.splitlines()[-1])["id"] == order["id"]
    assert "idempotency-replayed: true" in repeated.lower()

    follow_the_journey(run)
    audit = run.audit()
    assert audit.returncode == 0, audit.stdout
    assert "The books agree: 0 differences" in audit.stdout

    sessions = {pid for pids in run.pids().values() for pid in pids} | {run.process.pid}
    run.interrupt()
    assert run.process.returncode == 0
    assert not run.layout.access.exists()
    assert alive(sessions) == []


def follow_the_readme(port: int) -> str:
    """Run the shell commands of "A first order". What the last of them says."""
    text = (ROOT / "README.md").read_text()
    [commands] = re.findall(r"^## A first order\n+```\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    return said_by(commands, port)


def follow_the_journey(run: Run) -> None:
    """Run the shell commands of docs/journey.md, and see what became of the order."""
    text = (ROOT / "docs" / "journey.md").read_text()
    commands = "".join(re.findall(r"^```\n(.*?)```", text, re.DOTALL | re.MULTILINE))
    assert "ACCESS=.local/access.json" in commands
    commands = commands.replace(".local/access.json", str(run.layout.access))
    order = json.loads(said_by(commands, run.port).splitlines()[-1])
    assert (order["status"], order["fulfilment_status"]) == ("CONFIRMED", "PARTIALLY_FULFILLED")
    assert (order["return_status"], order["payment"]["status"]) == (
        "PARTIALLY_RETURNED",
        "PARTIALLY_REFUNDED",
    )
    assert order["refunded"] == {"amount": "2.65", "currency": "GBP"}


def follow_the_import(run: Run) -> None:
    """Run the shell commands of docs/import.md, and look for what it brought."""
    text = (ROOT / "docs" / "import.md").read_text().partition("## What happens to a row")[0]
    commands = "".join(re.findall(r"^```\n(.*?)```", text, re.DOTALL | re.MULTILINE))
    attach = ".venv/bin/python -m devstack attach"
    for usual, here in (
        ("ACCESS=.local/access.json", f"ACCESS={run.layout.access}"),
        (attach, f"{sys.executable} -m devstack attach --local {run.layout.local}"),
        (".venv/bin/python manage.py", f"{sys.executable} manage.py"),
    ):
        assert usual in commands
        commands = commands.replace(usual, here)
    said_by(commands, run.port)
    found = httpx.get(
        f"http://127.0.0.1:{run.port}/api/v1/products",
        params={"attr.color": "blue", "attr.size": "M", "available": "true"},
        trust_env=False,
        timeout=60,
    )
    assert [item["name"] for item in found.json()["items"]] == ["Hoodie"]


def said_by(commands: str, port: int) -> str:
    """What shell commands say that are written for the usual port."""
    if shutil.which("curl") is None:
        pytest.skip("The commands of the documents need curl.")
    commands = commands.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{port}")
    assert f":{port}/" in commands
    result = subprocess.run(
        ["bash", "-euc", commands], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def alive(pids: set[int]) -> list[Any]:
    """Those that run, and whatever else is left of their sessions."""
    found = []
    for one in look_around():
        if one.pid in pids or one.session in pids:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(one.pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.cmdline())
    return found


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_replay_of_2000_invoices_under_kills_ends_with_agreeing_books(run: Run) -> None:
    pids = run.pids()
    replay = subprocess.Popen(
        [
            *[sys.executable, "-m", "devstack", "attach", "--local", str(run.layout.local), "--"],
            *[sys.executable, "-m", "demo.replay", "--orders", "2000", "--no-audit"],
            *["--api", f"http://127.0.0.1:{run.port}/api/v1"],
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert replay.stdout is not None
    progress = (line for line in replay.stdout if " of 2000: " in line)
    assert next((line for line in progress if not line.startswith("0 ")), None), "nothing is placed"
    for role, pid in (
        ("relay", pids["relay"][0]),
        ("consumer", pids["consumer"][0]),
        ("web", pids["web"][-1]),
    ):
        assert replay.poll() is None, "the replay was over before the last kill"
        run.kill_and_see_it_return(role, pid)
    said, _ = replay.communicate(timeout=1200)
    assert replay.returncode == 0, said
    assert "2000 of 2000 orders" in said
    audit = run.audit()
    assert audit.returncode == 0, audit.stdout

    run.interrupt()
    run.start()
    assert run.audit().returncode == 0
