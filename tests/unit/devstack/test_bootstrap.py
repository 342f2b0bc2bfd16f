"""The virtual environment is made once, and refreshed when the requirements change."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from devstack import bootstrap
from devstack.console import Console
from devstack.errors import StackError

PIP = """#!/bin/sh
[ "$3" = --version ] && exit 0
echo installed >> {root}/installs
{rest}
"""


@pytest.fixture
def console() -> Console:
    return Console(io.StringIO())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("django==5.2\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9\n")
    pip_that(tmp_path, "exit 0")
    return tmp_path


def pip_that(root: Path, rest: str) -> None:
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(PIP.format(root=root, rest=rest))
    os.chmod(python, 0o755)


def installs(root: Path) -> int:
    path = root / "installs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_dependencies_are_installed_again_only_when_the_requirements_change(
    root: Path, console: Console
) -> None:
    bootstrap.refresh(root, console)
    bootstrap.refresh(root, console)
    assert installs(root) == 1
    (root / "requirements.txt").write_text("django==5.3\n")
    bootstrap.refresh(root, console)
    assert installs(root) == 2


def test_an_installation_that_failed_is_tried_again_at_the_next_start(
    root: Path, console: Console
) -> None:
    pip_that(root, "echo ERROR: conflict; exit 1")
    with pytest.raises(StackError, match="ERROR: conflict"):
        bootstrap.refresh(root, console)
    pip_that(root, "exit 0")
    bootstrap.refresh(root, console)
    assert installs(root) == 2


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("NewConnectionError: Failed to establish a new connection", "could not be downloaded"),
        ("OSError: [Errno 28] No space left on device", "is full"),
    ],
)
def test_what_keeps_pip_from_installing_is_told(
    root: Path, console: Console, output: str, said: str
) -> None:
    pip_that(root, f"echo '{output}'; exit 1")
    with pytest.raises(StackError, match=said):
        bootstrap.refresh(root, console)


def test_a_python_that_cannot_make_environments_is_told_with_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho ensurepip is not available; exit 1\n")
    os.chmod(broken, 0o755)
    monkeypatch.setattr(bootstrap.sys, "executable", str(broken))
    with pytest.raises(StackError) as refusal:
        bootstrap._create(tmp_path / ".venv")
    assert "ensurepip is not available" in refusal.value.what
    assert "-venv`" in refusal.value.todo
