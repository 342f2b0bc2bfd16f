"""Files of the local stack: private, claimed by one process, erased without the downloads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.layout import Layout, read_json, write_private_json


def test_secrets_are_drawn_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    drawn = Credentials(path)
    values = [drawn.password("redis"), drawn.key("secret_key"), drawn.signing_key("jwt")]
    again = Credentials(path)
    assert [again.password("redis"), again.key("secret_key"), again.signing_key("jwt")] == values
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert values[0].isalnum()
    assert len(values[1]) == 64
    assert values[2].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert drawn.password("postgres") != values[0]


def test_a_file_is_private_from_the_first_moment_and_a_torn_one_counts_as_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / "access.json"
    previous = os.umask(0)
    try:
        write_private_json(path, {"pids": {"web": [1]}})
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_json(path) == {"pids": {"web": [1]}}
    path.write_text('{"pids"')
    assert read_json(path) == {}
    assert read_json(tmp_path / "none") == {}


def test_a_claimed_folder_is_refused_to_others_until_it_is_left(tmp_path: Path) -> None:
    layout = Layout(local=tmp_path, shared=tmp_path)
    with (
        layout.claimed("make run"),
        pytest.raises(StackError, match=rf"`make run \(process {os.getpid()}\)` is at work"),
        layout.claimed("make reset"),
    ):
        pass
    with layout.claimed("make reset"):
        pass


def test_erasing_keeps_downloads_and_the_data_of_the_tests(tmp_path: Path) -> None:
    layout = Layout(local=tmp_path, shared=tmp_path)
    for folder in ("jars", "test", "postgres", "kafka"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    layout.credentials.touch()
    with layout.claimed("make reset"):
        layout.erase()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "lock", "test"]
