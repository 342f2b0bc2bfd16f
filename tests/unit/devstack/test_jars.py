"""Kafka's jars come from pinned coordinates, and only the very files that the lock names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests

from devstack.console import Console
from devstack.errors import StackError
from devstack.kafka import jars


def test_the_lock_names_every_jar_of_the_broker_with_its_coordinates() -> None:
    locked = list(jars.locked_jars())
    assert len(locked) == 47
    assert ("org.apache.kafka", "kafka_2.13", "4.1.1") in [jar.coordinates for jar in locked]
    assert all(len(jar.sha256) == 64 for jar in locked)


@pytest.fixture
def one_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> jars.Jar:
    jar = jars.Jar(path="org/a/b/1/b-1.jar", sha256=hashlib.sha256(b"good").hexdigest())
    monkeypatch.setattr(jars, "locked_jars", lambda: [jar])
    return jar


def test_a_sound_jar_is_not_downloaded_again(tmp_path: Path, one_jar: jars.Jar) -> None:
    file = tmp_path / one_jar.path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"good")
    assert jars.fetch_jars(tmp_path, Console()) == [file]


def test_a_download_with_another_sum_is_refused_and_removed(
    tmp_path: Path, one_jar: jars.Jar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(artifact: object) -> Path:
        file = tmp_path / one_jar.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"evil")
        return file

    monkeypatch.setattr("jgo.maven._core.Artifact.resolve", download)
    with pytest.raises(StackError, match=r"b-1\.jar is not the file that the lock names"):
        jars.fetch_jars(tmp_path, Console())
    assert not (tmp_path / one_jar.path).exists()


def test_no_network_is_told_with_what_to_do(
    tmp_path: Path, one_jar: jars.Jar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(artifact: object) -> Path:
        raise requests.ConnectionError("Network is unreachable")

    monkeypatch.setattr("jgo.maven._core.Artifact.resolve", download)
    with pytest.raises(StackError) as refusal:
        jars.fetch_jars(tmp_path, Console())
    assert refusal.value.what == "Kafka could not be downloaded: Network is unreachable"
    assert "KAFKA_BOOTSTRAP_SERVERS" in refusal.value.todo
