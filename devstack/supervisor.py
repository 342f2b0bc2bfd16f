"""Starts the shop in order, keeps it alive, and stops it in reverse order."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.console import Console
from devstack.errors import StackError
from devstack.layout import Layout, read_json, write_private_json
from devstack.processes import Child, Sighting, end, family, look_around
from devstack.service import Service, Stopped
from devstack.stack import Stack

_PAUSES = (1.0, 2.0, 4.0, 5.0)
_STEADY_SECONDS = 30.0
# More than what the worker gives its tasks (CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT).
_GRACE_SECONDS = 9.0
_READY_SECONDS = 180.0
_LOOK_SECONDS = 2.0
_TICK_SECONDS = 0.1
_LITTLE_SPACE = 100_000_000


@dataclass(frozen=True)
class Program:
    """One command of the shop: a step that must succeed before the roles start, or a role."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    ready_url: str | None = None
    """Answers 200 once the role serves."""


class Kept:
    """Something that is started again when it ends, after a pause that grows to five seconds."""

    def __init__(self, name: str, child: Child, restart: Callable[[], None]) -> None:
        self.name = name
        self.child = child
        self.members: list[Sighting] = []
        self._restart = restart
        self._failures = 0
        self._start_at: float | None = None

    @property
    def is_waiting(self) -> bool:
        return self._start_at is not None

    def plan_restart(self, now: float) -> float:
        """The seconds until it starts again."""
        if now - self.child.started_at >= _STEADY_SECONDS:
            self._failures = 0
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        self._start_at = now + pause
        return pause

    def restart_if_due(self, now: float) -> bool:
        if self._start_at is None or now < self._start_at:
            return False
        self._start_at = None
        self._restart()
        return True


