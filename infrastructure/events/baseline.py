"""What was promised before: the contracts of the events at an earlier revision of the repository.

The files in the work tree prove nothing about compatibility, since they can be edited together with
the code. Git remembers them as they were.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from infrastructure.events.documents import CONTRACTS
from infrastructure.events.schemas import breaking_changes


class UnknownRevision(Exception):
    """Git cannot read this revision here."""


def contracts_at(root: Path, revision: str) -> dict[Path, str]:
    """The schemas and examples as they were at a revision. Raises UnknownRevision."""
    listed = _git(root, "ls-tree", "-r", "--name-only", revision, "--", str(CONTRACTS))
    return {Path(name): _git(root, "show", f"{revision}:./{name}") for name in listed.splitlines()}


def broken_promises(root: Path, before: dict[Path, str]) -> list[str]:
    """How the files of today break with those of before; empty if they do not.

    A version that was published once stays, and so does its example, word for word: messages that
    look like it are on the topic for ever.
    """
    broken = []
    for path, content in before.items():
        if not (root / path).exists():
            broken.append(f"{path} is gone")
            continue
        old, new = json.loads(content), json.loads((root / path).read_text())
        if path.name.endswith(".schema.json"):
            stem = path.name.removesuffix(".schema.json")
            broken += [f"{stem}: {reason}" for reason in breaking_changes(old, new)]
        elif old != new:
            broken.append(f"{path} is another example")
    return broken


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)  # noqa: S603
    if result.returncode:
        raise UnknownRevision(result.stderr.strip())
    return result.stdout
