"""The contracts are compared with what Git remembers, not with files that change with the code."""

from __future__ import annotations

import json
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from infrastructure.events import documents
from infrastructure.events.schemas import file_stem

EVENT = documents.published_events()[0]
STEM = file_stem(EVENT)
SCHEMA = documents.CONTRACTS / f"{STEM}.schema.json"
EXAMPLE = documents.CONTRACTS / f"{STEM}.json"


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    """A repository with today's files, committed."""
    for path in (documents.CONTRACTS, documents.TABLE.parent):
        shutil.copytree(settings.BASE_DIR / path, tmp_path / path)
    settings.BASE_DIR = tmp_path
    call_command("show_events", stdout=StringIO())
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def test_what_did_not_change_is_compatible(root: Path) -> None:
    kept = len(list((root / documents.CONTRACTS).iterdir()))
    assert f"{kept} files of HEAD are kept to" in check("HEAD")


def test_a_schema_edited_together_with_the_code_is_still_a_breaking_change(root: Path) -> None:
    today = (root / SCHEMA).read_text()
    promised = json.loads(today)
    promised["properties"]["promised"] = {"type": "string"}
    (root / SCHEMA).write_text(json.dumps(promised))
    commit(root)
    (root / SCHEMA).write_text(today)  # as the code has it
    commit(root)

    assert "files are up to date" in check(None)
    with pytest.raises(CommandError, match=f"{STEM}: the field promised is gone"):
        check("HEAD^")


def test_a_new_field_that_is_required_breaks_and_an_optional_one_does_not(root: Path) -> None:
    today = (root / SCHEMA).read_text()
    before = json.loads(today)
    added = before["required"].pop()
    optional = next((n for n in before["properties"] if n not in json.loads(today)["required"]), "")
    for name in {added, optional} - {""}:
        del before["properties"][name]
    (root / SCHEMA).write_text(json.dumps(before))
    commit(root)
    (root / SCHEMA).write_text(today)

    with pytest.raises(CommandError) as refused:
        check("HEAD")
    assert str(refused.value).splitlines() == [
        f"{STEM}: the new field {added} is required: give it a default",
        "Broken since HEAD.",
    ]


def test_a_version_that_was_published_cannot_be_taken_back(root: Path) -> None:
    gone = documents.CONTRACTS / "orders.order_forgotten.v1.schema.json"
    (root / gone).write_text((root / SCHEMA).read_text())
    commit(root)

    with pytest.raises(CommandError, match=f"Out of date: {gone}"):
        check(None)
    output = StringIO()
    call_command("show_events", stdout=output)
    assert f"removed {gone}" in output.getvalue()
    assert not (root / gone).exists()
    with pytest.raises(CommandError, match=f"{gone} is gone"):
        check("HEAD")


def test_an_example_stays_as_it_was(root: Path) -> None:
    (root / EXAMPLE).write_text("{}")
    with pytest.raises(CommandError, match=f"{EXAMPLE} is another example"):
        check("HEAD")


def test_an_example_of_an_older_version_stays(root: Path) -> None:
    older = documents.CONTRACTS / "orders.order_created.v0.json"
    (root / older).write_text("{}")
    commit(root)
    (root / older).unlink()
    with pytest.raises(CommandError, match=f"{older} is gone"):
        check("HEAD")


def test_without_an_earlier_revision_one_line_says_so(root: Path) -> None:
    assert "no earlier revision to compare the schemas with" in check("")


def test_an_unknown_revision_fails(root: Path) -> None:
    with pytest.raises(CommandError, match="nowhere cannot be read"):
        check("nowhere")


def check(revision: str | None) -> str:
    output = StringIO()
    call_command("show_events", check=True, against=revision, stdout=output)
    return output.getvalue()


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(
        root, "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet",
        "--no-verify", "--message", "Change",
    )  # fmt: skip


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout
