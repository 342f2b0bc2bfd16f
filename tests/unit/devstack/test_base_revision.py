"""Which earlier revision `make check` compares the API and the events with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devstack.layout import ROOT


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    result = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    return git(folder, "rev-parse", "HEAD")


def base(folder: Path) -> str:
    """What the Makefile calls BASE in this folder."""
    shown = subprocess.run(
        ["make", "--silent", f"--file={ROOT}/Makefile", "--eval=show:;@echo '$(BASE)'", "show"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    return shown.stdout.strip()


def compare(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    chosen = [f"{name}={text}" for name, text in variables.items()]
    return subprocess.run(
        ["make", "--silent", f"--file={ROOT}/Makefile", "compatibility-check", *chosen],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def test_on_the_main_branch_it_is_the_commit_before(repository: Path) -> None:
    first = commit(repository)
    second = commit(repository)
    assert base(repository) == first
    git(repository, "update-ref", "refs/remotes/origin/main", second)
    assert base(repository) == first


def test_on_a_branch_it_is_where_the_branch_left(repository: Path) -> None:
    left = commit(repository)
    git(repository, "update-ref", "refs/remotes/origin/main", left)
    commit(repository)
    commit(repository)
    assert base(repository) == left


def test_without_history_nothing_is_compared_and_that_is_said(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository)
    commit(repository)
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")
    (tmp_path / "no-repository").mkdir()
    for folder in (tmp_path / "shallow", tmp_path / "no-repository"):
        assert base(folder) == ""
        result = compare(folder)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == (
            "Compatibility of the API was not compared: there is no earlier revision here.\n"
        )


def test_a_base_without_a_description_is_named_and_one_that_is_none_refused(
    repository: Path,
) -> None:
    first = commit(repository)
    commit(repository)
    result = compare(repository)
    assert result.returncode == 0
    assert result.stdout == (
        f"Compatibility of the API was not compared: {first} has no description of it.\n"
    )
    refused = compare(repository, BASE="nowhere")
    assert refused.returncode != 0
    assert "BASE=nowhere is no revision." in refused.stdout


def test_the_description_of_the_base_is_what_the_command_gets(repository: Path) -> None:
    contract = repository / "tests/contracts/openapi.json"
    contract.parent.mkdir(parents=True)
    contract.write_text("promised")
    git(repository, "add", ".")
    commit(repository)
    contract.write_text("of today")
    commit(repository)
    python = repository / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$1 $2 $3 $4 $(cat "$5")"; exit 1\n')
    python.chmod(0o755)
    result = compare(repository)
    assert result.stdout == "manage.py export_openapi --check --against promised\n"
    assert result.returncode != 0
