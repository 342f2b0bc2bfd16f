"""How the image starts its web server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.layout import ROOT

GRANIAN = """
import json, os, sys
folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
print(json.dumps([sys.argv[1:], folder, os.listdir(folder), os.environ["WEB_THREADS"]]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an earlier start left, beside a stand-in for the server."""
    (tmp_path / "granian.py").write_text(GRANIAN)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "counter_1.db").touch()
    return tmp_path


def start(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "devstack.web"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(folder),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            **variables,
        },
        capture_output=True,
        text=True,
    )


def test_the_server_has_the_workers_that_the_environment_names_and_no_old_metrics(
    folder: Path,
) -> None:
    result = start(folder, HOST="0.0.0.0", PORT="8123", WEB_WORKERS="5", WEB_THREADS="3")
    arguments, metrics, left, threads = json.loads(result.stdout)
    assert " ".join(arguments).startswith(
        "--interface wsgi config.wsgi:application --host 0.0.0.0 --port 8123 --workers 5 "
        "--blocking-threads 3 "
    )
    assert (metrics, left, threads) == (str(folder / "metrics"), [], "3")


def test_a_number_of_workers_that_is_none_ends_the_start_with_a_sentence(folder: Path) -> None:
    result = start(folder, WEB_WORKERS="many")
    assert result.returncode == 1
    assert "WEB_WORKERS is 'many', which is no whole number from 1 to 64." in result.stderr
    assert (folder / "metrics" / "counter_1.db").exists()
