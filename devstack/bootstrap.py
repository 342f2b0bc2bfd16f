"""Makes and refreshes `.venv`. Runs on the system's Python, so it uses the standard library only.

Nothing happens while the pinned requirements are the ones that were installed last.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from devstack.console import Console, Progress
from devstack.errors import StackError
from devstack.layout import ROOT
from devstack.preflight import (
    FIRST_START_BYTES,
    require_platform,
    require_python,
    require_space,
)

_REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeoutError|ProxyError"
    r"|Network is unreachable|Could not fetch URL"
)


def main() -> int:
    console = Console()
    try:
        require_python()
        refresh(ROOT, console)
    except StackError as error:
        console.say(f"{error.what}\n{error.todo}")
        return 1
    return 0


def refresh(root: Path, console: Console) -> None:
    """Bring `.venv` in line with the requirements."""
    venv = root / ".venv"
    stamp = venv / ".requirements"
    wanted = _digest(root)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    require_platform()
    if not _works(venv):
        require_space(root, FIRST_START_BYTES)
        with console.step("Creating the virtual environment .venv"):
            _create(venv)
    with console.step("Installing the dependencies into .venv") as progress:
        _install(root, venv, progress)
    stamp.write_text(wanted)


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for name in _REQUIREMENTS:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def _works(venv: Path) -> bool:
    python = venv / "bin" / "python"
    if not python.exists():
        return False
    trial = subprocess.run([python, "-m", "pip", "--version"], capture_output=True)
    return trial.returncode == 0


def _create(venv: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", venv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode == 0:
        return
    shutil.rmtree(venv, ignore_errors=True)
    if "No space left" in result.stdout:
        raise _disk_is_full(venv.parent)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    raise StackError(
        f"Python {version} could not make a virtual environment:\n{result.stdout.strip()}",
        "Its modules venv and ensurepip are needed; on Debian and Ubuntu they come with"
        f" `apt install python{version}-venv`.",
    )


def _install(root: Path, venv: Path, progress: Progress) -> None:
    total = sum(
        1 for line in (root / _REQUIREMENTS[-1]).read_text().splitlines() if re.match(r"\w", line)
    )
    said: list[str] = []
    done = 0
    command = [
        *[str(venv / "bin" / "python"), "-m", "pip", "install"],
        # What is never imported is never compiled: most of what is installed.
        *["--no-compile", "--progress-bar", "off", "--no-color", "-r", _REQUIREMENTS[-1]],
    ]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    with subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **quiet},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            said.append(line.rstrip())
            found = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.\-]+)", line)
            if found:
                done += 1
                progress.update(min(done, total), total, found.group(1))
            elif line.startswith("Installing collected"):
                progress.update(total, total, "unpacking")
    if pip.returncode == 0:
        return
    output = "\n".join(said[-15:])
    if "No space left" in output:
        raise _disk_is_full(root)
    if _NO_NETWORK.search("\n".join(said)):
        raise StackError(
            f"The dependencies could not be downloaded:\n{output}",
            "The first start needs the network once; try again when it is there."
            " PIP_INDEX_URL names a mirror, if you have one.",
        )
    raise StackError(
        f"The dependencies could not be installed:\n{output}",
        "Put right what pip says above and start again.",
    )


def _disk_is_full(folder: Path) -> StackError:
    return StackError(
        f"The disk that holds {folder} is full.",
        f"Make room for {FIRST_START_BYTES / 1e9:.1f} GB and start again.",
    )


if __name__ == "__main__":
    sys.exit(main())