class Supervisor:
    """Runs in the foreground until it is told to stop."""

    def __init__(
        self,
        *,
        layout: Layout,
        console: Console,
        directory: Path,
        stack: Stack,
        environment: Mapping[str, str],
        steps: Sequence[Program],
        roles: Sequence[Program],
        access: Mapping[str, object],
        greeting: str,
    ) -> None:
        self._layout = layout
        self._console = console
        self._directory = directory
        self._stack = stack
        self._environment = environment
        self._steps = steps
        self._roles = roles
        self._access = access
        self._greeting = greeting
        self._kept: list[Kept] = []
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._looked_at = 0.0
        self._shown_pids: dict[str, list[int]] = {}

    def run(self) -> None:
        """Return after an orderly stop. Raises StackError if the shop could not be started."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # As nohup wants it.
            signal.signal(signal.SIGHUP, self._on_signal)
        self._end_leftovers()
        try:
            self._stack.prepare(self._console)
            self._stack.launch()
            for service in self._stack.services:
                self._keep_service(service)
            self._look()
            self._stack.wait_until_ready(self._console, self._stopping)
            for step in self._steps:
                self._carry_out(step)
            for role in self._roles:
                self._keep_role(role)
            self._look()
            self._await_roles()
            self._look()
            self._console.say(self._greeting)
            while not self._stopping.wait(_TICK_SECONDS):
                self._tend()
        except Stopped:
            pass
        finally:
            self._stop()

    def _on_signal(self, number: int, frame: object) -> None:
        # A second signal means: now.
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def _end_leftovers(self) -> None:
        """End what a supervisor that was itself killed could not end."""
        recorded = read_json(self._layout.processes) or []
        left = [Sighting(pid=pid, parent=0, session=0, created=at) for pid, at in recorded]
        left = [one for one in left if one.is_alive]
        if left:
            self._console.say(f"Ending {len(left)} processes of an earlier run that was killed.")
            end(left, grace=3)

    # Starting

    def _child(self, program: Program) -> Child:
        return Child(
            name=program.name,
            command=program.command,
            environment={"ROLE": program.name, **self._environment, **program.environment},
            directory=self._directory,
            log=self._layout.log(program.name),
            console=self._console,
        )

    def _carry_out(self, step: Program) -> None:
        with self._console.step(step.title):
            child = self._child(step)
            child.start()
            try:
                while not child.wait(_TICK_SECONDS):
                    self._pause_unless_stopped()
            finally:
                if child.is_running:
                    end(family(child.pid, look_around()), grace=3)
            if child.exit_code != 0:
                raise StackError(
                    f"The step `{step.name}` {child.how_it_ended()}; its output is above.",
                    "Put right what it says and start again; what was done so far is kept.",
                )

    def _keep_service(self, service: Service) -> None:
        def start() -> None:
            service.start()
            assert service.child is not None
            kept.child = service.child

        assert service.child is not None
        kept = Kept(service.name, service.child, start)
        self._kept.append(kept)

    def _keep_role(self, role: Program) -> None:
        child = self._child(role)
        child.start()
        self._kept.append(Kept(role.name, child, child.start))

    def _await_roles(self) -> None:
        with self._console.step("Starting the shop"):
            deadline = time.monotonic() + _READY_SECONDS
            waiting = [role for role in self._roles if role.ready_url]
            while waiting:
                self._pause_unless_stopped()
                waiting = [role for role in waiting if not _answers(role.ready_url)]
                if time.monotonic() > deadline:
                    names = ", ".join(role.name for role in waiting)
                    raise StackError(
                        f"Not ready after {_READY_SECONDS:.0f} s: {names}.",
                        f"The log above and in {self._layout.log(waiting[0].name)} says why.",
                    )

    def _pause_unless_stopped(self) -> None:
        self._tend()
        if self._stopping.wait(_TICK_SECONDS):
            raise Stopped

    # Running

    def _tend(self) -> None:
        """Notice who has ended, and start again whose pause is over."""
        now = time.monotonic()
        changed = False
        for kept in self._kept:
            if kept.is_waiting:
                changed |= kept.restart_if_due(now)
            elif not kept.child.is_running:
                orphans = [one for one in kept.members if one.pid != kept.child.pid]
                orphans += family(kept.child.pid, look_around())
                end(set(orphans), grace=1)
                pause = kept.plan_restart(now)
                self._console.say(
                    f"{kept.name} {kept.child.how_it_ended()}; starting it again in {pause:.0f} s."
                    + self._hint_about_space()
                )
        if changed or now - self._looked_at >= _LOOK_SECONDS:
            self._look()

    def _hint_about_space(self) -> str:
        free = shutil.disk_usage(self._layout.local).free
        if free > _LITTLE_SPACE:
            return ""
        return f" The disk is almost full ({free / 1e6:.0f} MB left): make room."

    def _look(self) -> None:
        """Note which processes belong to whom, and tell others when that has changed."""
        self._looked_at = time.monotonic()
        seen = look_around()
        for kept in self._kept:
            kept.members = family(kept.child.pid, seen) if kept.child.is_running else []
        pids = {kept.name: [one.pid for one in kept.members] for kept in self._kept}
        if pids == self._shown_pids:
            return
        self._shown_pids = pids
        with contextlib.suppress(OSError):  # On a full disk the shop goes on; the file is stale.
            write_private_json(
                self._layout.processes,
                [[one.pid, one.created] for kept in self._kept for one in kept.members],
            )
            write_private_json(self._layout.access, {**self._access, "pids": pids})

    # Stopping

    def _stop(self) -> None:
        self._console.say("Stopping …")
        services = {service.name for service in self._stack.services}
        roles = [kept for kept in reversed(self._kept) if kept.name not in services]
        seen = look_around()
        members = {one for kept in roles for one in [*kept.members, *family(kept.child.pid, seen)]}
        for kept in roles:
            kept.child.signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(kept.child.is_running for kept in roles):
            if time.monotonic() > deadline or self._hurry.wait(_TICK_SECONDS):
                break
        for kept in roles:
            if kept.child.is_running:
                late = "" if self._hurry.is_set() else " did not stop in time and"
                self._console.say(f"{kept.name}{late} is killed.")
                kept.child.signal(signal.SIGKILL)
        end(members, grace=0.5)
        self._stack.stop()
        self._layout.access.unlink(missing_ok=True)
        self._layout.processes.unlink(missing_ok=True)
        self._console.say("Stopped. The data is kept.")


def _answers(url: str | None) -> bool:
    assert url is not None
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
